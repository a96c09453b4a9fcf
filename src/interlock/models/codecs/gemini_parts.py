"""Parts of Gemini contents, read and written."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable

import orjson

from interlock.domain.canonical import Json
from interlock.models.codecs.carriage import arguments_of, foreign_part, seal, uncarriable, unseal
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import (
    CacheFor,
    Document,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
)

VENDOR = "gemini"
_OUR_ID = re.compile(r"call_\d+_(.+)")
_ID_CHARACTERS = re.compile(r"[\w-]{1,40}", re.ASCII)


class Calls:
    """Gives tool calls ids where the format has none, and finds the call that a result answers."""

    def __init__(self, reply_id: str = "") -> None:
        self._reply_id = reply_id
        self._count = 0
        self._unanswered: list[tuple[str, str]] = []

    def named(self, given: str, name: str) -> str:
        """Return the id of the next call: `given` if there is one, else always the same for the same reply."""
        call = given or self._made(name)
        self._count += 1
        self._unanswered.append((call, name))
        return call

    def answered(self, given: str, name: str) -> str:
        """Return the id of the call that a result of the tool `name` answers."""
        for position, (call, tool) in enumerate(self._unanswered):
            if call == given or (not given and tool == name):
                del self._unanswered[position]
                return call
        return given or self._made(name)

    def _made(self, name: str) -> str:
        # The id of the reply keeps calls of one conversation apart.
        made = f"call_{self._count}_{name}" + (f"_{self._reply_id[-8:]}" if self._reply_id else "")
        if _ID_CHARACTERS.fullmatch(made):
            return made
        return f"call_{self._count}_{hashlib.sha256(made.encode()).hexdigest()[:24]}"


def is_ours(call: str) -> bool:
    """Return whether `Calls` made this id, so that Gemini does not know it."""
    return _OUR_ID.fullmatch(call) is not None


def read_parts(content: Field, calls: Calls) -> tuple[Part, ...]:
    """Return the parts of one content."""
    return tuple(part for item in content["parts"].items() for part in read_part(item, calls))


def read_part(part: Field, calls: Calls) -> tuple[Part, ...]:
    """Return what `part` stands for: nothing for an empty text, two parts for words that are signed."""
    given = {key for key, value in part.object().items() if value is not None}
    signature = part["thoughtSignature"].text("")
    match sorted(given - {"thoughtSignature", "thought"}):
        case ["text"]:
            return _read_words(part, signature)
        case ["functionCall"] if "thought" not in given:
            return (_read_call(part["functionCall"], signature, calls),)
        case ["functionResponse"] if not signature:
            return (_read_result(part, calls),)
        case ["inlineData"] if not signature:
            found = _read_blob(part["inlineData"])
            return (found or Opaque(VENDOR, part.value),)
        case [] if signature:
            return (_signed("", signature, redacted=True),)
    return (Opaque(VENDOR, part.value),)


def _read_words(part: Field, signature: str) -> tuple[Part, ...]:
    words = part["text"].text()
    if part["thought"].flag():
        return (_signed(words, signature, redacted=False),)
    said: tuple[Part, ...] = (Text(words),) if words else ()
    return (*said, _signed("", signature, redacted=True)) if signature else said


def _signed(words: str, signature: str, *, redacted: bool) -> Thinking:
    vendor, inner, identity = unseal(signature) or (VENDOR, signature, "")
    return Thinking(words, inner, vendor, redacted, identity)


def _read_call(call: Field, signature: str, calls: Calls) -> ToolUse:
    name = call["name"].name()
    arguments = call["args"].object() if call["args"].given else {}
    return ToolUse(calls.named(call["id"].text(""), name), name, orjson.dumps(arguments).decode(), signature=signature)


def _read_result(part: Field, calls: Calls) -> Part:
    result = part["functionResponse"]
    name = result["name"].name()
    response = result["response"].object() if result["response"].given else {}
    parts: list[Text | Image] = []
    is_error = False
    match response:
        case {"result": str(words)} if len(response) == 1:
            parts.append(Text(words))
        case {"error": str(words)} if len(response) == 1:
            parts.append(Text(words))
            is_error = True
        case _:
            parts.extend([Text(orjson.dumps(response).decode())] if response else [])
    for item in result["parts"].items():
        image = _read_blob(item["inlineData"]) if item["inlineData"].given else None
        if not isinstance(image, Image):
            return Opaque(VENDOR, part.value)  # other formats have only words and images in results
        parts.append(image)
    return ToolOutcome(calls.answered(result["id"].text(""), name), tuple(parts), is_error, name=name)


def _read_blob(blob: Field) -> Image | Document | None:
    media_type, data, name = blob["mimeType"].text(), blob["data"].text(), blob["displayName"].text("")
    if media_type.startswith("image/"):
        return Image(media_type, data)
    if media_type.startswith("text/"):
        try:
            return Document(media_type, base64.b64decode(data, validate=True).decode(), name=name)
        except (ValueError, binascii.Error):
            raise blob["data"].error("base64 of text in UTF-8") from None
    return Document(media_type, data, name=name) if media_type == "application/pdf" else None


def write_parts(parts: Iterable[Part], names: dict[str, str], lost: list[str]) -> list[dict[str, Json]]:
    """Return the parts of a content of a request; `names` knows the tool of each call. Raises Uncarriable."""
    written: list[dict[str, Json]] = []
    for part in parts:
        if getattr(part, "cache", CacheFor.NO) is not CacheFor.NO:
            lost.append("cache markers: this format caches on its own")
        match part:
            case ToolOutcome():
                written.append(_write_result(part, names, lost))
            case Image():
                written.append(_write_image(part, lost))
            case Document():
                written.append(_write_document(part, lost))
            case Opaque(vendor="gemini") if isinstance(part.value, dict):
                written.append(dict(part.value))
            case Opaque():
                lost.append(foreign_part(part, VENDOR))
            case Thinking() if part.vendor != VENDOR:
                lost.append(foreign_part(part, VENDOR))
            case _:
                write_said(part, written, lost)
    return written


def write_said(part: Part, written: list[dict[str, Json]], lost: list[str]) -> None:
    """Add words, reasoning or a call to `written`."""
    match part:
        case Text() if part.text:
            written.append({"text": part.text})
            if part.citations and part.vendor != VENDOR:
                lost.append(f"citations as {part.vendor} writes them")
        case ToolUse():
            written.append(write_call(part, lost))
        case Thinking(redacted=True) if written and written[-1].keys() == {"text"}:
            written[-1]["thoughtSignature"] = write_signature(part)
        case Thinking():
            written.append(write_thought(part))


def write_thought(part: Thinking) -> dict[str, Json]:
    """Return a part of reasoning; without words it only carries the seal."""
    signature = write_signature(part)
    seal_of_it = {"thoughtSignature": signature} if signature else {}
    return {"text": part.text, **({} if part.redacted else {"thought": True}), **seal_of_it}


def write_signature(part: Thinking) -> str:
    """Return the seal of `part`; another vendor's is packed, so that it finds its way back."""
    return part.signature if part.vendor == VENDOR else seal(part.vendor, part.signature, part.id)


