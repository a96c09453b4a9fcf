"""Where a streamed reply leaves: the bytes go on as they come, and a broken reply never looks complete."""

from starlette.types import Receive, Send

from interlock.gateway.models.requests import Headers, Outlet

_HEAD: Headers = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that buffer answers would hold the words back.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
)


class StreamOutlet(Outlet):
    """The outlet over one HTTP response."""

    __slots__ = ("_receive", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        """The request's body must have been received."""
        self._receive = receive
        self._send = send

    async def start(self, headers: Headers) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_HEAD, *headers]})

    async def send(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, last: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": last})

    async def abort(self) -> None:
        # An answer that is left without its end makes the server close the connection in the midst of the body: no
        # terminating chunk leaves, and every client of HTTP/1.1 reports a broken answer.
        return

    async def gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
