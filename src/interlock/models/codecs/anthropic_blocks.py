"""Content blocks of Anthropic messages, read and written."""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from interlock.domain.canonical import Json
from interlock.models.codecs.carriage import (
    arguments_of,
    foreign_part,
    seal,
    unanswerable,
    uncarriable,
    unseal,
)
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import CacheFor, Document, Image, Opaque, Part, Text, Thinking, ToolOutcome, ToolUse

VENDOR = "anthropic"
_SEAL_OF_CALL = "call"


def read_content(content: Field) -> tuple[Part, ...]:
    """Return the parts of `content`, which is text or a list of blocks."""
    if isinstance(content.value, str):
        return (Text(content.value),)
    parts: list[Part] = []
    for block in content.items():
        part = read_block(block)
        if parts and isinstance(part, ToolUse) and (signature := seal_of_call(parts[-1])):
            parts[-1] = replace(part, signature=signature)
        else:
            parts.append(part)
    return tuple(parts)


def seal_of_call(part: Part) -> str:
    """Return the seal that `part` only carries for the tool call behind it (see `write_seal`); empty for other parts."""
    if isinstance(part, Thinking) and part.redacted and part.id == _SEAL_OF_CALL and part.vendor != VENDOR:
        return part.signature
    return ""


def write_seal(call: ToolUse) -> dict[str, Json]:
    """Return the block that carries another vendor's seal over `call`.

    Tool calls have no place for a seal here, but callers must send reasoning blocks back as they came.
    """
    return {"type": "redacted_thinking", "data": seal("gemini", call.signature, _SEAL_OF_CALL)}


def read_block(block: Field) -> Part:
    """Return the part that `block` stands for; what has no neutral meaning stays as it is."""
    kind = block["type"].name()
    reader = _READERS.get(kind)
    if reader is None:
        return Opaque(VENDOR, block.value)
    known, read = reader
    # A block with fields that the neutral part has no place for is only whole as it is.
    return read(block) if known.issuperset(_given(block)) else Opaque(VENDOR, block.value)


def _given(block: Field) -> list[str]:
    return [key for key, value in block.object().items() if value is not None]


def _read_text(block: Field) -> Part:
    citations = tuple(item.object() for item in block["citations"].items())
    return Text(block["text"].text(), read_cache(block), citations, VENDOR if citations else "")


def _read_image(block: Field) -> Part:
    source = block["source"]
    kind = source["type"].text()
    if kind == "base64":
        return Image(source["media_type"].text(), source["data"].text(), cache=read_cache(block))
    if kind == "url":
        return Image(url=source["url"].text(), cache=read_cache(block))
    return Opaque(VENDOR, block.value)


def _read_document(block: Field) -> Part:
    source = block["source"]
    name, cited, cache = block["title"].text(""), bool(block["citations"]["enabled"].flag()), read_cache(block)
    match source["type"].text():
        case "base64" | "text":
            return Document(source["media_type"].text(), source["data"].text(), "", name, cited, cache)
        case "url":
            return Document("application/pdf", "", source["url"].text(), name, cited, cache)
    return Opaque(VENDOR, block.value)


def _read_tool_use(block: Field) -> Part:
    if block["caller"].given and block["caller"]["type"].text() != "direct":
        return Opaque(VENDOR, block.value)  # called by the provider's own code, not by the model
    arguments = orjson.dumps(block["input"].object()).decode()
    return ToolUse(block["id"].name(), block["name"].name(), arguments, read_cache(block))


def _read_tool_result(block: Field) -> Part:
    call = block["tool_use_id"].name()
    parts = read_content(block["content"])
    told = tuple(part for part in parts if isinstance(part, Text | Image))
    if len(told) < len(parts):
        return Opaque(VENDOR, block.value)  # other formats have only words and images in results
    return ToolOutcome(call, told, bool(block["is_error"].flag()), read_cache(block))


def _read_thinking(block: Field) -> Part:
    text, signature = block["thinking"].text(), block["signature"].text("")
    sealed = unseal(signature)
    return Thinking(text, sealed[1], sealed[0], id=sealed[2]) if sealed else Thinking(text, signature, VENDOR)


def _read_redacted(block: Field) -> Part:
    data = block["data"].text()
    sealed = unseal(data)
    if sealed is None:
        return Thinking("", data, VENDOR, redacted=True)
    return Thinking("", sealed[1], sealed[0], redacted=True, id=sealed[2])


_READERS = {
    "text": ({"type", "text", "cache_control", "citations"}, _read_text),
    "image": ({"type", "source", "cache_control"}, _read_image),
    "document": ({"type", "source", "title", "citations", "cache_control"}, _read_document),
    "tool_use": ({"type", "id", "name", "input", "caller", "cache_control"}, _read_tool_use),
    "tool_result": ({"type", "tool_use_id", "content", "is_error", "cache_control"}, _read_tool_result),
    "thinking": ({"type", "thinking", "signature"}, _read_thinking),
    "redacted_thinking": ({"type", "data"}, _read_redacted),
}


