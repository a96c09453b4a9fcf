"""The brake: stop a tool, a category, an agent, all writes or everything, at once and everywhere."""
