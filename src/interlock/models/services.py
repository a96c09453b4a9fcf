"""Which of a provider's services a request asks for: each has prices of its own."""

from interlock.domain.canonical import JsonObject

_FIELDS = ("service_tier", "speed", "inference_geo")
"""Of OpenAI and Anthropic; two of them together have a price under both names or none."""
_USUAL = frozenset({"auto", "default", "standard", "standard_only", "global"})
"""What callers write when they mean none in particular."""


def service_of(body: JsonObject) -> str:
    """Return the service under the name that prices have for it; empty for the usual one."""
    said = [word for name in _FIELDS if isinstance(word := body.get(name), str) and word not in _USUAL]
    return "+".join(said)
