"""One request to one model: out in its provider's wire format, back in the caller's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadModelReply, ReplyCut
from interlock.models.dialogue import Part, Reply, Request, StreamEvent, Text, Thinking, ToolUse
from interlock.models.sse import Splitter
from interlock.models.streams import Gathering
from interlock.models.wire import Seen, StreamReader, StreamTap, StreamWriter, Wire

_OF_STREAMS = ("stream", "stream_options")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole reply, as the caller gets it, and what it says."""

    body: bytes
    seen: Seen
    lost: tuple[str, ...] = ()
    """What of the reply the caller's format cannot carry."""


class Passage(Protocol):
    """One streamed reply on its way through."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what of `chunk` goes to the caller now: complete events only. Raises a ModelFailed."""

    @property
    def finished(self) -> bool:
        """Whether the reply has come to its end."""

    def check_end(self) -> None:
        """Raise ReplyCut when the stream is over and the reply is not."""

    def seen(self) -> Seen:
        """Return what came so far."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What goes out, and how to read what comes back."""

    caller: Wire
    served: Wire
    body: dict[str, Json]
    """In the provider's format."""
    request: Request | None = None
    """What was asked, where the formats differ."""
    hide_usage: bool = False
    lost: tuple[str, ...] = ()
    restore: Callable[[Reply], Reply] | None = None
    """Turns hidden personal data back, in a whole reply."""
    restore_stream: Callable[[StreamEvent], Iterable[StreamEvent]] | None = None

    def outgoing(self) -> bytes:
        """Return the request as it is sent."""
        return orjson.dumps(self.body)

    def whole(self, raw: bytes) -> Whole:
        """Return the reply that `raw` holds. Raises BadModelReply, or the error that it reports."""
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise BadModelReply("The model's answer is not JSON", do="Try again") from None
        if not isinstance(body, dict):
            raise BadModelReply("The model's answer is not a JSON object", do="Try again")
        try:
            return self._whole(raw, body)
        except (orjson.JSONEncodeError, RecursionError):
            raise _too_deep() from None

    def _whole(self, raw: bytes, body: dict[str, Json]) -> Whole:
        if self.request is None:
            return Whole(raw, self.served.see(body))
        reply = self.served.read_reply(body)
        if self.restore is not None:
            reply = self.restore(reply)
        words = "" if reply.usage is not None else "".join(_words(part) for part in reply.parts)
        seen = Seen(reply.usage, reply.proposals, reply.stop, words)
        written = self.caller.write_reply(reply)
        return Whole(orjson.dumps(written.body), seen, written.lost)

    def passage(self) -> Passage:
        """Return the way of one streamed reply."""
        if self.request is None:
            return Tapped(self.served.tap(hide_usage=self.hide_usage))
        return Translated(self.served.reader(), self.caller.writer(self.request), self.restore_stream)


def as_it_is(caller: Wire, wire: Wire, body: dict[str, Json], model: str, cap: int | None, *, stream: bool) -> Exchange:
    """Return the exchange with a provider of the caller's own format; `cap` is set where the caller gave none."""
    outgoing = {**body, "model": model}
    if cap is None and wire is not caller:
        # A server that knows the cap under an older name only would not see the caller's.
        cap = wire.cap_of(body)
    if cap is not None:
        wire.with_cap(outgoing, cap)
    hide = wire.with_usage(outgoing) if stream else False
    if not stream:
        for name in _OF_STREAMS:
            outgoing.pop(name, None)
    return Exchange(caller, wire, outgoing, hide_usage=hide)


def translated(caller: Wire, served: Wire, request: Request, model: str, cap: int | None, *, stream: bool) -> Exchange:
    """Return the exchange with a provider of another format, or one whose words are changed on the way. Raises Uncarriable."""
    asked = replace(request, model=model, max_tokens=cap if cap is not None else request.max_tokens, stream=stream)
    written = served.write_request(asked)
    if stream:
        served.with_usage(written.body)
    return Exchange(caller, served, written.body, request, lost=written.lost)


class Tapped(Passage):
    """Events pass as they came; the tap only looks."""

    def __init__(self, tap: StreamTap) -> None:
        self._splitter = Splitter()
        self._tap = tap

    def feed(self, chunk: bytes) -> bytes:
        feed = self._tap.feed
        passing = [event.raw for event in self._splitter.feed(chunk) if feed(event)]
        return passing[0] if len(passing) == 1 else b"".join(passing)

    @property
    def finished(self) -> bool:
        return self._tap.finished

    def check_end(self) -> None:
        check_end(self._tap.finished)

    def seen(self) -> Seen:
        return self._tap.seen()


class Translated(Passage):
    """Events are read from one format and written in another."""

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter,
        restore: Callable[[StreamEvent], Iterable[StreamEvent]] | None = None,
    ) -> None:
        self._splitter = Splitter()
        self._reader = reader
        self._writer = writer
        self._gathering = Gathering()
        self._restore = restore

    def feed(self, chunk: bytes) -> bytes:
        try:
            return self._translated(chunk)
        except (orjson.JSONEncodeError, RecursionError):
            raise _too_deep() from None

    def _translated(self, chunk: bytes) -> bytes:
        out = []
        for event in self._splitter.feed(chunk):
            for read in self._reader.read(event):
                for each in (read,) if self._restore is None else self._restore(read):
                    self._gathering.add(each)
                    out.append(self._writer.write(each))
        return b"".join(out)

    @property
    def finished(self) -> bool:
        return self._reader.finished

    def check_end(self) -> None:
        check_end(self._reader.finished)

    def seen(self) -> Seen:
        # A stream that ends by saying that it failed is over, and has not come to its end.
        return seen_of(self._gathering, finished=self._reader.finished and self._gathering.ended)


def _too_deep() -> BadModelReply:
    """Return the failure of a reply that could be read, and not be written again."""
    return BadModelReply("The model's reply cannot be read", why="it is nested too deeply", do="Try again")


def check_end(finished: bool) -> None:
    """Raise ReplyCut unless the reply came to its end."""
    if not finished:
        raise ReplyCut(
            "The model's reply broke off before its end",
            why="the provider closed the connection without the end of the stream",
            do="Treat what came as incomplete, and ask again",
        )


def seen_of(gathering: Gathering, *, finished: bool) -> Seen:
    """Return what the events of a stream say so far; nothing of a torn one counts but its words."""
    words = "".join(_words(part) for part in gathering.parts)
    if not finished:
        return Seen(None, (), None, words)
    reply = gathering.reply()
    return Seen(reply.usage, reply.proposals, reply.stop, words)


def _words(part: Part) -> str:
    match part:
        case Text(text) | Thinking(text):
            return text
        case ToolUse(_, name, arguments):
            return name + arguments
        case _:
            return ""