def read_cache(block: Field) -> CacheFor:
    """Return how long the provider is asked to keep everything up to `block`."""
    mark = block["cache_control"]
    if not mark.given:
        return CacheFor.NO
    return CacheFor.LONG if mark["ttl"].text("") == "1h" else CacheFor.SHORT


def write_cache(cache: CacheFor) -> dict[str, Json]:
    """Return the fields that ask for `cache`."""
    if cache is CacheFor.NO:
        return {}
    return {"cache_control": {"type": "ephemeral", **({"ttl": "1h"} if cache is CacheFor.LONG else {})}}


def write_content(parts: Iterable[Part], lost: list[str]) -> str | list[dict[str, Json]]:
    """Return the content of a message of a request. Raises Uncarriable; what is lost is added to `lost`."""
    blocks = [block for part in parts if (block := _write_part(part, lost)) is not None]
    return _plain(blocks)


def _plain(blocks: list[dict[str, Json]]) -> str | list[dict[str, Json]]:
    only = blocks[0] if len(blocks) == 1 else {}
    return str(only["text"]) if only.keys() == {"type", "text"} else blocks


def _write_part(part: Part, lost: list[str]) -> dict[str, Json] | None:
    match part:
        case Text():
            # The format refuses a text without words, which others write beside tool calls.
            return write_text(part, lost) if part.text else None
        case ToolUse():
            if part.signature:
                lost.append(f"the seal of another vendor over call {part.id}")
            return write_call(part, lost)
        case ToolOutcome():
            return _write_outcome(part, lost)
        case Image():
            return _write_image(part, lost)
        case Document():
            return _write_document(part, lost)
        case Thinking(vendor="anthropic"):
            return write_thinking(part)
        case Thinking(vendor="bedrock", redacted=False) if part.signature:
            # On Bedrock, only Anthropic's models sign, and their signatures hold wherever they run.
            return write_thinking(replace(part, vendor=VENDOR))
        case Opaque(vendor="anthropic") if isinstance(part.value, dict):
            return dict(part.value)
        case Thinking() | Opaque():
            lost.append(foreign_part(part, VENDOR))
    return None


def write_answer(parts: Iterable[Part], lost: list[str]) -> list[dict[str, Json]]:
    """Return the blocks of a reply. Raises BadModelReply for what its reader would have to be shown and cannot be."""
    blocks: list[dict[str, Json]] = []
    for part in parts:
        match part:
            case Text():
                blocks.append(write_text(part, lost))
            case ToolUse():
                blocks.extend([write_seal(part)] if part.signature else [])
                blocks.append(write_call(part, lost))
            case Thinking():
                blocks.append(write_thinking(part))
            case Opaque(vendor="anthropic") if isinstance(part.value, dict):
                blocks.append(dict(part.value))
            case Opaque():
                lost.append(f"a part that only {part.vendor} understands")
            case _:
                raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
    return blocks


def write_text(part: Text, lost: list[str]) -> dict[str, Json]:
    """Return the block of words."""
    block: dict[str, Json] = {"type": "text", "text": part.text, **write_cache(part.cache)}
    if part.citations and part.vendor == VENDOR:
        block["citations"] = [dict(citation) for citation in part.citations]
    elif part.citations:
        lost.append(f"citations as {part.vendor} writes them")
    return block


def write_call(part: ToolUse, lost: list[str]) -> dict[str, Json]:
    """Return the block of a tool call."""
    arguments = arguments_of(part, lost)
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments, **write_cache(part.cache)}


def write_thinking(part: Thinking) -> dict[str, Json]:
    """Return the block of reasoning; what another vendor signed is sealed, so that it finds its way back."""
    own = part.vendor == VENDOR
    signature = part.signature if own else seal(part.vendor, part.signature, part.id)
    if part.redacted:
        return {"type": "redacted_thinking", "data": signature}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def _write_outcome(part: ToolOutcome, lost: list[str]) -> dict[str, Json]:
    block: dict[str, Json] = {"type": "tool_result", "tool_use_id": part.call}
    if content := write_content(part.parts, lost):
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return block | write_cache(part.cache)


def _write_image(part: Image, lost: list[str]) -> dict[str, Json]:
    if part.detail not in {"", "auto"}:
        lost.append("the detail of an image")
    if part.data:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    elif part.url.startswith(("https://", "http://")):
        source = {"type": "url", "url": part.url}
    else:
        raise uncarriable("An image that is neither base64 nor at a web address", VENDOR)
    return {"type": "image", "source": source, **write_cache(part.cache)}


def _write_document(part: Document, lost: list[str]) -> dict[str, Json]:
    if part.url:
        source = {"type": "url", "url": part.url}
    elif part.media_type.startswith("text/"):
        if part.media_type != "text/plain":
            lost.append(f"that a document is {part.media_type}: it was sent as plain text")
        source = {"type": "text", "media_type": "text/plain", "data": part.data}
    elif part.media_type == "application/pdf":
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    else:
        raise uncarriable(f"A document of the type {part.media_type or 'unknown'}", VENDOR)
    block: dict[str, Json] = {"type": "document", "source": source}
    if part.name:
        block["title"] = part.name
    if part.cited:
        block["citations"] = {"enabled": True}
    return block | write_cache(part.cache)
