"""Streams of responses, written from neutral events."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from interlock.domain.canonical import Json
from interlock.models.codecs.openai_parts import VENDOR
from interlock.models.codecs.openai_responses_replies import (
    cut_of,
    ended,
    item_id,
    no_place,
    write_call,
    write_message,
    write_reasoning,
    write_response,
    write_seal,
    write_text,
)
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Opaque,
    Part,
    PartBegin,
    PartEnd,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)
from interlock.models.sse import event as sse_event
from interlock.models.streams import Gathering
from interlock.models.wire import StreamWriter


@dataclass(slots=True)
class _Item:
    """An item that is being written."""

    part: Part
    id: str
    position: int
    spoken: bool = False
    annotations: int = 0


class Writer(StreamWriter):
    """Writes one stream: every part as an item of its own, numbered events, at the end the whole response."""

    def __init__(self) -> None:
        self._gathering = Gathering()
        self._begin = Begin()
        self._number = 0
        self._items: dict[int, _Item] = {}
        self._output: dict[int, dict[str, Json]] = {}
        self._count = 0

    def write(self, event: StreamEvent) -> bytes:
        self._gathering.add(event)
        return b"".join(self._pieces(event))

    def _pieces(self, event: StreamEvent) -> Iterator[bytes]:
        match event:
            case Delta():
                if event.index in self._items:
                    yield from self._more(self._items[event.index], event)
            case PartBegin():
                yield from self._start(event.index, event.part)
            case PartEnd():
                yield from self._finish(event.index)
            case Begin():
                self._begin = event
                yield self._event("response.created", response=self._response())
                yield self._event("response.in_progress", response=self._response())
            case End():
                for index in list(self._items):
                    yield from self._finish(index)
                yield from self._end(event)

    def _end(self, event: End) -> Iterator[bytes]:
        cut = cut_of(event.stop)
        output = [self._output[position] for position in sorted(self._output)]
        whole = ended(self._response() | {"output": output}, cut, self._gathering.reply())
        yield self._event("response.incomplete" if cut else "response.completed", response=whole)

    def _start(self, index: int, part: Part) -> Iterator[bytes]:
        match part:
            case Text():
                item = self._items[index] = self._new("msg", part)
                yield self._added(item, write_message(item.id, [], "in_progress"))
                empty = write_text(Text(""))
                yield self._event("response.content_part.added", **self._at(item), content_index=0, part=empty)
            case ToolUse():
                if part.signature:
                    sealed = self._new("rs", part)
                    yield from self._at_once(sealed, write_seal(part, sealed.id))
                item = self._items[index] = self._new("fc", part)
                yield self._added(item, write_call(replace(part, arguments=""), item.id, "in_progress"))
            case Thinking():
                item = self._items[index] = self._new("rs", part)
                yield self._added(item, write_reasoning(replace(part, text=""), item.id))
            case Opaque(vendor="openai_responses") if isinstance(part.value, dict):
                yield from self._at_once(self._new("", part), dict(part.value))
            case Opaque():
                return
            case _:
                raise no_place(part)
        if index in self._items:
            words = (
                part.arguments if isinstance(part, ToolUse) else part.text if isinstance(part, Text | Thinking) else ""
            )
            yield from self._more(self._items[index], Delta(index, words))

    def _more(self, item: _Item, delta: Delta) -> Iterator[bytes]:
        part, at = item.part, self._at(item)
        if isinstance(part, Text):
            if delta.text:
                yield self._event("response.output_text.delta", **at, content_index=0, delta=delta.text, logprobs=[])
            if delta.citation is not None and part.vendor == VENDOR:
                said = {"annotation": dict(delta.citation), "annotation_index": item.annotations}
                item.annotations += 1
                yield self._event("response.output_text.annotation.added", **at, content_index=0, **said)
        elif isinstance(part, ToolUse) and delta.text:
            yield self._event("response.function_call_arguments.delta", **at, delta=delta.text)
        elif isinstance(part, Thinking) and delta.text:
            if not item.spoken:
                empty = {"type": "summary_text", "text": ""}
                yield self._event("response.reasoning_summary_part.added", **at, summary_index=0, part=empty)
            item.spoken = True
            yield self._event("response.reasoning_summary_text.delta", **at, summary_index=0, delta=delta.text)

    def _finish(self, index: int) -> Iterator[bytes]:
        item = self._items.pop(index, None)
        if item is None:
            return
        part, at = self._gathering.part(index), self._at(item)
        match part:
            case Text():
                content = write_text(part)
                said = {"text": part.text, "logprobs": []}
                yield self._event("response.output_text.done", **at, content_index=0, **said)
                yield self._event("response.content_part.done", **at, content_index=0, part=content)
                yield self._done(item, write_message(item.id, [content]))
            case ToolUse():
                yield self._event("response.function_call_arguments.done", **at, arguments=part.arguments)
                yield self._done(item, write_call(part, item.id))
            case Thinking():
                if item.spoken:
                    whole = {"type": "summary_text", "text": part.text}
                    yield self._event("response.reasoning_summary_text.done", **at, summary_index=0, text=part.text)
                    yield self._event("response.reasoning_summary_part.done", **at, summary_index=0, part=whole)
                yield self._done(item, write_reasoning(part, item.id))

    def _new(self, prefix: str, part: Part) -> _Item:
        position = self._count
        self._count += 1
        identity = item_id(prefix, self._begin.id, position)
        if isinstance(part, Thinking) and part.vendor == VENDOR and part.id:
            identity = part.id
        return _Item(part, identity, position)

    def _at(self, item: _Item) -> dict[str, Json]:
        return {"item_id": item.id, "output_index": item.position}

    def _at_once(self, item: _Item, body: dict[str, Json]) -> Iterator[bytes]:
        yield self._added(item, body)
        yield self._done(item, body)

    def _added(self, item: _Item, body: dict[str, Json]) -> bytes:
        return self._event("response.output_item.added", output_index=item.position, item=body)

    def _done(self, item: _Item, body: dict[str, Json]) -> bytes:
        self._output[item.position] = body
        return self._event("response.output_item.done", output_index=item.position, item=body)

    def _response(self) -> dict[str, Json]:
        return write_response(self._begin.id, self._begin.model, self._begin.created)

    def _event(self, kind: str, **fields: Json) -> bytes:
        body = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return sse_event(kind, orjson.dumps(body))
