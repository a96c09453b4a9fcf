"""A real witness (c2sp.org/tlog-witness) and a real object store with a lock, each on a socket of its own."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from interlock.audit.checkpoints import Checkpoint, parse_checkpoint
from interlock.audit.notes import COSIGNATURE, SignerKey, VerifierKey, open_note
from interlock.audit.tree import verify_consistency
from interlock.domain.errors import MalformedProof, NotProven


@dataclass(slots=True)
class Witness:
    """Signs checkpoints of the logs that it knows, as long as they only grow."""

    logs: dict[str, list[VerifierKey]] = field(default_factory=dict)
    """Trusted keys by origin."""
    key: SignerKey = field(default_factory=lambda: SignerKey.new("witness.example/w1", COSIGNATURE))
    seen: dict[str, Checkpoint] = field(default_factory=dict)
    asked: int = 0

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        """Serve POST /add-checkpoint."""
        self.asked += 1
        head, _, note = (await request.read()).partition(b"\n\n")
        old_line, *proof = head.decode("ascii").split("\n")
        old = int(old_line.removeprefix("old "))
        origin, size = note.decode().split("\n")[:2]
        if origin not in self.logs:
            return web.Response(status=404)
        try:
            opened = open_note(note, self.logs[origin])
        except NotProven:
            return web.Response(status=403)
        known, told = self.seen.get(origin), parse_checkpoint(opened.text)
        if old > int(size):
            return web.Response(status=400)
        if old != (known.size if known else 0):
            body = f"{known.size if known else 0}\n"
            return web.Response(status=409, text=body, content_type="text/x.tlog.size")
        if known is not None:
            if known.size == told.size and known.root != told.root:
                return web.Response(status=409)
            try:
                hashes = [base64.b64decode(line) for line in proof]
                verify_consistency(old, told.size, hashes, known.root, told.root)
            except (NotProven, MalformedProof):
                return web.Response(status=422)
        self.seen[origin] = told
        return web.Response(text=str(self.key.sign(opened.text, 1_800_000_000)))


@dataclass(slots=True)
class Bucket:
    """Keeps the first object of each name."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bearer: str = ""

    async def serve(self, request: web.Request) -> web.Response:
        """Serve PUT and GET of an object."""
        if request.headers.get("authorization", "") != (f"Bearer {self.bearer}" if self.bearer else ""):
            return web.Response(status=401)
        if request.method == "GET":
            found = self.objects.get(request.path)
            return web.Response(status=404) if found is None else web.Response(body=found)
        assert request.headers["if-none-match"] == "*"
        if request.path in self.objects:
            return web.Response(status=412)
        self.objects[request.path] = await request.read()
        return web.Response(status=201)


@asynccontextmanager
async def on_a_socket(server: Witness | Bucket) -> AsyncIterator[str]:
    """Yield the URL at which `server` answers."""
    app = web.Application()
    if isinstance(server, Witness):
        app.router.add_post("/add-checkpoint", server.add_checkpoint)
    else:
        app.router.add_route("*", "/{name:.*}", server.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await asyncio.shield(runner.cleanup())
