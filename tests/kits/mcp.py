"""MCP servers to stand behind the gate, made with the official SDK, and a way to serve any ASGI application."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Kind, Tier, ToolContract, Upstream
from interlock.domain.ids import ToolName
from interlock.gateway.ports import Invocation

Handler = Callable[[JsonObject, Json], Awaitable[types.CallToolResult]]
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
SUM = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
ANYTHING: dict[str, Json] = {"type": "object"}


class Bench:
    """A server with a few tools; it remembers what it was asked, and can change what it lists."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, JsonObject, JsonObject]] = []
        """(tool, arguments, `_meta`) of every call that reached a tool."""
        self.headers: list[dict[str, str]] = []
        self.tools = [
            types.Tool(name="add", description="Add two numbers.", input_schema=NUMBERS, output_schema=SUM),
            types.Tool(name="echo", description="Say it again.", input_schema=ANYTHING),
            types.Tool(name="fail", description="Fail on purpose.", input_schema=ANYTHING),
            types.Tool(name="slow", description="Take a second.", input_schema=ANYTHING),
            types.Tool(name="crash", description="Raise.", input_schema=ANYTHING),
        ]
        self.page = 2

    def server(self) -> Server[Any]:
        return Server("bench", version="1", on_list_tools=self._list, on_call_tool=self._call)

    def app(self, *, json_response: bool = False, stateless: bool = False, old: bool = False) -> ASGIApp:
        """Serve over HTTP; `old` refuses every revision without a handshake, as servers of 2025 do."""
        app: ASGIApp = self.server().streamable_http_app(json_response=json_response, stateless_http=stateless)
        return _Noting(_Old(app) if old else app, self.headers)

    async def _list(self, _: object, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        start = int(params.cursor) if params is not None and params.cursor else 0
        end = start + self.page
        more = str(end) if end < len(self.tools) else None
        return types.ListToolsResult(tools=self.tools[start:end], next_cursor=more)

    async def _call(self, _: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments, meta = params.arguments or {}, dict(params.meta or {})
        self.calls.append((params.name, arguments, meta))
        match params.name:
            case "add":
                total = arguments["a"] + arguments["b"]
                return types.CallToolResult(content=[_text(str(total))], structured_content={"sum": total})
            case "echo":
                return types.CallToolResult(content=[_text(str(arguments.get("text", "")))])
            case "fail":
                return types.CallToolResult(content=[_text("It failed.")], is_error=True)
            case "slow":
                await asyncio.sleep(1)
                return types.CallToolResult(content=[_text("done")])
            case _:
                raise RuntimeError("secret detail of the server")


class _Old:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = dict(scope.get("headers", ())).get(b"mcp-protocol-version")
        if named is not None and named.decode() not in HANDSHAKE_PROTOCOL_VERSIONS:
            await _plain(send, 400, b"Bad Request: Unsupported protocol version")
            return
        await self.app(scope, receive, send)


class _Noting:
    def __init__(self, app: ASGIApp, seen: list[dict[str, str]]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.seen.append({name.decode(): value.decode("latin-1") for name, value in scope["headers"]})
        await self.app(scope, receive, send)


async def _plain(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


@asynccontextmanager
async def serving(app: ASGIApp, *, http: str = "auto") -> AsyncIterator[str]:
    """Serve `app` on a free port of this machine; yields its base URL. `http` names the parser."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", ws="none", http=http, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


def contract(operation: str, server: str = "bench", **changes: object) -> ToolContract:
    """A contract for a tool of the bench."""
    made = ToolContract(
        name=ToolName(operation),
        description="",
        input_schema=ANYTHING,
        output_schema=None,
        kind=Kind.WRITE,
        tier=Tier.LOW_IMPACT,
        upstream=Upstream("mcp", server, operation),
        timeout_ms=5_000,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def invocation(operation: str, timeout_ms: int = 5_000, secret: str | None = None, **arguments: object) -> Invocation:
    """One attempt at a tool of the bench."""
    return Invocation(contract(operation), arguments, "ilk-key", secret, timeout_ms)


async def _serve_stdio() -> None:
    server = Bench().server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    sys.exit(anyio.run(_serve_stdio))
