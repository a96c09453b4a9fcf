"""Model providers over real sockets that behave as told: well, or with one fault. They keep what they were sent and charged."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from interlock.domain.models import Dialect, Usage
from tests.kits.upstream_formats import FORMATS, embeddings
from tests.kits.upstream_told import Format, Told


class Fault(StrEnum):
    """What goes wrong. Where a fault is within the body, `Act.after` pieces of the words go before it."""

    NONE = "none"
    RESET_BEFORE_HEAD = "reset before the head"
    CLOSED_BEFORE_HEAD = "closed before the head"
    STALL_BEFORE_HEAD = "stall before the head"
    STALL_BEFORE_FIRST = "stall between the head and the first token"
    STALL_AFTER_FIRST = "stall after the first token"
    RESET_IN_BODY = "reset in the body"
    CUT_IN_BODY = "closed in the body, in the middle of the framing"
    NO_TERMINATOR = "a clean end without the format's terminator"
    MALFORMED = "an event, or a body, that is no JSON"
    HALF_UTF8 = "half a UTF-8 sequence"
    ERROR_INSIDE = "a 200 with an error inside"
    OVERLOADED = "429 with Retry-After"
    OVERLOADED_UNTOLD = "429 without Retry-After"
    BROKEN = "500"
    WRONG_KEY = "401"
    REFUSED = "400"
    WRONG_TYPE = "HTML in place of JSON"
    HUGE = "a body without end"
    BAD_GZIP = "a body that is not the gzip it says"
    REDIRECT = "302"
    NOT_HTTP = "bytes that are not HTTP"


_STATUS = {
    Fault.OVERLOADED: 429,
    Fault.OVERLOADED_UNTOLD: 429,
    Fault.BROKEN: 500,
    Fault.WRONG_KEY: 401,
    Fault.REFUSED: 400,
}
BEFORE_ANY_TOKEN = frozenset(
    {Fault.RESET_BEFORE_HEAD, Fault.CLOSED_BEFORE_HEAD, Fault.STALL_BEFORE_HEAD, Fault.STALL_BEFORE_FIRST}
    | {Fault.REDIRECT, Fault.NOT_HTTP, Fault.WRONG_TYPE, Fault.BAD_GZIP, *_STATUS}
)
"""Faults of which nobody is charged anything."""


@dataclass(frozen=True, slots=True)
class Act:
    """How one request is answered."""

    fault: Fault = Fault.NONE
    after: int = 2
    words: str = "The quick brown fox jumps over the lazy dog"
    calls: tuple[tuple[str, str, str], ...] = ()
    """(id, name, arguments as JSON text)."""
    usage: Usage | None = None
    """Charged for a whole reply in place of what is counted."""
    pause_s: float = 0.0
    """Before each event of a stream, and before a whole reply."""
    retry_after: str = "2"
    gzip: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    """Lower-case names."""
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


@dataclass(slots=True)
class Charge:
    """What a provider puts on the bill for one request."""

    usage: Usage = field(default_factory=Usage)
    complete: bool = False
    """Whether the whole reply was handed over."""
    fault: Fault = Fault.NONE


def words_counted(text: str) -> int:
    """Count a word as a token."""
    return len(text.split())


def bytes_counted(raw: bytes) -> int:
    """Count four bytes of a request as a token."""
    return max(1, len(raw) // 4)


@dataclass(slots=True)
class Upstream:
    """One running provider."""

    dialect: Dialect
    act: Callable[[Received], Act]
    count_input: Callable[[bytes], int] = bytes_counted
    count_output: Callable[[str], int] = words_counted
    models: tuple[str, ...] = ("m-small", "m-large")
    url: str = ""
    """Without a path: `http://127.0.0.1:<port>`."""
    received: list[Received] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    """In the order of `received`."""
    connections: int = 0
    gone: int = 0
    """How many askers went away within a reply."""

    @property
    def charged(self) -> Usage:
        """Everything on the bill."""
        total = Usage()
        for charge in self.charges:
            total += charge.usage
        return total

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await self._read(reader)) is not None:
                charge = Charge()
                self.charges.append(charge)
                if request.method == "GET":
                    charge.complete = True
                    writer.write(_whole(200, _json(FORMATS[_listed(self.dialect)].models(self.models))))
                elif not await _Answering(self, self._dialect(request), request, reader, writer, charge).answer():
                    break
                await writer.drain()
        writer.close()

    def _dialect(self, request: Received) -> Dialect:
        for end, dialect in (
            ("/embeddings", Dialect.OPENAI_EMBEDDINGS),
            ("/responses", Dialect.OPENAI_RESPONSES),
            ("/chat/completions", Dialect.OPENAI_CHAT),
        ):
            if request.path.endswith(end):
                return dialect
        return self.dialect

    async def _read(self, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        request = Received(len(self.received), method, path, headers, body)
        self.received.append(request)
        return request


@dataclass(slots=True)
class _Answering:
    upstream: Upstream
    dialect: Dialect
    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    charge: Charge

    async def answer(self) -> bool:
        """Answer as told; return whether the connection goes on."""
        act = self.upstream.act(self.request)
        self.charge.fault = act.fault
        if act.fault in BEFORE_ANY_TOKEN:
            return await self._nothing(act)
        told = self._told(act)
        if self.dialect is Dialect.OPENAI_EMBEDDINGS:
            usage = Usage(input=told.usage.input)
            self._charged(usage, complete=True)
            self.writer.write(_whole(200, _json(embeddings(self.request.body, usage))))
            return True
        form = FORMATS[self.dialect]
        return await (self._stream(act, told, form) if self._streamed() else self._reply(act, told, form))

    def _streamed(self) -> bool:
        path = self.request.path
        return (
            ":streamGenerateContent" in path
            or path.endswith("/converse-stream")
            or bool(self.request.body.get("stream"))
        )

    def _told(self, act: Act) -> Told:
        count = self.upstream.count_output
        words = tuple(act.words.split())
        output = count(" ".join(words)) + sum(count(name) + count(arguments) for _, name, arguments in act.calls)
        usage = act.usage or Usage(input=self.upstream.count_input(self.request.raw), output=output)
        return Told(words, act.calls, usage, str(self.request.body.get("model", "m")))

    def _charged(self, usage: Usage, *, complete: bool = False) -> None:
        self.charge.usage, self.charge.complete = usage, complete

    async def _nothing(self, act: Act) -> bool:
        """Fail without a token."""
        match act.fault:
            case Fault.RESET_BEFORE_HEAD:
                self._reset()
            case Fault.CLOSED_BEFORE_HEAD:
                pass
            case Fault.STALL_BEFORE_HEAD:
                await self._stall()
            case Fault.STALL_BEFORE_FIRST:
                kind = FORMATS[self.dialect].stream_type if self._streamed() else "application/json"
                self.writer.write(_chunked_head(kind))
                await self._stall()
            case Fault.NOT_HTTP:
                self.writer.write(b"220 mail.example.com ESMTP\r\n")
            case Fault.REDIRECT:
                self.writer.write(_whole(302, b"", extra="location: https://elsewhere.example/\r\n"))
            case Fault.WRONG_TYPE:
                self.writer.write(_whole(200, b"<html><body>Welcome</body></html>", "text/html"))
            case Fault.BAD_GZIP:
                self.writer.write(_whole(200, b"this is no gzip", extra="content-encoding: gzip\r\n"))
            case _:
                status = _STATUS[act.fault]
                extra = f"retry-after: {act.retry_after}\r\n" if act.fault is Fault.OVERLOADED else ""
                form = FORMATS.get(self.dialect, FORMATS[Dialect.OPENAI_CHAT])
                self.writer.write(_whole(status, _json(form.error(status, str(act.fault))), extra=extra))
                await self.writer.drain()
                return True
        await self.writer.drain()
        return False

    async def _reply(self, act: Act, told: Told, form: Format) -> bool:
        await asyncio.sleep(act.pause_s)
        body = _json(form.whole(told))
        half = body[: len(body) // 2]
        whole = f"content-length: {len(body)}\r\n"
        match act.fault:
            case Fault.RESET_IN_BODY | Fault.CUT_IN_BODY | Fault.STALL_AFTER_FIRST:
                self._charged(told.usage)
                self.writer.write(_head(200, "application/json", whole) + half)
                await self.writer.drain()
                await self._breaks(act.fault)
                return False
            case Fault.ERROR_INSIDE:
                self.writer.write(_whole(200, _json(form.error(500, "The model is not well"))))
                return True
            case Fault.HUGE:
                await self._huge(b" " * 65536)
                return False
        if act.fault in (Fault.MALFORMED, Fault.NO_TERMINATOR):
            body = half
        elif act.fault is Fault.HALF_UTF8:
            body = body.replace(act.words[:1].encode(), b"\xe2\x82", 1)
        self._charged(told.usage, complete=act.fault is Fault.NONE)
        extra = "content-encoding: gzip\r\n" if act.gzip else ""
        self.writer.write(_whole(200, gzip.compress(body) if act.gzip else body, extra=extra))
        return True

    async def _stream(self, act: Act, told: Told, form: Format) -> bool:
        self.writer.write(_chunked_head(form.stream_type))
        for event in form.head(told):
            await self._event(event, act)
        said = 0
        for number, piece in enumerate(told.pieces()):
            if number == act.after and act.fault is not Fault.NONE:
                break
            if not await self._event(form.piece(piece), act):
                self.upstream.gone += 1
                return False
            said = number + 1
            self._charged(self._so_far(told, said))
        if act.fault is not Fault.NONE and act.fault is not Fault.NO_TERMINATOR:
            return await self._fails_inside(act, form)
        rest = form.tail(told)
        if act.fault is Fault.NO_TERMINATOR:
            rest = []
        for event in rest:
            if not await self._event(event, act):
                self.upstream.gone += 1
                return False
        if rest:
            self._charged(told.usage, complete=True)
        self.writer.write(b"0\r\n\r\n")
        return True

    def _so_far(self, told: Told, said: int) -> Usage:
        """Return the charge for a reply of which the first `said` words were made."""
        return Usage(input=told.usage.input, output=self.upstream.count_output(" ".join(told.words[:said])))

    async def _fails_inside(self, act: Act, form: Format) -> bool:
        match act.fault:
            case Fault.MALFORMED:
                bad = b"\0\0\0\x10nonsense of a frame" if "amazon" in form.stream_type else b'data: {"id": \n\n'
                await self._event(bad, act)
            case Fault.HALF_UTF8:
                await self._event(form.piece("X").replace(b"X", b"\xe2\x82"), act)
            case Fault.ERROR_INSIDE:
                await self._event(form.stream_error("The model is not well"), act)
            case Fault.HUGE:
                await self._huge(b"data: " + b"x" * 65536)
                return False
            case _:
                await self._breaks(act.fault)
                return False
        self.writer.write(b"0\r\n\r\n")
        return True

    async def _breaks(self, fault: Fault) -> None:
        if fault is Fault.STALL_AFTER_FIRST:
            await self._stall()
        elif fault is Fault.RESET_IN_BODY:
            await asyncio.sleep(0.02)  # lets what was written arrive before the reset overtakes it
            self._reset()

    async def _event(self, event: bytes, act: Act) -> bool:
        """Send one event; return False once the asker is gone."""
        if act.pause_s:
            await asyncio.sleep(act.pause_s)
        if self.reader.at_eof() or self.writer.transport.is_closing():
            return False
        self.writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        try:
            await self.writer.drain()
        except ConnectionError:
            return False
        await asyncio.sleep(0)
        return True

    async def _huge(self, block: bytes) -> None:
        self.writer.write(b"" if self._streamed() else _chunked_head("application/json"))
        for _ in range(1200):
            self.writer.write(b"%x\r\n%s\r\n" % (len(block), block))
            await self.writer.drain()
        self.writer.write(b"0\r\n\r\n")

    async def _stall(self) -> None:
        """Do nothing until the asker goes away."""
        with suppress(ConnectionError):
            await self.writer.drain()
            await self.reader.read()
        self.upstream.gone += 1

    def _reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def an_upstream(
    dialect: Dialect,
    act: Callable[[Received], Act] | Sequence[Act] | Act | None = None,
    *,
    count_input: Callable[[bytes], int] = bytes_counted,
    count_output: Callable[[str], int] = words_counted,
) -> AsyncIterator[Upstream]:
    """Serve a provider of `dialect` on a free port. `act` says how each request is answered, the last one for all others.

    An upstream of an OpenAI dialect answers in whichever OpenAI format it is asked in.
    """
    upstream = Upstream(dialect, _chosen(act), count_input, count_output)
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        task.add_done_callback(open_ones.discard)
        await upstream.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        for task in tuple(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        await server.wait_closed()


def _chosen(act: Callable[[Received], Act] | Sequence[Act] | Act | None) -> Callable[[Received], Act]:
    if callable(act):
        return act
    acts = [act] if isinstance(act, Act) else list(act or [Act()])
    return lambda request: acts[min(request.number, len(acts) - 1)]


def _listed(dialect: Dialect) -> Dialect:
    return dialect if dialect in FORMATS else Dialect.OPENAI_CHAT


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _head(status: int, kind: str, extra: str = "") -> bytes:
    return f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\nx-request-id: req_1\r\n{extra}\r\n".encode()


def _chunked_head(kind: str) -> bytes:
    return _head(200, kind, "transfer-encoding: chunked\r\n")


def _whole(status: int, body: bytes, kind: str = "application/json", extra: str = "") -> bytes:
    return _head(status, kind, f"content-length: {len(body)}\r\n{extra}") + body
