"""Streams of Gemini: read into neutral events, and written from them."""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply
from interlock.domain.models import Usage
from interlock.models.codecs.carriage import seal, unanswerable
from interlock.models.codecs.fields import Field, reply
from interlock.models.codecs.gemini_errors import reported
from interlock.models.codecs.gemini_parts import VENDOR, Calls, read_part, write_call, write_said
from interlock.models.codecs.gemini_replies import (
    STOP_WORDS,
    citations_of,
    first_candidate,
    read_stop,
    read_usage,
    write_citations,
    write_usage,
)
from interlock.models.codecs.in_turn import InTurn
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Opaque,
    Part,
    PartBegin,
    PartEnd,
    Stop,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)
from interlock.models.sse import event as sse_event
from interlock.models.wire import SseEvent, StreamReader, StreamWriter


class Reader(StreamReader):
    """Reads one stream. The format has no terminator: the reply has ended when it says why."""

    def __init__(self) -> None:
        self._calls: Calls | None = None
        self._open: Part | None = None
        self._signed = False
        self._count = 0
        self._proposed = False
        self._usage: Usage | None = None
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        if not event.data or self._finished:
            return ()
        try:
            said = orjson.loads(event.data)
        except ValueError:
            raise BadModelReply("The provider's stream cannot be read", why="an event is not JSON") from None
        top = reply(said)
        if "error" in top.object():
            raise reported(said)
        return tuple(self._events(top))

    def _events(self, top: Field) -> Iterator[StreamEvent]:
        usage = read_usage(top.value.get("usageMetadata"))
        self._usage = usage or self._usage
        if self._calls is None:
            identity = top["responseId"].text("")
            self._calls = Calls(identity)
            yield Begin(identity, top["modelVersion"].text(""), 0, usage)
        if not top.value.get("candidates") and not top["promptFeedback"].given:
            return  # usage alone
        candidate = first_candidate(top)
        if candidate is None:
            yield from self._end(Stop.FILTERED)
            return
        parts: list[Part] = []
        if candidate["content"].given:
            for item in candidate["content"]["parts"].items():
                parts.extend(read_part(item, self._calls))
        citations = citations_of(candidate)
        last_words = max((at for at, part in enumerate(parts) if isinstance(part, Text)), default=-1)
        if last_words < 0 and isinstance(self._open, Text):
            yield from self._cite(citations)
        for position, part in enumerate(parts):
            yield from self._say(part)
            if position == last_words:
                yield from self._cite(citations)
        stop = read_stop(candidate["finishReason"].text("") or None, calls=self._proposed)
        if stop is not None:
            yield from self._end(stop)

    def _say(self, part: Part) -> Iterator[StreamEvent]:
        """Go on with the open part where `part` is more of it, else begin the next."""
        if isinstance(part, Text) and isinstance(self._open, Text):
            yield Delta(self._count - 1, part.text)
            return
        if _thinks(part) and isinstance(part, Thinking) and _thinks(self._open, part.vendor) and not self._signed:
            self._signed = bool(part.signature)
            yield Delta(self._count - 1, part.text, part.signature)
            return
        yield from self._close()
        index = self._count
        self._count += 1
        match part:
            case Text():
                self._open = part
                yield PartBegin(index, Text("", vendor=VENDOR))
                yield Delta(index, part.text)
            case Thinking(redacted=False):
                self._open, self._signed = part, bool(part.signature)
                yield PartBegin(index, Thinking("", vendor=part.vendor, id=part.id))
                yield Delta(index, part.text, part.signature)
            case ToolUse():
                self._proposed = True
                yield PartBegin(index, ToolUse(part.id, part.name, "", signature=part.signature))
                yield Delta(index, part.arguments)
                yield PartEnd(index)
            case _:
                yield PartBegin(index, part)
                yield PartEnd(index)

    def _cite(self, citations: Iterable[JsonObject]) -> Iterator[StreamEvent]:
        return (Delta(self._count - 1, citation=citation) for citation in citations)

    def _close(self) -> Iterator[StreamEvent]:
        if self._open is not None:
            yield PartEnd(self._count - 1)
        self._open = None

    def _end(self, stop: Stop) -> Iterator[StreamEvent]:
        yield from self._close()
        self._finished = True
        yield End(stop, self._usage)


