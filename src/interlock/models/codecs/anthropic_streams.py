"""Streams of Anthropic's Messages: read into neutral events, and written from them."""

from collections.abc import Iterator, Sequence

import orjson

from interlock.domain.canonical import Json
from interlock.domain.models import Usage
from interlock.models.codecs.anthropic_blocks import VENDOR, read_block, seal_of_call, write_seal, write_thinking
from interlock.models.codecs.anthropic_errors import reported
from interlock.models.codecs.anthropic_replies import STOP_WORDS, read_usage, stop_of, write_usage
from interlock.models.codecs.anthropic_tap import bad_event, merged_usage
from interlock.models.codecs.carriage import seal, unanswerable, unseal
from interlock.models.codecs.fields import reply
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
    """Reads one stream. Blocks that only this vendor understands come whole, when they have ended."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._count = 0
        self._seal = ""
        self._usage: dict[str, Json] = {}
        self._stop: Stop | None = None
        self._sequence = ""
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        if not event.data or self._finished:
            return ()
        try:
            return tuple(self._events(orjson.loads(event.data)))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise bad_event(error) from None

    def _events(self, said: dict[str, Json]) -> Iterator[StreamEvent]:
        match said["type"]:
            case "content_block_delta":
                yield from self._blocks[said["index"]].delta(said["delta"])
            case "content_block_start":
                yield from self._begin(said["index"], said["content_block"])
            case "content_block_stop":
                yield from self._blocks.pop(said["index"]).end()
            case "message_start":
                message = said["message"]
                self._usage = merged_usage({}, message.get("usage"))
                yield Begin(str(message.get("id") or ""), str(message.get("model") or ""), 0, read_usage(self._usage))
            case "message_delta":
                self._stop = stop_of(said["delta"].get("stop_reason"))
                self._sequence = str(said["delta"].get("stop_sequence") or "")
                self._usage = merged_usage(self._usage, said.get("usage"))
            case "message_stop":
                self._finished = True
                yield End(self._stop or Stop.OTHER, read_usage(self._usage), self._sequence)
            case "error":
                raise reported(said)

    def _begin(self, position: int, block: dict[str, Json]) -> Iterator[StreamEvent]:
        part = _begun(block)
        if signature := seal_of_call(part):
            self._seal = signature
            self._blocks[position] = _Block(None, 0, {})
            return
        if isinstance(part, ToolUse) and self._seal:
            part = ToolUse(part.id, part.name, part.arguments, part.cache, self._seal)
            self._seal = ""
        self._blocks[position] = found = _Block(part, self._count, block)
        self._count += 1
        yield from found.begin()


def _begun(block: dict[str, Json]) -> Part:
    """Return the part that begins as `block`, without its words."""
    match block["type"]:
        case "text":
            return Text("", vendor=VENDOR)
        case "tool_use":
            return ToolUse(reply(block)["id"].name(), reply(block)["name"].name(), "")
        case "thinking":
            sealed = unseal(str(block.get("signature") or ""))
            return Thinking("", vendor=sealed[0], id=sealed[2]) if sealed else Thinking("", vendor=VENDOR)
    return read_block(reply(block))


class _Block:
    """One block that has begun. Without a part it is not told of."""

    def __init__(self, part: Part | None, index: int, block: dict[str, Json]) -> None:
        self._part = part
        self._index = index
        self._block = block
        self._json: list[str] = []

    def begin(self) -> Iterator[StreamEvent]:
        if self._part is None or isinstance(self._part, Opaque):
            return
        yield PartBegin(self._index, self._part)
        if words := self._block.get("text") or self._block.get("thinking"):
            yield Delta(self._index, reply(words).text())
        for citation in self._block.get("citations") or ():
            yield Delta(self._index, citation=reply(citation).object())

    def delta(self, delta: dict[str, Json]) -> Iterator[StreamEvent]:
        if self._part is None:
            return
        match delta["type"]:
            case "text_delta":
                yield Delta(self._index, reply(delta["text"]).text())
            case "thinking_delta":
                yield Delta(self._index, reply(delta["thinking"]).text())
            case "input_json_delta":
                words = reply(delta["partial_json"]).text()
                self._json.append(words)
                if words and not isinstance(self._part, Opaque):
                    yield Delta(self._index, words)
            case "signature_delta":
                sealed = unseal(delta["signature"])
                yield Delta(self._index, signature=sealed[1] if sealed else reply(delta["signature"]).text())
            case "citations_delta":
                yield Delta(self._index, citation=reply(delta["citation"]).object())

    def end(self) -> Iterator[StreamEvent]:
        words = "".join(self._json)
        if isinstance(self._part, Opaque):
            whole = {**self._block, "input": orjson.loads(words)} if words else self._block
            yield PartBegin(self._index, Opaque(VENDOR, whole))
        elif isinstance(self._part, ToolUse) and not words:
            yield Delta(self._index, orjson.dumps(self._block.get("input") or {}).decode())
        if self._part is not None:
            yield PartEnd(self._index)


class Writer(StreamWriter):
    """Writes one stream, one block after the other. `model` stands where the provider does not name its own."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._turns = InTurn()
        self._count = 0
        self._part: Part = Text("")
        self._signature = ""

    def write(self, event: StreamEvent) -> bytes:
        return b"".join(piece for turn in self._turns.order(event) for piece in self._pieces(turn))

    def _pieces(self, event: StreamEvent) -> Iterator[bytes]:
        match event:
            case Begin():
                yield _written("message_start", message=_opening(event, self._model))
            case PartBegin():
                yield from self._begin(event.part)
            case Delta():
                yield from self._delta(event)
            case PartEnd():
                yield from self._end()
            case End():
                stop = {"stop_reason": STOP_WORDS[event.stop], "stop_sequence": event.stop_sequence or None}
                yield _written("message_delta", delta=stop, usage=write_usage(event.usage or Usage()))
                yield _written("message_stop")

    def _begin(self, part: Part) -> Iterator[bytes]:
        self._part, self._signature = part, ""
        match part:
            case Text():
                block: dict[str, Json] = {"type": "text", "text": ""}
                if part.vendor == VENDOR:
                    block["citations"] = [dict(citation) for citation in part.citations]
                yield self._start(block)
            case ToolUse():
                if part.signature:
                    yield self._start(write_seal(part))
                    yield self._stop()
                yield self._start({"type": "tool_use", "id": part.id, "name": part.name, "input": {}})
            case Thinking(redacted=False):
                unsigned = "" if part.vendor == VENDOR else seal(part.vendor, "", part.id)
                yield self._start({"type": "thinking", "thinking": "", "signature": unsigned})
            case Opaque(vendor="anthropic"):
                yield self._start(part.value)
            case Thinking() | Opaque():
                return  # said when its seal is complete, or never
            case _:
                raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)
        yield from self._delta(Delta(0, _words(part), part.signature if isinstance(part, Thinking) else ""))

    def _delta(self, event: Delta) -> Iterator[bytes]:
        self._signature += event.signature
        if event.text:
            match self._part:
                case Text():
                    yield self._more({"type": "text_delta", "text": event.text})
                case ToolUse():
                    yield self._more({"type": "input_json_delta", "partial_json": event.text})
                case Thinking(redacted=False):
                    yield self._more({"type": "thinking_delta", "thinking": event.text})
        if event.citation is not None and isinstance(self._part, Text) and self._part.vendor == VENDOR:
            yield self._more({"type": "citations_delta", "citation": dict(event.citation)})

    def _end(self) -> Iterator[bytes]:
        part = self._part
        if isinstance(part, Opaque) and part.vendor != VENDOR:
            return
        if isinstance(part, Thinking):
            # A redacted part says its seal when it begins.
            known = "" if not part.redacted else part.signature
            signed = write_thinking(Thinking("", known + self._signature, part.vendor, part.redacted, part.id))
            if part.redacted:
                yield self._start(signed)
            elif signed["signature"]:
                yield self._more({"type": "signature_delta", "signature": signed["signature"]})
        yield self._stop()

    def _start(self, block: Json) -> bytes:
        return _written("content_block_start", index=self._count, content_block=block)

    def _more(self, delta: dict[str, Json]) -> bytes:
        return _written("content_block_delta", index=self._count, delta=delta)

    def _stop(self) -> bytes:
        self._count += 1
        return _written("content_block_stop", index=self._count - 1)


def _words(part: Part) -> str:
    match part:
        case Text() | Thinking():
            return part.text
        case ToolUse():
            return part.arguments
    return ""


def _opening(event: Begin, model: str) -> dict[str, Json]:
    return {
        "id": event.id,
        "type": "message",
        "role": "assistant",
        "model": event.model or model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": write_usage(event.usage or Usage()),
    }


def _written(kind: str, **fields: Json) -> bytes:
    return sse_event(kind, orjson.dumps({"type": kind, **fields}))
