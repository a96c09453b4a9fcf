"""Items of responses: what goes into them and what comes out, read into messages and parts."""

from collections.abc import Iterator
from dataclasses import replace

from interlock.models.codecs.carriage import unseal
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_parts import (
    RESPONSES,
    VENDOR,
    note_odd,
    read_cache,
    read_file,
    read_image,
    refuse,
)
from interlock.models.dialogue import (
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Role,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
)

SEAL_OF_CALL = "call"
"""Stands for the id in the seal of a reasoning item that only carries another vendor's seal over the call behind it."""
REDACTED = "redacted:"
"""Stands before the id in the seal of reasoning of which there is nothing but the seal."""
_ROLES = {"user": Role.USER, "system": Role.SYSTEM, "developer": Role.SYSTEM, "assistant": Role.ASSISTANT}


def read_items(items: Field, odd: set[str]) -> tuple[Message, ...]:
    """Return the messages that `items` tell: all of one turn of the model in one, and results of tools in one."""
    messages: list[Message] = []
    for item in items.items():
        kind = item["type"].text("message")
        if kind == "function_call_output":
            found = Message(Role.USER, (_read_outcome(item, odd),))
            joins = bool(messages) and all(isinstance(part, ToolOutcome) for part in messages[-1].parts)
        elif kind == "message" and item["role"].text() != "assistant":
            found = _read_message(item, odd)
            joins = False
        else:
            found = Message(Role.ASSISTANT, tuple(read_item(item, odd)))
            joins = bool(messages) and messages[-1].role is Role.ASSISTANT
        if joins and messages[-1].parts:
            messages[-1] = replace(found, parts=messages[-1].parts + found.parts)
        else:
            messages.append(found)
    return tuple(replace(message, parts=with_seals(message.parts)) for message in messages)


def read_item(item: Field, odd: set[str]) -> Iterator[Part]:
    """Yield the parts of an item that the model made."""
    match item["type"].text("message"):
        case "message":
            note_odd(item, {"type", "id", "role", "status", "content"}, odd)
            yield from _read_content(item["content"], odd)
        case "function_call" if not item["caller"].given or item["caller"]["type"].value == "direct":
            note_odd(item, {"type", "id", "call_id", "name", "arguments", "status", "caller"}, odd)
            yield ToolUse(item["call_id"].name(), item["name"].name(), item["arguments"].text())
        case "reasoning":
            note_odd(item, {"type", "id", "summary", "content", "encrypted_content", "status"}, odd)
            yield read_reasoning(item)
        case _:
            yield Opaque(RESPONSES, item.object())


def with_seals(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return `parts` with the seals over calls put where they belong."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, ToolUse) and found and (seal := seal_of_call(found[-1])):
            found[-1] = replace(part, signature=seal)
        else:
            found.append(part)
    return tuple(found)


def seal_of_call(part: Part) -> str:
    """Return the seal that `part` only carries for the call behind it; empty for other parts."""
    is_seal = isinstance(part, Thinking) and part.redacted and part.id == SEAL_OF_CALL
    return part.signature if is_seal and isinstance(part, Thinking) else ""


def read_reasoning(item: Field) -> Thinking:
    """Return the reasoning that `item` is; what another vendor signed comes out of its seal."""
    words = "\n\n".join(part["text"].text() for part in item["summary"].items())
    words = words or "\n\n".join(part["text"].text() for part in item["content"].items())
    signature = item["encrypted_content"].text("")
    sealed = unseal(signature)
    if sealed is None:
        return Thinking(words, signature, VENDOR, id=item["id"].text(""))
    vendor, signature, identity = sealed
    redacted = identity == SEAL_OF_CALL or identity.startswith(REDACTED)
    return Thinking(words, signature, vendor, redacted=redacted, id=identity.removeprefix(REDACTED))


def _read_message(item: Field, odd: set[str]) -> Message:
    role = item["role"].text()
    if role not in _ROLES:
        raise item["role"].error("one of user, assistant, system, developer")
    note_odd(item, {"type", "id", "role", "status", "content"}, odd)
    return Message(_ROLES[role], tuple(_read_content(item["content"], odd)))


def _read_content(content: Field, odd: set[str]) -> Iterator[Part]:
    if isinstance(content.value, str):
        yield Text(content.value)
        return
    if not content.given:
        raise content.error("text or a list of parts")
    for part in content.items():
        yield _read_part(part, odd)


def _read_part(part: Field, odd: set[str]) -> Part:
    match part["type"].text():
        case "input_text" | "text":
            note_odd(part, {"type", "text", "prompt_cache_breakpoint"}, odd)
            return Text(part["text"].text(), read_cache(part))
        case "output_text":
            citations = tuple(citation.object() for citation in part["annotations"].items())
            return Text(part["text"].text(), citations=citations, vendor=VENDOR if citations else "")
        case "refusal":
            return Text(part["refusal"].text())
        case "input_image" if part["image_url"].given:
            note_odd(part, {"type", "image_url", "detail", "prompt_cache_breakpoint"}, odd)
            return read_image(part["image_url"], part["detail"].text(""), read_cache(part))
        case "input_file" if part["file_data"].given:
            note_odd(part, {"type", "file_data", "filename", "prompt_cache_breakpoint"}, odd)
            return read_file(part["file_data"], part["filename"].text(""), read_cache(part))
        case "input_file" if part["file_url"].given:
            name = part["filename"].text("")
            return Document("application/pdf", "", part["file_url"].name(), name, cache=read_cache(part))
    return Opaque(RESPONSES, part.object())


def _read_outcome(item: Field, odd: set[str]) -> ToolOutcome:
    note_odd(item, {"type", "id", "call_id", "output", "status", "name"}, odd)
    parts: list[Text | Image] = []
    for part in _read_content(item["output"], odd):
        if not isinstance(part, Text | Image):
            raise refuse(item["output"], "only text and images in results of tools can be translated")
        parts.append(part)
    return ToolOutcome(item["call_id"].name(), tuple(parts), name=item["name"].text(""))
