"""A provider of chat completions whose bytes a test writes itself, block by block."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import orjson

from tests.kits.upstream_told import sse

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
DONE = sse("[DONE]")


def chunk(words: str = "", **delta: object) -> bytes:
    """Return the event that says `words`, or whatever else is in `delta`."""
    said = {**({"content": words} if words else {}), **delta}
    choice = {"index": 0, "delta": said, "finish_reason": None}
    return sse({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def ended(reason: str = "stop") -> bytes:
    """Return the event that ends the choice."""
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    return sse({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


@asynccontextmanager
async def a_raw_provider(
    answer: Callable[[dict[str, object]], Iterable[bytes]], received: list[bytes] | None = None
) -> AsyncIterator[str]:
    """Serve on a free port; each block that `answer` returns leaves by itself, then the connection is closed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(size)
            if received is not None:
                received.append(body)
            for block in answer(orjson.loads(body)):
                writer.write(block)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
