"""Usage in OpenAI's words, which servers like it use as well."""

from interlock.domain.canonical import Json
from interlock.domain.models import Usage
from interlock.models.codecs.fields import count, is_count


def read_usage(said: Json) -> Usage | None:
    """Return the usage of a chat completion or of embeddings, or None when it does not say what went in."""
    return _read(said, "prompt", "completion") if isinstance(said, dict) else None


def read_response_usage(said: Json) -> Usage | None:
    """Return the usage of a response, or None when it does not say what went in."""
    return _read(said, "input", "output") if isinstance(said, dict) else None


def _read(said: dict[str, Json], inward: str, outward: str) -> Usage | None:
    prompt, completion = said.get(f"{inward}_tokens"), said.get(f"{outward}_tokens", 0)
    if not is_count(prompt) or not is_count(completion):
        return None
    details, more = said.get(f"{inward}_tokens_details"), said.get(f"{outward}_tokens_details")
    of_input = details if isinstance(details, dict) else {}
    of_output = more if isinstance(more, dict) else {}
    return Usage(
        input=prompt,
        # Some servers leave reasoning out of the completion, but never out of the total.
        output=max(completion, count(said.get("total_tokens")) - prompt),
        cache_read=count(of_input.get("cached_tokens")),
        cache_write=count(of_input.get("cache_write_tokens")),
        reasoning=count(of_output.get("reasoning_tokens")),
        audio_input=count(of_input.get("audio_tokens")),
        audio_output=count(of_output.get("audio_tokens")),
    )


def write_usage(usage: Usage) -> dict[str, Json]:
    """Return `usage` in the words of chat completions."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
            "audio_tokens": usage.audio_input,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_output},
    }


def write_response_usage(usage: Usage) -> dict[str, Json]:
    """Return `usage` in the words of responses."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
