"""A whole response, read into the neutral reply and written from it."""

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.carriage import seal, unanswerable
from interlock.models.codecs.fields import reply
from interlock.models.codecs.openai_chat_replies import created_of
from interlock.models.codecs.openai_parts import RESPONSES, VENDOR
from interlock.models.codecs.openai_responses_items import REDACTED, SEAL_OF_CALL, read_item, with_seals
from interlock.models.codecs.openai_responses_tap import output_of, stop_of
from interlock.models.codecs.openai_usage import read_response_usage, write_response_usage
from interlock.models.dialogue import Opaque, Part, Reply, Stop, Text, Thinking, ToolUse
from interlock.models.wire import Written

_CUT_WORDS = {Stop.LENGTH: "max_output_tokens", Stop.FILTERED: "content_filter", Stop.REFUSAL: "content_filter"}
_INEXACT = {Stop.SEQUENCE, Stop.PAUSE, Stop.OTHER}


def read_reply(body: JsonObject) -> Reply:
    """Return the reply. Raises as `see` does."""
    output_of(body)
    top = reply(body)
    parts = tuple(part for item in top["output"].items() for part in read_item(item, set()))
    return Reply(
        parts=with_seals(parts),
        stop=stop_of(body) or Stop.OTHER,
        usage=read_response_usage(body.get("usage")),
        id=top["id"].text(""),
        model=top["model"].text(""),
        created=created_of(top["created_at"]),
    )


def write_reply(answer: Reply) -> Written:
    """Return the reply in this format. Raises BadModelReply for parts that have no place in it."""
    lost: list[str] = []
    # The last words of a refusal are the refusal.
    texts = [part for part in answer.parts if isinstance(part, Text)] if answer.stop is Stop.REFUSAL else []
    output: list[dict[str, Json]] = []
    for part in answer.parts:
        match part:
            case Text():
                if part.citations and part.vendor != VENDOR:
                    lost.append(f"citations as {part.vendor} writes them")
                content = [write_refusal(part.text) if texts and part is texts[-1] else write_text(part)]
                output.append(write_message(item_id("msg", answer.id, len(output)), content))
            case Thinking():
                output.append(write_reasoning(part, item_id("rs", answer.id, len(output))))
            case ToolUse():
                if part.signature:
                    output.append(write_seal(part, item_id("rs", answer.id, len(output))))
                output.append(write_call(part, item_id("fc", answer.id, len(output))))
            case Opaque(vendor="openai_responses") if isinstance(part.value, dict):
                output.append(dict(part.value))
            case Opaque():
                lost.append(f"a part that only {part.vendor} understands")
            case _:
                raise no_place(part)
    if answer.stop in _INEXACT:
        lost.append(f"that the reply ended as `{answer.stop}`: said as `completed`")
    body = write_response(answer.id, answer.model, answer.created) | {"output": output}
    cut = None if texts else _CUT_WORDS.get(answer.stop)
    return Written(ended(body, cut, answer), tuple(dict.fromkeys(lost)))


def cut_of(stop: Stop) -> str | None:
    """Return why a reply is incomplete; None when it is complete."""
    return _CUT_WORDS.get(stop)


def ended(body: dict[str, Json], cut: str | None, answer: Reply) -> dict[str, Json]:
    """Return the response `body` as it ends."""
    body["status"] = "incomplete" if cut else "completed"
    body["incomplete_details"] = {"reason": cut} if cut else None
    body["usage"] = write_response_usage(answer.usage) if answer.usage is not None else None
    return body


def write_response(identity: str, model: str, created: int) -> dict[str, Json]:
    """Return a response that has just begun, with every field that clients insist on."""
    return {
        "id": identity,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }


def item_id(prefix: str, reply_id: str, position: int) -> str:
    """Return the id of an item of a reply, always the same for the same."""
    return f"{prefix}_{reply_id.removeprefix('resp_')}_{position}"


def write_message(identity: str, content: list[dict[str, Json]], status: str = "completed") -> dict[str, Json]:
    """Return the item of words."""
    return {"id": identity, "type": "message", "status": status, "role": "assistant", "content": content}


def write_text(part: Text) -> dict[str, Json]:
    """Return words as content of a message; citations of other vendors have no place in it."""
    citations = [dict(citation) for citation in part.citations] if part.vendor == VENDOR else []
    return {"type": "output_text", "text": part.text, "annotations": citations, "logprobs": []}


def write_refusal(words: str) -> dict[str, Json]:
    """Return a refusal as content of a message."""
    return {"type": "refusal", "refusal": words}


def write_call(part: ToolUse, identity: str, status: str = "completed") -> dict[str, Json]:
    """Return the item of a tool call, without the seal that it may have."""
    return {
        "id": identity,
        "type": "function_call",
        "status": status,
        "call_id": part.id,
        "name": part.name,
        "arguments": part.arguments,
    }


def write_reasoning(part: Thinking, identity: str) -> dict[str, Json]:
    """Return the item of reasoning; what another vendor signed is sealed, so that it finds its way back."""
    if part.vendor == VENDOR:
        signature, identity = part.signature, part.id or identity
    else:
        signature = seal(part.vendor, part.signature, f"{REDACTED if part.redacted else ''}{part.id}")
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"id": identity, "type": "reasoning", "summary": summary, "encrypted_content": signature or None}


def write_seal(part: ToolUse, identity: str) -> dict[str, Json]:
    """Return the item that carries another vendor's seal over the call behind it.

    Calls have no place for a seal here, but callers must send reasoning items back as they came.
    """
    sealed = seal("gemini", part.signature, SEAL_OF_CALL)
    return {"id": identity, "type": "reasoning", "summary": [], "encrypted_content": sealed}


def no_place(part: Part) -> Exception:
    """Return the failure of a reply that holds `part`."""
    return unanswerable(f"a part of the kind {type(part).__name__.lower()}", RESPONSES)
