"""A whole chat completion, read into the neutral reply and written from it."""

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.carriage import unanswerable
from interlock.models.codecs.fields import Field, reply
from interlock.models.codecs.openai_chat_requests import parts_of_answer
from interlock.models.codecs.openai_chat_tap import choices_of, stop_of
from interlock.models.codecs.openai_chat_writing import write_call
from interlock.models.codecs.openai_parts import VENDOR
from interlock.models.codecs.openai_thinking import write_seal, write_thinking
from interlock.models.codecs.openai_usage import read_usage, write_usage
from interlock.models.dialogue import Opaque, Reply, Stop, Text, Thinking, ToolUse
from interlock.models.wire import Written

STOP_WORDS = {
    Stop.END: "stop",
    Stop.LENGTH: "length",
    Stop.TOOLS: "tool_calls",
    Stop.SEQUENCE: "stop",
    Stop.FILTERED: "content_filter",
    Stop.REFUSAL: "content_filter",
    Stop.PAUSE: "stop",
    Stop.OTHER: "stop",
}
_INEXACT = {Stop.SEQUENCE, Stop.PAUSE, Stop.OTHER}


def read_reply(body: JsonObject) -> Reply:
    """Return the reply, of several choices the first. Raises as `see` does."""
    choices_of(body)
    top = reply(body)
    choice = next(top["choices"].items())
    parts = parts_of_answer(choice["message"])
    called = any(isinstance(part, ToolUse) for part in parts)
    refused = bool(choice["message"]["refusal"].value)
    return Reply(
        parts=parts,
        stop=stop_of(choice["finish_reason"].value, refused=refused, called=called),
        usage=read_usage(body.get("usage")),
        id=top["id"].text(""),
        model=top["model"].text(""),
        created=created_of(top["created"]),
    )


def created_of(field: Field) -> int:
    """Return a time in seconds; 0 when it is not told. Some servers tell fractions."""
    value = field.number()
    return int(value) if value is not None and 0 <= value < 2**53 else 0


def write_reply(answer: Reply) -> Written:
    """Return the reply in this format. Raises BadModelReply for parts that have no place in it."""
    lost: list[str] = []
    message = _write_message(answer, lost)
    reason = STOP_WORDS[answer.stop]
    if answer.stop is Stop.REFUSAL and message["refusal"]:
        reason = "stop"
    elif answer.stop in _INEXACT:
        lost.append(f"that the reply ended as `{answer.stop}`: said as `{reason}`")
    body: dict[str, Json] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage)
    return Written(body, tuple(dict.fromkeys(lost)))


def _write_message(answer: Reply, lost: list[str]) -> dict[str, Json]:
    texts: list[str] = []
    calls: list[dict[str, Json]] = []
    annotations: list[dict[str, Json]] = []
    for part in answer.parts:
        match part:
            case Text():
                texts.append(part.text)
                annotations += _write_citations(part, lost)
            case ToolUse():
                calls.append(write_call(part) | write_seal(part))
            case Opaque(vendor="openai") if isinstance(part.value, dict):
                calls.append(dict(part.value))
            case Opaque():
                lost.append(f"a part that only {part.vendor} understands")
            case Thinking():
                pass
            case _:
                raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
    # The last words of a refusal are the refusal.
    refusal = texts.pop() if answer.stop is Stop.REFUSAL and texts else None
    content = "".join(texts) if texts else None
    message: dict[str, Json] = {"role": "assistant", "content": content, "refusal": refusal}
    if annotations:
        message["annotations"] = annotations
    if calls:
        message["tool_calls"] = calls
    return message | write_thinking(part for part in answer.parts if isinstance(part, Thinking))


def _write_citations(part: Text, lost: list[str]) -> list[dict[str, Json]]:
    if part.citations and part.vendor != VENDOR:
        lost.append(f"citations as {part.vendor} writes them")
        return []
    return [write_annotation(citation) for citation in part.citations]


def write_annotation(citation: JsonObject) -> dict[str, Json]:
    """Return a citation as chat completions write it: its fields under its type."""
    kind = str(citation.get("type", "url_citation"))
    return {"type": kind, kind: {key: value for key, value in citation.items() if key != "type"}}
