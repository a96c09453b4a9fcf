"""One request to an MCP server over HTTP, and what came back; sizes are bounded while reading."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp

from interlock.adapters.mcp.revisions import CLIENT_INFO
from interlock.adapters.mcp.wire import Garbage, Reply, events, parse_message, reply_in

CONNECT_S = 5.0
"""How long a connection may take to come about."""
_KEPT_IDLE_S = 4.0
"""Shorter than the five seconds after which many servers hang up, so that a call rarely meets a closing connection."""
_CHANGED = "notifications/tools/list_changed"


@dataclass(frozen=True, slots=True)
class Came:
    """What came back for one request."""

    status: int
    reply: Reply | None
    """None when the answer was an HTTP status and nothing else that can be read."""
    session_id: str | None = None


class NotReached(Exception):
    """The request certainly did not reach the server."""


def pool() -> aiohttp.ClientSession:
    """Return connections that follow no redirect, keep no cookie and ask no proxy. Needs a running event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=128, keepalive_timeout=_KEPT_IDLE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        headers={"User-Agent": f"{CLIENT_INFO['name']}/{CLIENT_INFO['version']}", "Accept-Encoding": "identity"},
    )


class Exchange:
    """The way to one URL."""

    def __init__(self, url: str, http: aiohttp.ClientSession, on_change: Callable[[], None]) -> None:
        self._url = url
        self._http = http
        self._on_change = on_change

    async def post(
        self, body: bytes, headers: dict[str, str], request_id: int, limit: int, connect_s: float = CONNECT_S
    ) -> Came:
        """Send one request and read its answer, at most `limit` bytes. Raises Garbage, and what aiohttp raises."""
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_s)
        async with self._http.post(
            self._url, data=body, headers=headers, allow_redirects=False, timeout=timeout
        ) as response:
            status, kind = response.status, response.content_type
            session_id = response.headers.get("Mcp-Session-Id")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Garbage("the answer is compressed, which was not asked for")
            if status == 200 and kind == "text/event-stream":
                return Came(status, await self._among(response.content.iter_any(), request_id, limit), session_id)
            if kind == "application/json":
                return Came(status, _reply_of(status, await _read(response, limit), request_id, limit), session_id)
            if status == 200:
                raise Garbage("the answer is neither JSON nor an event stream")
            return Came(status, None, session_id)

    async def tell(self, body: bytes, headers: dict[str, str]) -> None:
        """Send a notification; whatever the server answers is of no consequence."""
        async with self._http.post(self._url, data=body, headers=headers, allow_redirects=False):
            return

    async def end(self, headers: dict[str, str]) -> None:
        """End the session that `headers` name."""
        async with self._http.delete(self._url, headers=headers, allow_redirects=False):
            return

    async def listen(self, headers: dict[str, str]) -> bool:
        """Follow the server's own event stream until it ends; return False at once if the server has none."""
        async with self._http.get(self._url, headers=headers, allow_redirects=False) as response:
            if response.status != 200 or response.content_type != "text/event-stream":
                return False
            async for data in events(response.content.iter_any(), 1 << 24):
                self._heed(data)
            return True

    async def _among(self, chunks: AsyncIterator[bytes], request_id: int, limit: int) -> Reply:
        async for data in events(chunks, limit):
            message = self._heed(data)
            if message is not None and "method" not in message:
                return reply_in(message, request_id)
        raise Garbage("the stream ended without an answer")

    def _heed(self, data: bytes) -> dict[str, object] | None:
        if not data:
            return None
        message = parse_message(data, len(data))
        if message.get("method") == _CHANGED:
            self._on_change()
        return dict(message)


def told(error: BaseException) -> str:
    """Return what went wrong in words that carry no address, no data and no secret."""
    match error:
        case NotReached() | Garbage():
            return str(error)
        case aiohttp.ClientConnectorDNSError():
            return "the server's name could not be resolved"
        case aiohttp.ClientSSLError():
            return "no trusted TLS connection to the server could be made"
        case aiohttp.ClientConnectorError():
            return "no connection to the server could be made"
        case aiohttp.ConnectionTimeoutError():
            return "the server did not take the connection in time"
        case TimeoutError():
            return "the server did not answer in time"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError():
            return "the connection broke before the answer was complete"
        case _:
            return "the server's answer could not be read"


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    length = response.content_length
    if length is not None and length <= limit:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise Garbage(f"the answer is longer than {limit} bytes")
    return bytes(body)


def _reply_of(status: int, body: bytes, request_id: int, limit: int) -> Reply | None:
    if status == 200:
        return reply_in(parse_message(body, limit), request_id)
    try:
        reply = reply_in(parse_message(body, limit), request_id, anonymous=True)
    except Garbage:
        return None
    return reply if status >= 400 and reply.error is not None else None
