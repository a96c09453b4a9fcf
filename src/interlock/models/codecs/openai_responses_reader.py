"""Streams of responses, read into neutral events."""

from collections.abc import Iterator, Sequence

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadModelReply
from interlock.models.codecs.fields import Field, reply
from interlock.models.codecs.openai_chat_replies import created_of
from interlock.models.codecs.openai_errors import reported
from interlock.models.codecs.openai_parts import VENDOR
from interlock.models.codecs.openai_responses_items import read_item, read_reasoning, seal_of_call
from interlock.models.codecs.openai_responses_tap import bad_event, stop_of
from interlock.models.codecs.openai_usage import read_response_usage
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
from interlock.models.wire import SseEvent, StreamReader

_WORDS = {
    "response.output_text.delta",
    "response.refusal.delta",
    "response.function_call_arguments.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
}
_ENDS = {"response.completed", "response.incomplete"}
_Key = tuple[Json, Json]
"""Which item, and for words of a message which content of it."""


class Reader(StreamReader):
    """Reads one stream. Items that only this vendor understands come whole, when they are done."""

    def __init__(self) -> None:
        self._begun = False
        self._count = 0
        self._open: dict[_Key, int] = {}
        self._spoken: set[_Key] = set()
        self._seal = ""
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        if not event.data or self._finished or event.data == b"[DONE]":
            return ()
        try:
            said = orjson.loads(event.data)
        except ValueError as error:
            raise bad_event(error) from None
        return tuple(self._events(reply(said)))

    def _events(self, said: Field) -> Iterator[StreamEvent]:
        kind = said["type"].text()
        if kind in _WORDS:
            yield from self._words(kind, said)
            return
        match kind:
            case "response.created":
                yield from self._begin(said["response"])
            case "response.output_item.added":
                yield from self._item(said["output_index"].integer(), said["item"])
            case "response.output_item.done":
                yield from self._item_done(said["output_index"].integer(), said["item"])
            case "response.content_part.added" if said["part"]["type"].value in ("output_text", "refusal"):
                yield from self._start(_key(said), Text("", vendor=VENDOR))
            case "response.content_part.done":
                yield from self._close(_key(said))
            case "response.output_text.annotation.added":
                yield Delta(self._index(_key(said)), citation=said["annotation"].object())
            case "response.reasoning_summary_part.added" if said["summary_index"].value:
                yield Delta(self._index((said["output_index"].integer(), None)), "\n\n")
            case "response.failed":
                self._finished = True
                raise reported(said["response"].object())
            case "error":
                raise reported(said.object())
            case _ if kind in _ENDS:
                yield from self._end(said["response"])

    def _begin(self, response: Field) -> Iterator[StreamEvent]:
        if not self._begun:
            self._begun = True
            created = created_of(response["created_at"])
            yield Begin(response["id"].text(""), response["model"].text(""), created)

    def _words(self, kind: str, said: Field) -> Iterator[StreamEvent]:
        in_message = kind in {"response.output_text.delta", "response.refusal.delta"}
        key = _key(said) if in_message else (said["output_index"].integer(), None)
        if in_message and key not in self._open:  # some servers do not announce content
            yield from self._start(key, Text("", vendor=VENDOR))
        self._spoken.add(key)
        if words := said["delta"].text():
            yield Delta(self._index(key), words)

    def _item(self, position: Json, item: Field) -> Iterator[StreamEvent]:
        key = (position, None)
        match item["type"].text():
            case "function_call":
                call, name = item["call_id"].name(), item["name"].name()
                yield from self._start(key, ToolUse(call, name, "", signature=self._seal))
                self._seal = ""
            case "reasoning":
                part = read_reasoning(item)
                if not part.redacted:
                    yield from self._start(key, Thinking("", "", part.vendor, id=part.id))

    def _item_done(self, position: Json, item: Field) -> Iterator[StreamEvent]:
        key = (position, None)
        match item["type"].text():
            case "message":
                for open_ in [each for each in self._open if each[0] == position]:
                    yield from self._close(open_)
            case "reasoning":
                part = read_reasoning(item)
                if part.redacted:
                    self._seal = seal_of_call(part)
                    if not self._seal:
                        yield from self._start(key, part)
                elif key not in self._open:
                    yield from self._start(key, part)
                else:
                    yield Delta(self._index(key), "" if key in self._spoken else part.text, part.signature)
                yield from self._close(key)
            case "function_call":
                if key not in self._open:
                    yield from self._item(position, item)
                if key not in self._spoken and (arguments := item["arguments"].text("")):
                    yield Delta(self._index(key), arguments)
                yield from self._close(key)
            case _:
                for own in read_item(item, set()):
                    if isinstance(own, Opaque):
                        yield from self._start(key, own)
                        yield from self._close(key)

    def _start(self, key: _Key, part: Part) -> Iterator[StreamEvent]:
        self._open[key] = self._count
        self._count += 1
        yield PartBegin(self._open[key], part)

    def _index(self, key: _Key) -> int:
        if key not in self._open:
            raise BadModelReply("The provider's stream cannot be read", why="an item goes on that is not open")
        return self._open[key]

    def _close(self, key: _Key) -> Iterator[StreamEvent]:
        index = self._open.pop(key, None)
        if index is not None:
            yield PartEnd(index)

    def _end(self, response: Field) -> Iterator[StreamEvent]:
        self._finished = True
        yield from self._begin(response)
        for key in list(self._open):
            yield from self._close(key)
        body = response.object()
        yield End(stop_of(body) or Stop.OTHER, read_response_usage(body.get("usage")))


def _key(said: Field) -> _Key:
    return said["output_index"].integer(), said["content_index"].integer() or 0
