"""Gemini's whole reply: read into the neutral reply, and written from it."""

from collections.abc import Iterable, Sequence

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.models import Usage
from interlock.models.codecs.carriage import unanswerable
from interlock.models.codecs.fields import Field, count, is_count, reply
from interlock.models.codecs.gemini_errors import reported
from interlock.models.codecs.gemini_parts import VENDOR, Calls, read_parts, write_said
from interlock.models.codecs.reading_tap import seen_in
from interlock.models.dialogue import Opaque, Part, Reply, Stop, Text, Thinking, ToolUse
from interlock.models.wire import Seen, Written

_FILTERED = {
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
}
STOP_WORDS = {
    Stop.END: "STOP",
    Stop.TOOLS: "STOP",
    Stop.SEQUENCE: "STOP",
    Stop.LENGTH: "MAX_TOKENS",
    Stop.FILTERED: "SAFETY",
    Stop.REFUSAL: "SAFETY",
    Stop.PAUSE: "OTHER",
    Stop.OTHER: "OTHER",
}


def read_stop(reason: Json, *, calls: bool) -> Stop | None:
    """Return why the reply ended, which is not said apart when it ended with tool calls; None when it is not said."""
    if not isinstance(reason, str) or reason == "FINISH_REASON_UNSPECIFIED":
        return None
    if reason == "STOP":
        return Stop.TOOLS if calls else Stop.END
    if reason == "MAX_TOKENS":
        return Stop.LENGTH
    return Stop.FILTERED if reason in _FILTERED else Stop.OTHER


def read_usage(said: Json) -> Usage | None:
    """Return the usage, or None when it does not say the input. Thinking is not part of `candidatesTokenCount`."""
    if not isinstance(said, dict) or not is_count(said.get("promptTokenCount")):
        return None
    thoughts = count(said.get("thoughtsTokenCount"))
    return Usage(
        input=said["promptTokenCount"] + count(said.get("toolUsePromptTokenCount")),
        output=count(said.get("candidatesTokenCount")) + thoughts,
        cache_read=count(said.get("cachedContentTokenCount")),
        reasoning=thoughts,
        audio_input=_of_audio(said.get("promptTokensDetails")),
        audio_output=_of_audio(said.get("candidatesTokensDetails")),
    )


def _of_audio(details: Json) -> int:
    return sum(
        count(detail.get("tokenCount"))
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("modality") == "AUDIO"
    )


def write_usage(usage: Usage) -> dict[str, Json]:
    """Return `usage` in the words of this format."""
    said: dict[str, Json] = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.total,
    }
    if usage.cache_read:
        said["cachedContentTokenCount"] = usage.cache_read
    if usage.reasoning:
        said["thoughtsTokenCount"] = usage.reasoning
    for name, tokens in (("promptTokensDetails", usage.audio_input), ("candidatesTokensDetails", usage.audio_output)):
        if tokens:
            said[name] = [{"modality": "AUDIO", "tokenCount": tokens}]
    return said


def see(body: JsonObject) -> Seen:
    """Return what a whole reply says. Raises BadModelReply, or the provider's error when a 200 holds one."""
    answer, stop = _read(body)
    return seen_in(answer, stop)


def read_reply(body: JsonObject) -> Reply:
    """Return the reply. Raises as `see` does."""
    return _read(body)[0]


def _read(body: JsonObject) -> tuple[Reply, Stop | None]:
    if "error" in body:
        raise reported(body)
    top = reply(body)
    candidate = first_candidate(top)
    identity = top["responseId"].text("")
    parts: tuple[Part, ...] = ()
    stop: Stop | None = Stop.FILTERED
    if candidate is not None:
        if candidate["content"].given:
            parts = read_parts(candidate["content"], Calls(identity))
        parts = _cited(parts, citations_of(candidate))
        calls = any(isinstance(part, ToolUse) for part in parts)
        stop = read_stop(candidate["finishReason"].text("") or None, calls=calls)
    usage = read_usage(body.get("usageMetadata"))
    model = top["modelVersion"].text("")
    return Reply(parts, stop or Stop.OTHER, usage, identity, model), stop


def first_candidate(top: Field) -> Field | None:
    """Return the candidate that counts, or None when the prompt was blocked. Raises BadModelReply when there is neither."""
    for candidate in top["candidates"].items():
        candidate.object()
        return candidate
    if top["promptFeedback"].given and top["promptFeedback"]["blockReason"].given:
        return None
    raise top["candidates"].error("a list with a reply")


def citations_of(candidate: Field) -> tuple[JsonObject, ...]:
    """Return what the reply is said to rest on."""
    cited = candidate["citationMetadata"]
    found = [item.object() for item in cited["citations"].items()]
    grounding = candidate["groundingMetadata"]
    return (*found, *([{"groundingMetadata": grounding.object()}] if grounding.given and grounding.value else []))


def _cited(parts: tuple[Part, ...], citations: tuple[JsonObject, ...]) -> tuple[Part, ...]:
    """Return `parts` with `citations` at the last words: the format has them beside the whole reply."""
    for position in reversed(range(len(parts)) if citations else ()):
        part = parts[position]
        if isinstance(part, Text):
            return (*parts[:position], Text(part.text, part.cache, citations, VENDOR), *parts[position + 1 :])
    return parts


def write_reply(answer: Reply) -> Written:
    """Return the reply in this format. Raises BadModelReply for parts that have no place in it."""
    lost: list[str] = []
    parts = write_answer(answer.parts, lost)
    if answer.stop in {Stop.SEQUENCE, Stop.REFUSAL, Stop.PAUSE}:
        lost.append(f"that the reply ended as `{answer.stop}`: said as `{STOP_WORDS[answer.stop]}`")
    if answer.created:
        lost.append("when the reply was made")
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": STOP_WORDS[answer.stop], "index": 0}
    cited = [
        citation
        for part in answer.parts
        if isinstance(part, Text) and part.vendor == VENDOR
        for citation in part.citations
    ]
    body: dict[str, Json] = {
        "candidates": [candidate | write_citations(cited)],
        "modelVersion": answer.model,
        "responseId": answer.id,
    }
    if answer.usage is not None:
        body["usageMetadata"] = write_usage(answer.usage)
    return Written(body, tuple(dict.fromkeys(lost)))


def write_answer(parts: Iterable[Part], lost: list[str]) -> list[dict[str, Json]]:
    """Return the parts of a reply."""
    written: list[dict[str, Json]] = []
    for part in parts:
        match part:
            case Opaque(vendor="gemini") if isinstance(part.value, dict):
                written.append(dict(part.value))
            case Opaque():
                lost.append(f"a part that only {part.vendor} understands")
            case Text() | Thinking() | ToolUse():
                write_said(part, written, lost)
            case _:
                raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
    return written


def write_citations(citations: Sequence[JsonObject]) -> dict[str, Json]:
    """Return the fields of a candidate that say what it rests on."""
    cited = [dict(citation) for citation in citations if "groundingMetadata" not in citation]
    fields: dict[str, Json] = {"citationMetadata": {"citations": cited}} if cited else {}
    grounding = [citation["groundingMetadata"] for citation in citations if "groundingMetadata" in citation]
    return fields | ({"groundingMetadata": grounding[-1]} if grounding else {})
