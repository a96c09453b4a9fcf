"""Streams of chat completions: read into neutral events, and written from them."""

from collections.abc import Iterator, Sequence

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadModelReply
from interlock.domain.models import Usage
from interlock.models.codecs.carriage import unanswerable
from interlock.models.codecs.fields import Field, reply
from interlock.models.codecs.openai_chat_replies import STOP_WORDS, created_of, write_annotation
from interlock.models.codecs.openai_chat_requests import read_annotation
from interlock.models.codecs.openai_chat_tap import bad_chunk, stop_of
from interlock.models.codecs.openai_chat_writing import write_call
from interlock.models.codecs.openai_errors import reported
from interlock.models.codecs.openai_parts import VENDOR
from interlock.models.codecs.openai_thinking import read_detail, read_seal, write_detail, write_seal
from interlock.models.codecs.openai_usage import read_usage, write_usage
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Opaque,
    Part,
    PartBegin,
    PartEnd,
    Request,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)
from interlock.models.sse import event as sse_event
from interlock.models.wire import SseEvent, StreamReader, StreamWriter

_DONE = sse_event("", b"[DONE]")


class Reader(StreamReader):
    """Reads one stream: words one part after the other, tool calls side by side until the reply ends."""

    def __init__(self) -> None:
        self._begun = False
        self._count = 0
        self._speaking: tuple[str, int] | None = None
        """What kind of words is open, and as which part."""
        self._calls: dict[Json, int] = {}
        self._open_calls: list[int] = []
        self._usage: Usage | None = None
        self._reason: Json = None
        self._refused = False
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def read(self, event: SseEvent) -> Sequence[StreamEvent]:
        data = event.data.strip()
        if not data or self._finished:
            return ()
        if data == b"[DONE]":
            self._finished = True
            return (*self._begin(Field({})), *self._close(), self._end())
        try:
            chunk = orjson.loads(data)
        except ValueError as error:
            raise bad_chunk(error) from None
        return tuple(self._events(reply(chunk)))

    def _end(self) -> End:
        called = bool(self._calls)
        return End(stop_of(self._reason, refused=self._refused, called=called), self._usage)

    def _events(self, chunk: Field) -> Iterator[StreamEvent]:
        if chunk["error"].value or chunk["object"].value == "error":
            raise reported(chunk.object())
        yield from self._begin(chunk)
        self._usage = read_usage(chunk["usage"].value) or self._usage
        for choice in chunk["choices"].items():
            if choice["index"].integer() not in {0, None}:
                raise BadModelReply("The provider's stream cannot be read", why="it holds replies nobody asked for")
            if choice["delta"].given:
                yield from self._delta(choice["delta"])
            if choice["finish_reason"].given:
                self._reason = choice["finish_reason"].value
                yield from self._close()

    def _begin(self, chunk: Field) -> Iterator[StreamEvent]:
        if not self._begun:
            self._begun = True
            yield Begin(chunk["id"].text(""), chunk["model"].text(""), created_of(chunk["created"]))

    def _delta(self, delta: Field) -> Iterator[StreamEvent]:
        if delta["reasoning_details"].value:
            for detail in delta["reasoning_details"].items():
                yield from self._think(detail)
        elif words := delta["reasoning_content"].text("") or delta["reasoning"].text(""):
            yield from self._speak("thinking", Thinking(""), words)
        if words := delta["content"].text(""):
            yield from self._speak("content", Text("", vendor=VENDOR), words)
        if words := delta["refusal"].text(""):
            self._refused = True
            yield from self._speak("refusal", Text("", vendor=VENDOR), words)
        for annotation in delta["annotations"].items():
            yield from self._speak("content", Text("", vendor=VENDOR), "")
            yield Delta(self._count - 1, citation=read_annotation(annotation))
        for fragment in delta["tool_calls"].items():
            yield from self._call(fragment)

    def _think(self, detail: Field) -> Iterator[StreamEvent]:
        part = read_detail(detail)
        if part.redacted:
            yield from self._hush()
            yield PartBegin(self._count, part)
            yield PartEnd(self._count)
            self._count += 1
            return
        kind = f"thinking {detail['index'].value}"
        yield from self._speak(kind, Thinking("", vendor=part.vendor, id=part.id), part.text)
        if part.signature:
            yield Delta(self._count - 1, signature=part.signature)

    def _speak(self, kind: str, part: Part, words: str) -> Iterator[StreamEvent]:
        """Go on with words of `kind`, in a new part unless the same kind is open."""
        if self._speaking is None or self._speaking[0] != kind:
            yield from self._hush()
            self._speaking = (kind, self._count)
            yield PartBegin(self._count, part)
            self._count += 1
        if words:
            yield Delta(self._speaking[1], words)

    def _hush(self) -> Iterator[StreamEvent]:
        if self._speaking is not None:
            yield PartEnd(self._speaking[1])
            self._speaking = None

    def _call(self, fragment: Field) -> Iterator[StreamEvent]:
        key = fragment["index"].integer()
        if key is None:  # some servers send calls whole and do not number them
            key = len(self._calls) if fragment["id"].given or not self._calls else len(self._calls) - 1
        function = fragment["function"]
        if key not in self._calls:
            yield from self._hush()
            call = ToolUse(fragment["id"].text(""), function["name"].name(), "", signature=read_seal(fragment))
            self._calls[key] = self._count
            self._open_calls.append(self._count)
            yield PartBegin(self._count, call)
            self._count += 1
        if function.given and (words := function["arguments"].text("")):
            if self._calls[key] not in self._open_calls:
                raise BadModelReply("The provider's stream cannot be read", why="a tool call goes on after its end")
            yield Delta(self._calls[key], words)

    def _close(self) -> Iterator[StreamEvent]:
        yield from self._hush()
        yield from (PartEnd(index) for index in self._open_calls)
        self._open_calls = []


