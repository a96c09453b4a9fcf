"""Streams of Bedrock's Converse, its frames turned into server-sent events: read into neutral events, and written from them."""

from collections.abc import Iterator, Sequence

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadModelReply
from interlock.domain.models import Usage
from interlock.models.codecs.bedrock_blocks import VENDOR, read_block, write_reasoning
from interlock.models.codecs.bedrock_errors import is_error, reported
from interlock.models.codecs.bedrock_replies import STOP_WORDS, read_stop, read_usage, write_usage
from interlock.models.codecs.carriage import seal, unanswerable, unseal
from interlock.models.codecs.fields import Field, reply
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
    """Reads one stream. It ends with `messageStop`, which says why, and `metadata`, which says the usage."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}
        self._argued: set[int] = set()
        self._stop: Stop | None = None
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        if not event.data or self._finished:
            return ()
        try:
            said = reply(orjson.loads(event.data))
        except ValueError:
            raise BadModelReply("The provider's stream cannot be read", why="an event is not JSON") from None
        if is_error(event.name, said.object()):
            raise reported(event.name, said.value)
        return tuple(self._events(event.name, said))

    def _events(self, name: str, said: Field) -> Iterator[StreamEvent]:
        match name:
            case "messageStart":
                yield Begin()
            case "contentBlockStart":
                index, start = _index(said), said["start"]
                if start["toolUse"].given and not start["toolUse"]["type"].given:
                    call = start["toolUse"]
                    yield self._begin(index, ToolUse(call["toolUseId"].name(), call["name"].name(), ""))
                elif start.value:
                    # What the provider's own tools say travels only in its own format.
                    yield self._begin(index, Opaque(VENDOR, start.value))
            case "contentBlockDelta":
                yield from self._delta(_index(said), said["delta"])
            case "contentBlockStop":
                index = _index(said)
                part = self._parts.pop(index, None)
                if isinstance(part, ToolUse) and index not in self._argued:
                    yield Delta(index, "{}")
                if part is not None:
                    yield PartEnd(index)
            case "messageStop":
                self._stop = read_stop(said["stopReason"].text())
            case "metadata":
                if self._stop is not None:
                    self._finished = True
                    yield End(self._stop, read_usage(said.value.get("usage")))

    def _begin(self, index: int, part: Part) -> StreamEvent:
        self._parts[index] = part
        return PartBegin(index, part)

    def _delta(self, index: int, delta: Field) -> Iterator[StreamEvent]:
        """Go on with part `index`; only tool calls are announced before their first words."""
        part = self._parts.get(index)
        if delta["toolUse"].given:
            words = delta["toolUse"]["input"].text("")
            if isinstance(part, ToolUse) and words:
                self._argued.add(index)
                yield Delta(index, words)
        elif delta["reasoningContent"].given:
            yield from self._reason(index, delta["reasoningContent"])
        elif delta["text"].given or delta["citation"].given:
            if part is None:
                yield self._begin(index, Text("", vendor=VENDOR))
            citation = delta["citation"].object() if delta["citation"].given else None
            yield Delta(index, delta["text"].text(""), citation=citation)
        elif part is None:
            yield self._begin(index, Opaque(VENDOR, delta.object()))

    def _reason(self, index: int, said: Field) -> Iterator[StreamEvent]:
        if said["redactedContent"].given:
            if index not in self._parts:
                yield self._begin(index, read_block(reply({"reasoningContent": said.value})))
            return
        signed = unseal(said["signature"].text(""))
        if index not in self._parts:
            yield self._begin(
                index, Thinking("", vendor=signed[0] if signed else VENDOR, id=signed[2] if signed else "")
            )
        yield Delta(index, said["text"].text(""), signed[1] if signed else said["signature"].text(""))


def _index(said: Field) -> int:
    index = said["contentBlockIndex"].integer()
    return 0 if index is None else index


class Writer(StreamWriter):
    """Writes one stream, one block after the other."""

    def __init__(self) -> None:
        self._turns = InTurn()
        self._count = 0
        self._part: Part = Text("")
        self._signature = ""

    def write(self, event: StreamEvent) -> bytes:
        return b"".join(piece for turn in self._turns.order(event) for piece in self._pieces(turn))

    def _pieces(self, event: StreamEvent) -> Iterator[bytes]:
        match event:
            case Begin():
                yield _written("messageStart", role="assistant")
            case PartBegin():
                yield from self._begin(event.part)
            case Delta():
                yield from self._delta(event)
            case PartEnd():
                yield from self._end()
            case End():
                yield _written("messageStop", stopReason=STOP_WORDS[event.stop])
                yield _written("metadata", usage=write_usage(event.usage or Usage()), metrics={"latencyMs": 0})

    def _begin(self, part: Part) -> Iterator[bytes]:
        self._part = part
        self._signature = part.signature if isinstance(part, Thinking) else ""
        match part:
            case Text():
                yield from self._delta(Delta(0, part.text))
                for citation in part.citations:
                    yield from self._delta(Delta(0, citation=citation))
            case Thinking():
                if not part.redacted and part.vendor != VENDOR:
                    yield self._more({"reasoningContent": {"signature": seal(part.vendor, "", part.id)}})
                yield from self._delta(Delta(0, part.text))
            case ToolUse():
                start = {"toolUse": {"toolUseId": part.id, "name": part.name}}
                yield _written("contentBlockStart", contentBlockIndex=self._count, start=start)
                yield from self._delta(Delta(0, part.arguments))
            case Opaque():
                return
            case _:
                raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)

    def _delta(self, event: Delta) -> Iterator[bytes]:
        part = self._part
        self._signature += event.signature
        if event.text:
            match part:
                case Text():
                    yield self._more({"text": event.text})
                case ToolUse():
                    yield self._more({"toolUse": {"input": event.text}})
                case Thinking(redacted=False):
                    yield self._more({"reasoningContent": {"text": event.text}})
        if event.citation is not None and isinstance(part, Text) and part.vendor == VENDOR:
            yield self._more({"citation": dict(event.citation)})

    def _end(self) -> Iterator[bytes]:
        part = self._part
        if isinstance(part, Opaque):
            return
        if isinstance(part, Thinking):
            signed = write_reasoning(Thinking("", self._signature, part.vendor, part.redacted, part.id))
            if part.redacted:
                yield self._more({"reasoningContent": signed})
            elif signature := signed["reasoningText"].get("signature"):
                yield self._more({"reasoningContent": {"signature": signature}})
        yield _written("contentBlockStop", contentBlockIndex=self._count)
        self._count += 1

    def _more(self, delta: dict[str, Json]) -> bytes:
        return _written("contentBlockDelta", contentBlockIndex=self._count, delta=delta)


def _written(name: str, **fields: Json) -> bytes:
    return sse_event(name, orjson.dumps(fields))
