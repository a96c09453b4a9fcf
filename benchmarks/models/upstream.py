"""The model provider of the benchmark: it answers at once, for next to nothing: `python -m benchmarks.models.upstream PORT`."""

import asyncio
import sys
from functools import partial
from typing import cast

import httptools
import uvloop

from benchmarks.models.exchange import PACED, answer, events

_PACE_S = 0.001
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
_ANSWER = answer()
_WHOLE = _HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER)
_OPENING = _HEAD + b"text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in events()]
_CHUNKS[0] = _OPENING + _CHUNKS[0]
_CHUNKS[-1] += b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection; what it answers depends on the body of the request alone."""

    __slots__ = ("_body", "_loop", "_parser", "_transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the request's body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        body, self._body = self._body, b""
        if b'"stream":true' not in body.replace(b" ", b""):
            self._transport.write(_WHOLE)
        else:
            self._send(0, paced=PACED.encode() in body)

    def _send(self, number: int, *, paced: bool) -> None:
        """Write event `number` and leave the next to a later turn of the loop, so that no two share a write."""
        if self._transport.is_closing():
            return
        self._transport.write(_CHUNKS[number])
        if number + 1 < len(_CHUNKS):
            following = partial(self._send, number + 1, paced=paced)
            if paced:
                self._loop.call_later(_PACE_S, following)
            else:
                self._loop.call_soon(following)


async def serve(port: int) -> asyncio.Server:
    """Listen on `port` of this machine."""
    return await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=1024)


async def _forever(port: int) -> None:
    await (await serve(port)).serve_forever()


if __name__ == "__main__":
    uvloop.run(_forever(int(sys.argv[1])))
