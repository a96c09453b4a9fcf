"""Reasoning and seals in chat completions, in the fields that servers beside OpenAI and their clients have agreed on.

`reasoning_content` holds the words (DeepSeek, vLLM), `reasoning_details` what must go back unchanged (OpenRouter), and
`extra_content` of a tool call Google's seal over it.
"""

from collections.abc import Iterable

from interlock.domain.canonical import Json
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import Thinking, ToolUse

_FORMATS = {
    "anthropic": "anthropic-claude-v1",
    "openai": "openai-responses-v1",
    "gemini": "google-gemini-v1",
    "bedrock": "bedrock-converse-v1",
}
_VENDORS = {name: vendor for vendor, name in _FORMATS.items()}


def read_thinking(message: Field) -> tuple[Thinking, ...]:
    """Return the reasoning of a message or of a chunk."""
    details = message["reasoning_details"]
    if details.value:
        return tuple(read_detail(detail) for detail in details.items())
    words = message["reasoning_content"].text("") or message["reasoning"].text("")
    return (Thinking(words),) if words else ()


def read_detail(detail: Field) -> Thinking:
    """Return the reasoning that an entry of `reasoning_details` holds."""
    vendor = detail["format"].text("")
    vendor, identity = _VENDORS.get(vendor, vendor), detail["id"].text("")
    match detail["type"].text():
        case "reasoning.encrypted":
            return Thinking("", detail["data"].text(), vendor, redacted=True, id=identity)
        case "reasoning.summary":
            return Thinking(detail["summary"].text(""), "", vendor, id=identity)
    return Thinking(detail["text"].text(""), detail["signature"].text(""), vendor, id=identity)


def write_thinking(parts: Iterable[Thinking]) -> dict[str, Json]:
    """Return the fields of a message that tell `parts`."""
    found = tuple(parts)
    fields: dict[str, Json] = {}
    if words := "\n\n".join(part.text for part in found if part.text):
        fields["reasoning_content"] = words
    if any(part.vendor or part.signature or part.id for part in found) or len(found) > 1:
        fields["reasoning_details"] = [write_detail(part, index) for index, part in enumerate(found)]
    return fields


def write_detail(part: Thinking, index: int) -> dict[str, Json]:
    """Return the entry of `reasoning_details` for `part`."""
    said: dict[str, Json] = {"index": index, "format": _FORMATS.get(part.vendor, part.vendor), "id": part.id or None}
    if part.redacted:
        return {"type": "reasoning.encrypted", "data": part.signature, **said}
    return {"type": "reasoning.text", "text": part.text, "signature": part.signature or None, **said}


def read_seal(call: Field) -> str:
    """Return Google's seal over a tool call; empty where there is none."""
    extra = call["extra_content"]
    if not extra.given or not extra["google"].given:
        return ""
    return extra["google"]["thought_signature"].text("")


def write_seal(call: ToolUse) -> dict[str, Json]:
    """Return the field that carries the seal over `call`."""
    return {"extra_content": {"google": {"thought_signature": call.signature}}} if call.signature else {}
