"""Bedrock's whole reply: read into the neutral reply, and written from it."""

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Usage
from interlock.models.codecs.bedrock_blocks import read_blocks, write_answer
from interlock.models.codecs.bedrock_errors import reported
from interlock.models.codecs.fields import count, is_count, reply
from interlock.models.codecs.reading_tap import seen_in
from interlock.models.dialogue import Reply, Stop
from interlock.models.wire import Seen, Written

_STOPS = {
    "end_turn": Stop.END,
    "tool_use": Stop.TOOLS,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "stop_sequence": Stop.SEQUENCE,
    "guardrail_intervened": Stop.FILTERED,
    "content_filtered": Stop.FILTERED,
}
STOP_WORDS = {
    Stop.END: "end_turn",
    Stop.TOOLS: "tool_use",
    Stop.LENGTH: "max_tokens",
    Stop.SEQUENCE: "stop_sequence",
    Stop.FILTERED: "content_filtered",
    Stop.REFUSAL: "content_filtered",
    Stop.PAUSE: "end_turn",
    Stop.OTHER: "malformed_model_output",
}


def read_stop(reason: Json) -> Stop | None:
    """Return why the reply ended; None when it does not say."""
    return _STOPS.get(reason, Stop.OTHER) if isinstance(reason, str) else None


def read_usage(said: Json) -> Usage | None:
    """Return the usage, or None when it does not say input and output. Its `inputTokens` leave out what the cache held."""
    if not isinstance(said, dict) or not is_count(said.get("inputTokens")) or not is_count(said.get("outputTokens")):
        return None
    read, written = count(said.get("cacheReadInputTokens")), count(said.get("cacheWriteInputTokens"))
    details = said.get("cacheDetails")
    hour = sum(
        count(detail.get("inputTokens"))
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )
    written = max(written, hour)
    return Usage(said["inputTokens"] + read + written, said["outputTokens"], read, written - hour, hour)


def write_usage(usage: Usage) -> dict[str, Json]:
    """Return `usage` in the words of this format."""
    written = usage.cache_write + usage.cache_write_1h
    said: dict[str, Json] = {
        "inputTokens": max(usage.input - usage.cache_read - written, 0),
        "outputTokens": usage.output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": written,
    }
    kinds = (("5m", usage.cache_write), ("1h", usage.cache_write_1h))
    if details := [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in kinds if tokens]:
        said["cacheDetails"] = details
    return said


def see(body: JsonObject) -> Seen:
    """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""
    return seen_in(read_reply(body), read_stop(body.get("stopReason")))


def read_reply(body: JsonObject) -> Reply:
    """Return the reply, which names neither itself nor its model here. Raises as `see` does."""
    if "output" not in body and ("__type" in body or "message" in body):
        raise reported("", body)
    top = reply(body)
    content = top["output"]["message"]["content"]
    if not isinstance(content.value, list):
        raise content.error("a list")
    stop = read_stop(top["stopReason"].text("") or None)
    return Reply(read_blocks(content), stop or Stop.OTHER, read_usage(body.get("usage")))


def write_reply(answer: Reply) -> Written:
    """Return the reply in this format. Raises BadModelReply for parts that have no place in it."""
    lost: list[str] = []
    if answer.stop in {Stop.REFUSAL, Stop.PAUSE}:
        lost.append(f"that the reply ended as `{answer.stop}`: said as `{STOP_WORDS[answer.stop]}`")
    for name, value in (
        ("the id of the reply", answer.id),
        ("the model of the reply", answer.model),
        ("when the reply was made", answer.created),
        ("the stop sequence", answer.stop_sequence),
        ("how many tokens were reasoning", answer.usage and answer.usage.reasoning),
        ("how many tokens were audio", answer.usage and (answer.usage.audio_input or answer.usage.audio_output)),
    ):
        if value:
            lost.append(name)
    body: dict[str, Json] = {
        "output": {"message": {"role": "assistant", "content": write_answer(answer.parts, lost)}},
        "stopReason": STOP_WORDS[answer.stop],
        "usage": write_usage(answer.usage or Usage()),
        "metrics": {"latencyMs": 0},
    }
    return Written(body, tuple(dict.fromkeys(lost)))
