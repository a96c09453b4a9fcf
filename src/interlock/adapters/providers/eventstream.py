"""AWS event streams (application/vnd.amazon.eventstream) turned into server-sent events."""

import struct
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from interlock.domain.errors import BadModelReply, ReplyCut
from interlock.models.ports import Answer
from interlock.models.sse import event

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_OVERHEAD: Final = _PRELUDE.size + _CRC.size
MAX_FRAME: Final = 16 << 20
"""The largest message that is taken, in bytes."""
_STRING: Final = 7
_BYTES: Final = 6
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Length of header values by type; those of bytes and strings say their own."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    headers: Mapping[str, str]
    """Those that are text; the others mean nothing here."""
    payload: bytes


class FrameReader:
    """Cuts one stream into messages, wherever its chunks happen to end, and checks each."""

    __slots__ = ("_buffer", "_provider")

    def __init__(self, provider: str) -> None:
        self._buffer = bytearray()
        self._provider = provider

    @property
    def rest(self) -> bool:
        """Whether an incomplete message is left: at the end of a stream, that it was cut."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Yield the messages that are complete with `chunk`. Raises BadModelReply for one that is damaged."""
        buffer = self._buffer
        buffer += chunk
        while len(buffer) >= _PRELUDE.size:
            total, headers, check = _PRELUDE.unpack_from(buffer)
            if check != zlib.crc32(buffer[:8]):
                raise self._damaged("the checksum of a message's beginning is wrong")
            if not headers + _OVERHEAD <= total <= MAX_FRAME:
                raise self._damaged("a message says a length that cannot be")
            if len(buffer) < total:
                return
            message = bytes(buffer[:total])
            del buffer[:total]
            (check,) = _CRC.unpack_from(message, total - _CRC.size)
            if check != zlib.crc32(message[: -_CRC.size]):
                raise self._damaged("the checksum of a message is wrong")
            start = _PRELUDE.size
            try:
                named = _headers(message[start : start + headers])
            except (IndexError, KeyError, UnicodeDecodeError, struct.error):
                raise self._damaged("the headers of a message make no sense") from None
            yield Frame(named, message[start + headers : -_CRC.size])

    def _damaged(self, why: str) -> BadModelReply:
        return BadModelReply(f"The stream of the provider '{self._provider}' cannot be read", why=why)


def sse_of(frame: Frame) -> bytes:
    """Return what `frame` says as a server-sent event, named by its event or exception."""
    headers = frame.headers
    match headers.get(":message-type", "event"):
        case "event":
            return event(headers.get(":event-type", ""), frame.payload)
        case "exception":
            return event(headers.get(":exception-type", "exception"), frame.payload or b"{}")
        case _:
            said = {"message": headers.get(":error-message", "")}
            return event(headers.get(":error-code", "error"), orjson.dumps(said))


class EventStreamAnswer(Answer):
    """An answer whose body is an AWS event stream, given on as server-sent events."""

    __slots__ = ("_headers", "_inner", "_provider")

    def __init__(self, inner: Answer, provider: str) -> None:
        self._inner = inner
        self._provider = provider
        self._headers = {name.lower(): value for name, value in inner.headers.items()}
        self._headers["content-type"] = "text/event-stream"

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        frames = FrameReader(self._provider)
        async for chunk in self._inner.chunks():
            if events := b"".join(map(sse_of, frames.feed(chunk))):
                yield events
        if frames.rest:
            raise ReplyCut(f"The stream of the provider '{self._provider}' ended within a message")

    async def close(self) -> None:
        await self._inner.close()


def _headers(packed: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(packed):
        end = at + 1 + packed[at]
        name, kind, at = packed[at + 1 : end].decode(), packed[end], end + 1
        if kind in (_STRING, _BYTES):
            (length,) = struct.unpack_from(">H", packed, at)
            at += 2
        else:
            length = _FIXED[kind]
        if at + length > len(packed):
            raise IndexError
        if kind == _STRING:
            found[name] = packed[at : at + length].decode()
        at += length
    return found
