"""The client of the benchmark: one kept-alive connection on a bare socket, one request at a time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import httptools


class LoadFailed(Exception):
    """A server answered what it should not have, or hung up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One connection to a server under test."""

    __slots__ = ("_body", "_parser", "_transport", "_waiting")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._waiting: asyncio.Future[Answer] | None = None
        self._renew()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"The server sent what is not HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"The server closed the connection{f': {error}' if error else ''}.")

    def on_body(self, body: bytes) -> None:
        """Collect the answer's body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        answer = Answer(self._parser.get_status_code(), b"".join(self._body))
        self._renew()
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)

    async def ask(self, request: bytes) -> Answer:
        """Send the bytes of one request and return its answer, or raise LoadFailed."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            raise LoadFailed("The server closed the connection.")
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _renew(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []

    def _fail(self, why: str) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(LoadFailed(why))


async def connect(port: int) -> Connection:
    """Return a new connection to a server on this machine, or raise LoadFailed."""
    try:
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    except OSError as error:
        raise LoadFailed(f"Nothing listens on port {port}: {error}") from error
    return made


def request(path: str, body: bytes, port: int, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
