"""Content blocks of Bedrock's Converse, read and written."""

import base64
import binascii
import re
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

VENDOR = "bedrock"
_IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
_IMAGE_WORDS = {media_type: word for word, media_type in _IMAGES.items()} | {"image/jpg": "jpeg"}
_DOCUMENT_WORDS = {media_type: word for word, media_type in _DOCUMENTS.items()}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\s\-()\[\]]|(?<=\s)\s+")


def read_blocks(content: Field) -> tuple[Part, ...]:
    """Return the parts of a list of blocks; a cache point marks the part before it."""
    parts: list[Part] = []
    for block in content.items():
        cache = read_cache(block)
        if cache is CacheFor.NO:
            parts.append(read_block(block))
        elif parts and isinstance(parts[-1], Text | Image | ToolUse | ToolOutcome | Document):
            parts[-1] = replace(parts[-1], cache=cache)
        else:
            parts.append(Opaque(VENDOR, block.value))
    return tuple(parts)


def read_cache(block: Field) -> CacheFor:
    """Return for how long this block asks to keep what stands before it; NO for other blocks."""
    point = block["cachePoint"]
    if not point.given:
        return CacheFor.NO
    return CacheFor.LONG if point["ttl"].text("") == "1h" else CacheFor.SHORT


def read_block(block: Field) -> Part:
    """Return the part that `block` stands for; what has no neutral meaning stays as it is."""
    given = [key for key, value in block.object().items() if value is not None]
    match given:
        case ["text"]:
            return Text(block["text"].text())
        case ["image"]:
            return _read_image(block)
        case ["document"]:
            return _read_document(block)
        case ["toolUse"] if not block["toolUse"]["type"].given:
            return read_call(block["toolUse"])
        case ["toolResult"] if not block["toolResult"]["type"].given:
            return _read_result(block)
        case ["reasoningContent"]:
            return _read_reasoning(block["reasoningContent"])
        case ["citationsContent"]:
            cited = block["citationsContent"]
            words = "".join(item["text"].text() for item in cited["content"].items())
            citations = tuple(item.object() for item in cited["citations"].items())
            return Text(words, citations=citations, vendor=VENDOR if citations else "")
    return Opaque(VENDOR, block.value)


def _read_image(block: Field) -> Part:
    image = block["image"]
    word, source = image["format"].text(), image["source"]
    if word not in _IMAGES:
        raise image["format"].error(f"one of {', '.join(_IMAGES)}")
    return Image(_IMAGES[word], source["bytes"].text()) if source["bytes"].given else Opaque(VENDOR, block.value)


def _read_document(block: Field) -> Part:
    document = block["document"]
    word, source = document["format"].text("txt"), document["source"]
    if word not in _DOCUMENTS:
        raise document["format"].error(f"one of {', '.join(_DOCUMENTS)}")
    name = document["name"].text()
    cited = bool(document["citations"]["enabled"].flag())
    if document["context"].given or not (source["bytes"].given or source["text"].given):
        return Opaque(VENDOR, block.value)
    if source["text"].given:
        return Document(_DOCUMENTS[word], source["text"].text(), name=name, cited=cited)
    data = source["bytes"].text()
    if _DOCUMENTS[word].startswith("text/"):
        try:
            data = base64.b64decode(data, validate=True).decode()
        except (ValueError, binascii.Error):
            raise source["bytes"].error("base64 of text in UTF-8") from None
    return Document(_DOCUMENTS[word], data, name=name, cited=cited)


def read_call(call: Field) -> ToolUse:
    """Return the tool call."""
    arguments = orjson.dumps(call["input"].object() if call["input"].given else {}).decode()
    return ToolUse(call["toolUseId"].name(), call["name"].name(), arguments)


def _read_result(block: Field) -> Part:
    result = block["toolResult"]
    parts: list[Text | Image] = []
    for item in result["content"].items():
        part = Text(orjson.dumps(item["json"].value).decode()) if item["json"].given else read_block(item)
        if not isinstance(part, Text | Image):
            return Opaque(VENDOR, block.value)  # other formats have only words and images in results
        parts.append(part)
    return ToolOutcome(result["toolUseId"].name(), tuple(parts), result["status"].text("success") == "error")


def _read_reasoning(reasoning: Field) -> Thinking:
    if reasoning["redactedContent"].given:
        data = reasoning["redactedContent"].text()
        vendor, signature, identity = unseal(data) or (VENDOR, data, "")
        return Thinking("", signature, vendor, redacted=True, id=identity)
    said = reasoning["reasoningText"]
    signed = said["signature"].text("")
    vendor, signature, identity = unseal(signed) or (VENDOR, signed, "")
    return Thinking(said["text"].text(), signature, vendor, id=identity)


def write_cache(cache: CacheFor) -> list[dict[str, Json]]:
    """Return the block, if any, that asks to keep what stands before it."""
    if cache is CacheFor.NO:
        return []
    return [{"cachePoint": {"type": "default", **({"ttl": "1h"} if cache is CacheFor.LONG else {})}}]