class Writer(StreamWriter):
    """Writes one stream; `request` says whether its usage is told at the end."""

    def __init__(self, request: Request) -> None:
        self._usage_told = request.stream_usage
        self._top: dict[str, Json] = {}
        self._parts: dict[int, tuple[Part, int]] = {}
        """Each part, and how many of its kind came before it."""

    def write(self, event: StreamEvent) -> bytes:
        match event:
            case Delta():
                part, number = self._parts[event.index]
                return self._more(part, number, event)
            case PartBegin():
                return self._begin(event.index, event.part)
            case PartEnd():
                return b""
            case Begin():
                self._top = {
                    "id": event.id,
                    "object": "chat.completion.chunk",
                    "created": event.created,
                    "model": event.model,
                }
                return self._chunk({"role": "assistant", "content": ""})
            case End():
                return self._end(event)

    def _begin(self, index: int, part: Part) -> bytes:
        number = sum(type(before) is type(part) for before, _ in self._parts.values())
        self._parts[index] = (part, number)
        match part:
            case Text():
                return self._more(part, number, Delta(index, part.text))
            case ToolUse():
                return self._chunk({"tool_calls": [{"index": number, **write_call(part), **write_seal(part)}]})
            case Thinking(redacted=True):
                return self._chunk({"reasoning_details": [write_detail(part, number)]})
            case Thinking():
                return self._more(part, number, Delta(index, part.text, part.signature))
            case Opaque():
                return b""
        raise unanswerable(f"a part of the kind {type(part).__name__.lower()}", VENDOR)

    def _more(self, part: Part, number: int, delta: Delta) -> bytes:
        fields: dict[str, Json] = {}
        if isinstance(part, Text):
            if delta.text:
                fields["content"] = delta.text
            if delta.citation is not None and part.vendor == VENDOR:
                fields["annotations"] = [write_annotation(delta.citation)]
        elif isinstance(part, ToolUse) and delta.text:
            fields["tool_calls"] = [{"index": number, "function": {"arguments": delta.text}}]
        elif isinstance(part, Thinking) and (delta.text or delta.signature):
            if delta.text:
                fields["reasoning_content"] = delta.text
            if number or part.vendor or part.id or delta.signature:
                told = Thinking(delta.text, delta.signature, part.vendor, id=part.id, redacted=part.redacted)
                fields["reasoning_details"] = [write_detail(told, number)]
        return self._chunk(fields) if fields else b""

    def _end(self, event: End) -> bytes:
        last = self._chunk({}, STOP_WORDS[event.stop])
        if self._usage_told and event.usage is not None:
            usage = {**self._top, "choices": [], "usage": write_usage(event.usage)}
            last += sse_event("", orjson.dumps(usage))
        return last + _DONE

    def _chunk(self, delta: dict[str, Json], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunk: dict[str, Json] = {**self._top, "choices": [choice]}
        if self._usage_told:
            chunk["usage"] = None
        return sse_event("", orjson.dumps(chunk))
