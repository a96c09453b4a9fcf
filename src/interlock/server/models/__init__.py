"""The model surface: OpenAI's and Anthropic's wire formats, over the road of a model call."""