def write_call(part: ToolUse, lost: list[str]) -> dict[str, Json]:
    """Return the part that calls a tool."""
    call: dict[str, Json] = {} if is_ours(part.id) else {"id": part.id}
    call |= {"name": part.name, "args": arguments_of(part, lost)}
    return {"functionCall": call, **({"thoughtSignature": part.signature} if part.signature else {})}


def _write_result(part: ToolOutcome, names: dict[str, str], lost: list[str]) -> dict[str, Json]:
    ours = _OUR_ID.fullmatch(part.call)
    name = names.get(part.call) or part.name or (ours[1] if ours else "")
    if not name:
        raise uncarriable(f"The result of the call {part.call}, whose tool is not said,", VENDOR)
    words = "".join(piece.text for piece in part.parts if isinstance(piece, Text))
    result: dict[str, Json] = {} if ours else {"id": part.call}
    result |= {"name": name, "response": {"error": words} if part.is_error else _response(words)}
    if images := [_write_image(piece, lost) for piece in part.parts if isinstance(piece, Image)]:
        result["parts"] = images
    return {"functionResponse": result}


def _response(words: str) -> dict[str, Json]:
    """Return `words` as the object that the format wants: themselves when they are one."""
    try:
        value = orjson.loads(words)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"result": words}


def _write_image(part: Image, lost: list[str]) -> dict[str, Json]:
    if not part.data:
        raise uncarriable("An image at a web address", VENDOR)
    if part.detail not in {"", "auto"}:
        lost.append("the detail of an image")
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _write_document(part: Document, lost: list[str]) -> dict[str, Json]:
    if not part.data:
        raise uncarriable("A document at a web address", VENDOR)
    if part.cited:
        lost.append("that citations into a document are asked for")
    if part.name:
        lost.append("the name of a document")
    is_text = part.media_type.startswith("text/")
    data = base64.b64encode(part.data.encode()).decode() if is_text else part.data
    return {"inlineData": {"mimeType": part.media_type, "data": data}}
