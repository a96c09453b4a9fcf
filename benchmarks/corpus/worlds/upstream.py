"""A real MCP server, in a process of its own, before a world; a second door lets the player change runs."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.corpus.records import Group, Record, RecordedCall, load
from benchmarks.corpus.worlds.world import World

Build = Callable[[Path, Group, tuple[Record, ...]], World]


@dataclass(slots=True)
class Stage:
    """The run on stage. The tools answer only the call that the player has announced, so that a call which
    arrives twice, changed, or although it was refused, is noticed.
    """

    world: World
    records: tuple[Record, ...]
    announced: RecordedCall | None = None
    executed: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

    async def list_tools(self, _context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema)
                for tool in self.world.tools
            ]
        )

    async def call_tool(self, _context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        call, self.announced = self.announced, None
        arguments = params.arguments or {}
        if call is None or (call.tool, call.arguments) != (params.name, arguments):
            self.surprises.append(f"{params.name}({json.dumps(arguments)})")
            return _result("This call is not the one that was announced.", failed=True)
        self.executed.append(call.id)
        reply = self.world.call(call.tool, arguments, call)
        return _result(reply.text, failed=reply.failed)

    async def open(self, request: Request) -> Response:
        record = self.records[(await request.json())["record"]]
        self.announced = None
        self.executed.clear()
        self.surprises.clear()
        return JSONResponse([asdict(call) for call in self.world.open(record)])

    async def announce(self, request: Request) -> Response:
        body = await request.json()
        self.announced = self.records[body["record"]].calls[body["call"]]
        return Response(status_code=204)

    async def close(self, _request: Request) -> Response:
        outcome = self.world.close().as_json()
        return JSONResponse(outcome | {"executed": self.executed, "surprises": self.surprises})


def serve(build: Build) -> None:
    """Parse the command line, build the world and serve it until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--suite", required=True)
    options = parser.parse_args()
    group = Group(options.source, options.suite)
    records = load(options.data, frozenset({group.suite}))[group]
    stage = Stage(build(options.data, group, records), records)
    server: Server[Any] = Server("corpus", version="1", on_list_tools=stage.list_tools, on_call_tool=stage.call_tool)
    app = server.streamable_http_app(
        json_response=True,
        custom_starlette_routes=[
            Route("/stage/open", stage.open, methods=["POST"]),
            Route("/stage/announce", stage.announce, methods=["POST"]),
            Route("/stage/close", stage.close, methods=["POST"]),
        ],
    )
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="error", access_log=False)


def _result(text: str, *, failed: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)
