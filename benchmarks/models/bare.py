"""The least that a proxy for model calls can be with Interlock's own libraries: `python -m benchmarks.models.bare PORT URL`."""

import contextlib
import sys
from collections.abc import AsyncIterator

import aiohttp
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_INPUT_NANO, _OUTPUT_NANO = 150, 600
"""Nano-dollars per token."""


class Proxy:
    """Parses the request, renames the model, forwards it, prices the answer, and writes it anew; streams pass as bytes."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/chat/completions"
        self._session: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Hold one pool of connections while the server runs."""
        del app
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as self._session:
            yield

    async def chat(self, request: Request) -> Response:
        """Answer one chat completion."""
        asked = orjson.loads(await request.body())
        asked["model"] = f"{asked['model']}-2024-07-18"
        headers = {"Authorization": "Bearer upstream", "Content-Type": "application/json"}
        answered = await self._session.post(self._url, data=orjson.dumps(asked), headers=headers)
        if asked.get("stream"):
            return StreamingResponse(_pass(answered), answered.status, media_type="text/event-stream")
        async with answered:
            said = orjson.loads(await answered.read())
        usage = said["usage"]
        said["cost"] = usage["prompt_tokens"] * _INPUT_NANO + usage["completion_tokens"] * _OUTPUT_NANO
        return Response(orjson.dumps(said), answered.status, media_type="application/json")


async def _pass(answered: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answered:
        async for data in answered.content.iter_any():
            yield data


def main(port: int, url: str) -> None:
    """Serve as `interlock serve` does: one process, uvloop and httptools, no access log."""
    proxy = Proxy(url)
    app = Starlette(routes=[Route("/v1/chat/completions", proxy.chat, methods=["POST"])], lifespan=proxy.lifespan)
    uvicorn.run(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