def write_blocks(parts: Iterable[Part], lost: list[str], *, claude: bool = False) -> list[dict[str, Json]]:
    """Return the blocks of a message of a request. Raises Uncarriable; what is lost is added to `lost`.

    `claude` says that the model is Anthropic's, whose signatures hold wherever it runs.
    """
    blocks: list[dict[str, Json]] = []
    for part in parts:
        match part:
            case Text() if not part.text:
                continue  # the format refuses a text without words
            case Thinking(vendor="anthropic", redacted=False) if claude and part.signature:
                part = replace(part, vendor=VENDOR)  # noqa: PLW2901 - the same words under the name of this format
            case Thinking() if part.vendor != VENDOR:
                lost.append(foreign_part(part, VENDOR))
                continue
            case Opaque() if part.vendor != VENDOR or not isinstance(part.value, dict):
                lost.append(foreign_part(part, VENDOR))
                continue
            case ToolUse() if part.signature:
                lost.append(f"the seal of another vendor over call {part.id}")
        blocks.append(_write_part(part, lost))
        blocks.extend(write_cache(getattr(part, "cache", CacheFor.NO)))
    return blocks


def write_answer(parts: Iterable[Part], lost: list[str]) -> list[dict[str, Json]]:
    """Return the blocks of a reply. Raises BadModelReply for what its reader would have to be shown and cannot be."""
    blocks: list[dict[str, Json]] = []
    for part in parts:
        if isinstance(part, Opaque) and part.vendor != VENDOR:
            lost.append(f"a part that only {part.vendor} understands")
        elif isinstance(part, Image | Document | ToolOutcome):
            raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
        else:
            if isinstance(part, ToolUse) and part.signature:
                lost.append(f"the seal over call {part.id}")
            blocks.append(_write_part(part, lost))
    return blocks


def _write_part(part: Part, lost: list[str]) -> dict[str, Json]:
    match part:
        case Text():
            return _write_text(part, lost)
        case ToolUse():
            return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": arguments_of(part, lost)}}
        case ToolOutcome():
            return _write_result(part, lost)
        case Image():
            return _write_image(part, lost)
        case Document():
            return _write_document(part, lost)
        case Thinking():
            return {"reasoningContent": write_reasoning(part)}
        case Opaque():
            return dict(part.value)


def _write_text(part: Text, lost: list[str]) -> dict[str, Json]:
    if part.citations and part.vendor == VENDOR:
        citations = [dict(citation) for citation in part.citations]
        return {"citationsContent": {"content": [{"text": part.text}], "citations": citations}}
    if part.citations:
        lost.append(f"citations as {part.vendor} writes them")
    return {"text": part.text}


def write_reasoning(part: Thinking) -> dict[str, Json]:
    """Return the block of reasoning; what another vendor signed is sealed, so that it finds its way back."""
    signature = part.signature if part.vendor == VENDOR else seal(part.vendor, part.signature, part.id)
    if part.redacted:
        return {"redactedContent": signature}
    return {"reasoningText": {"text": part.text, **({"signature": signature} if signature else {})}}


def _write_result(part: ToolOutcome, lost: list[str]) -> dict[str, Json]:
    content: list[dict[str, Json]] = [
        _write_image(piece, lost) if isinstance(piece, Image) else {"text": piece.text} for piece in part.parts
    ]
    result: dict[str, Json] = {"toolUseId": part.call, "content": content}
    return {"toolResult": {**result, "status": "error"} if part.is_error else result}


def _write_image(part: Image, lost: list[str]) -> dict[str, Json]:
    if not part.data:
        raise uncarriable("An image at a web address", VENDOR)
    if part.media_type not in _IMAGE_WORDS:
        raise uncarriable(f"An image of the type {part.media_type or 'unknown'}", VENDOR)
    if part.detail not in {"", "auto"}:
        lost.append("the detail of an image")
    return {"image": {"format": _IMAGE_WORDS[part.media_type], "source": {"bytes": part.data}}}


def _write_document(part: Document, lost: list[str]) -> dict[str, Json]:
    if not part.data:
        raise uncarriable("A document at a web address", VENDOR)
    word = _DOCUMENT_WORDS.get(part.media_type)
    if word is None:
        raise uncarriable(f"A document of the type {part.media_type or 'unknown'}", VENDOR)
    name = _NOT_IN_NAMES.sub("-", part.name)[:200] or "document"
    if part.name and name != part.name:
        lost.append(f"characters in the name of a document: it was sent as `{name}`")
    source = {"text": part.data} if part.media_type.startswith("text/") else {"bytes": part.data}
    document: dict[str, Json] = {"format": word, "name": name, "source": source}
    if part.cited:
        document["citations"] = {"enabled": True}
    return {"document": document}
