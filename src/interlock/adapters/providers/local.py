"""Answers that are made here, in any wire format: what the scripted and the recorded provider share."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import InterlockError, ModelRefused, ModelTimeout, ReplyCut
from interlock.domain.models import Dialect
from interlock.models.dialogue import Begin, Reply, Request, StreamEvent
from interlock.models.ports import Answer, Outbound
from interlock.models.streams import events_of
from interlock.models.wire import Wire

JSON: Final = {"content-type": "application/json"}
SSE: Final = {"content-type": "text/event-stream; charset=utf-8"}
VENDORS: Final = {
    Dialect.OPENAI_CHAT: "openai",
    Dialect.OPENAI_RESPONSES: "openai",
    Dialect.OPENAI_EMBEDDINGS: "openai",
    Dialect.ANTHROPIC: "anthropic",
    Dialect.GEMINI: "gemini",
    Dialect.BEDROCK: "bedrock",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the pieces of an answer come, and whether they all do."""

    first_byte_ms: int = 0
    between_ms: int = 0
    idle_ms: int = 0
    """The longest pause that the asker allows; 0 allows any."""
    cut_after: int | None = None
    provider: str = ""


NO_HURRY: Final = Pace()


class LocalAnswer(Answer):
    """An answer whose pieces are known."""

    __slots__ = ("_headers", "_pace", "_pieces", "_status")

    def __init__(
        self, status: int, headers: Mapping[str, str], pieces: tuple[bytes, ...], pace: Pace = NO_HURRY
    ) -> None:
        self._status = status
        self._headers = headers
        self._pieces = pieces
        self._pace = pace

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        for number, piece in enumerate(self._pieces):
            await self._pause(self._pace.between_ms if number else self._pace.first_byte_ms, first=number == 0)
            if number == self._pace.cut_after:
                raise self._cut()
            yield piece
        if self._pace.cut_after is not None and self._pace.cut_after >= len(self._pieces):
            raise self._cut()

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _pause(self, ms: int, *, first: bool) -> None:
        if ms and not first and 0 < self._pace.idle_ms < ms:
            await asyncio.sleep(self._pace.idle_ms / 1000)
            raise ModelTimeout(f"The provider '{self._pace.provider}' paused within its reply")
        if ms:
            await asyncio.sleep(ms / 1000)

    def _cut(self) -> ReplyCut:
        return ReplyCut(f"The connection to the provider '{self._pace.provider}' broke within the reply")


def object_in(body: bytes, provider: str) -> dict[str, Json]:
    """Return the JSON object that `body` is. Raises ModelRefused."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ModelRefused(f"The provider '{provider}' was sent something that is not a JSON object")
    return parsed


def request_in(wire: Wire, outbound: Outbound, provider: str) -> Request:
    """Return what is asked. Raises ModelRefused for what a real provider would answer with HTTP 400."""
    parsed = object_in(outbound.body, provider)
    try:
        wire.check(parsed)
        # Some formats say the model, and whether to stream, in the address.
        return replace(wire.read_request(parsed), model=outbound.model, stream=outbound.stream)
    except InterlockError as error:
        raise ModelRefused(f"The provider '{provider}' does not take the request", why=str(error)) from None


def reply_pieces(wire: Wire, reply: Reply, request: Request) -> tuple[bytes, ...]:
    """Return `reply` as the bytes of its stream, an event each, or whole, as `request` wants it."""
    if not request.stream:
        return (orjson.dumps(wire.write_reply(reply).body),)
    writer = wire.writer(request)
    return tuple(piece for event in _told(reply) if (piece := writer.write(event)))


def _told(reply: Reply) -> Iterator[StreamEvent]:
    for event in events_of(reply):
        if isinstance(event, Begin) and reply.usage is not None:
            # As providers do that know the prompt's tokens before the reply's.
            yield replace(event, usage=replace(reply.usage, output=0, reasoning=0))
        else:
            yield event


def error_body(wire: Wire, error: InterlockError, code: str) -> bytes:
    """Return `error` in the format of `wire`, with the provider's own `code` for it if there is one."""
    body: dict[str, Json] = wire.write_error(error)
    inner = body.get("error")
    if code and isinstance(inner, dict):
        body = {**body, "error": {**inner, "code": code}}
    return orjson.dumps(body)


def cut(pieces: Iterable[bytes], after: int, last: bytes) -> tuple[bytes, ...]:
    """Return the first `after` pieces, and `last` behind them."""
    return (*tuple(pieces)[:after], last)
