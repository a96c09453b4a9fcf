"""Anthropic's whole reply: looked at as it passes, read into the neutral reply, and written from it."""

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply
from interlock.domain.models import Usage
from interlock.models.codecs.anthropic_blocks import read_content, write_answer
from interlock.models.codecs.anthropic_errors import reported
from interlock.models.codecs.fields import count, is_count, reply
from interlock.models.dialogue import Reply, Stop, ToolUse
from interlock.models.wire import Seen, Written

STOPS = {
    "end_turn": Stop.END,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "tool_use": Stop.TOOLS,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSAL,
}
STOP_WORDS = {
    Stop.END: "end_turn",
    Stop.LENGTH: "max_tokens",
    Stop.TOOLS: "tool_use",
    Stop.SEQUENCE: "stop_sequence",
    Stop.FILTERED: "refusal",
    Stop.REFUSAL: "refusal",
    Stop.PAUSE: "pause_turn",
    Stop.OTHER: "end_turn",
}


def read_usage(said: Json) -> Usage | None:
    """Return the usage, or None when it does not say input and output. Its `input_tokens` leave out what the cache held."""
    if not isinstance(said, dict) or not is_count(said.get("input_tokens")) or not is_count(said.get("output_tokens")):
        return None
    read, written = count(said.get("cache_read_input_tokens")), count(said.get("cache_creation_input_tokens"))
    kinds = said.get("cache_creation")
    hour = count(kinds.get("ephemeral_1h_input_tokens")) if isinstance(kinds, dict) else 0
    short = count(kinds.get("ephemeral_5m_input_tokens")) if isinstance(kinds, dict) else 0
    # The sum may be newer than its parts, which a stream says once.
    written = max(written, hour + short)
    details = said.get("output_tokens_details")
    return Usage(
        input=said["input_tokens"] + read + written,
        output=said["output_tokens"],
        cache_read=read,
        cache_write=written - hour,
        cache_write_1h=hour,
        reasoning=count(details.get("thinking_tokens")) if isinstance(details, dict) else 0,
    )


def write_usage(usage: Usage) -> dict[str, Json]:
    """Return `usage` in the words of this format."""
    written = usage.cache_write + usage.cache_write_1h
    said: dict[str, Json] = {
        "input_tokens": max(usage.input - usage.cache_read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return said


def see(body: JsonObject) -> Seen:
    """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""
    if body.get("type") == "error":
        raise reported(body)
    content = body.get("content")
    if not isinstance(content, list):
        raise BadModelReply("The model's reply cannot be read", why="`content` is not a list")
    usage = read_usage(body.get("usage"))
    proposals: list[ToolUse] = []
    words: list[str] = []
    for block in content:
        if not isinstance(block, dict):
            raise BadModelReply("The model's reply cannot be read", why="`content` holds what is not a block")
        if block.get("type") == "tool_use":
            proposals.append(_proposal(block))
        if usage is None:
            words.extend(_words(block))
    return Seen(usage, tuple(proposals), stop_of(body.get("stop_reason")), "".join(words))


def stop_of(reason: Json) -> Stop | None:
    """Return why the reply ended; None when it does not say."""
    return STOPS.get(reason, Stop.OTHER) if isinstance(reason, str) else None


def _proposal(block: dict[str, Json]) -> ToolUse:
    call, name = block.get("id"), block.get("name")
    if not isinstance(call, str) or not isinstance(name, str) or not call or not name:
        raise BadModelReply("The model's reply cannot be read", why="a tool call in it has no id or no name")
    return ToolUse(call, name, orjson.dumps(block.get("input") or {}).decode())


def _words(block: dict[str, Json]) -> list[str]:
    said = [block[key] for key in ("text", "thinking") if isinstance(block.get(key), str)]
    return said + ([orjson.dumps(block["input"]).decode()] if block.get("input") else [])


def read_reply(body: JsonObject) -> Reply:
    """Return the reply. Raises as `see` does."""
    if body.get("type") == "error":
        raise reported(body)
    top = reply(body)
    content = top["content"]
    if not isinstance(content.value, list):
        raise content.error("a list")
    return Reply(
        parts=read_content(content),
        stop=stop_of(top["stop_reason"].text("")) or Stop.OTHER,
        usage=read_usage(body.get("usage")),
        id=top["id"].text(""),
        model=top["model"].text(""),
        stop_sequence=top["stop_sequence"].text(""),
    )


def write_reply(answer: Reply) -> Written:
    """Return the reply in this format. Raises BadModelReply for parts that have no place in it."""
    lost: list[str] = []
    if answer.stop in {Stop.OTHER, Stop.FILTERED}:
        lost.append(f"that the reply ended as `{answer.stop}`: said as `{STOP_WORDS[answer.stop]}`")
    if answer.created:
        lost.append("when the reply was made")
    body = {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": write_answer(answer.parts, lost),
        "stop_reason": STOP_WORDS[answer.stop],
        "stop_sequence": answer.stop_sequence or None,
        "usage": write_usage(answer.usage or Usage()),
    }
    return Written(body, tuple(dict.fromkeys(lost)))