def _thinks(part: Part | None, vendor: str | None = None) -> bool:
    return isinstance(part, Thinking) and not part.redacted and vendor in {None, part.vendor}


class Writer(StreamWriter):
    """Writes one stream: words as they come, everything else when it is whole."""

    def __init__(self) -> None:
        self._turns = InTurn()
        self._head: dict[str, Json] = {}
        self._part: Part = Text("")
        self._words: list[str] = []
        self._signature = ""

    def write(self, event: StreamEvent) -> bytes:
        return b"".join(piece for turn in self._turns.order(event) for piece in self._pieces(turn))

    def _pieces(self, event: StreamEvent) -> Iterator[bytes]:
        match event:
            case Begin():
                self._head = {"modelVersion": event.model, "responseId": event.id}
            case PartBegin():
                yield from self._begin(event.part)
            case Delta():
                yield from self._delta(event)
            case PartEnd():
                parts: list[dict[str, Json]] = list(self._whole())
                if parts:
                    yield self._chunk({"content": {"role": "model", "parts": parts}})
            case End():
                ended = {"content": {"role": "model", "parts": []}, "finishReason": STOP_WORDS[event.stop]}
                yield self._chunk(ended, write_usage(event.usage) if event.usage else None)

    def _begin(self, part: Part) -> Iterator[bytes]:
        if not isinstance(part, Text | Thinking | ToolUse | Opaque):
            raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
        self._part = part
        self._signature = part.signature if isinstance(part, Thinking) else ""
        self._words = [part.arguments] if isinstance(part, ToolUse) else []
        if isinstance(part, Text | Thinking):
            yield from self._delta(Delta(0, part.text))
        for citation in part.citations if isinstance(part, Text) else ():
            yield from self._delta(Delta(0, citation=citation))

    def _delta(self, event: Delta) -> Iterator[bytes]:
        part = self._part
        self._signature += event.signature
        if isinstance(part, ToolUse):
            self._words.append(event.text)
        elif event.text and isinstance(part, Text | Thinking):
            thought: dict[str, Json] = {"thought": True} if isinstance(part, Thinking) else {}
            if isinstance(part, Thinking) and part.vendor != VENDOR:
                thought["thoughtSignature"] = seal(part.vendor, "", part.id)
            yield self._chunk({"content": {"role": "model", "parts": [{"text": event.text, **thought}]}})
        if event.citation is not None and isinstance(part, Text) and part.vendor == VENDOR:
            yield self._chunk(write_citations([event.citation]))

    def _whole(self) -> Iterator[dict[str, Json]]:
        """Yield what is said of the open part now that it has ended."""
        part = self._part
        if isinstance(part, ToolUse):
            yield write_call(ToolUse(part.id, part.name, "".join(self._words), signature=part.signature), [])
        elif isinstance(part, Thinking) and (part.redacted or self._signature or part.vendor != VENDOR):
            written: list[dict[str, Json]] = []
            write_said(Thinking("", self._signature, part.vendor, part.redacted, part.id), written, [])
            yield from written
        elif isinstance(part, Opaque) and part.vendor == VENDOR and isinstance(part.value, dict):
            yield part.value

    def _chunk(self, candidate: dict[str, Json], usage: dict[str, Json] | None = None) -> bytes:
        body: dict[str, Json] = {"candidates": [{**candidate, "index": 0}], **self._head}
        if usage is not None:
            body["usageMetadata"] = usage
        return sse_event("", orjson.dumps(body))
