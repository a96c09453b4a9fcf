"""A receiver of spans over a real socket: takes OTLP as it comes, and answers as it was told to."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from interlock.adapters.otlp.decoding import Protobuf
from interlock.adapters.otlp.decoding_json import Json
from interlock.traces.told import ToldBatch, ToldSpan


@dataclass(frozen=True, slots=True)
class Told:
    """How one request is answered."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class SpanReceiver:
    """What came, and how the next requests are answered: in order, then well."""

    url: str = ""
    answers: list[Told] = field(default_factory=list)
    requests: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    batches: list[ToldBatch] = field(default_factory=list)
    """Of requests that were answered well."""

    @property
    def spans(self) -> list[ToldSpan]:
        """Every span that was taken, in order."""
        return [span for batch in self.batches for span in batch.spans]

    async def take(self, request: web.Request) -> web.Response:
        """Serve one request."""
        self.requests += 1
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        told = self.answers.pop(0) if self.answers else Told()
        if 200 <= told.status < 300:
            decoder = Protobuf() if "protobuf" in request.content_type else Json()
            self.batches += list(decoder.batches(body))
        return web.Response(status=told.status, body=told.body, headers=dict(told.headers))


@asynccontextmanager
async def a_receiver(*answers: Told, port: int = 0) -> AsyncIterator[SpanReceiver]:
    """Serve a receiver on a free port, or on `port`."""
    receiver = SpanReceiver(answers=list(answers))
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, taken = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{taken}/v1/traces"
    try:
        yield receiver
    finally:
        await runner.cleanup()
