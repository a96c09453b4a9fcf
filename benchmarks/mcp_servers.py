"""The servers of `benchmarks.mcp_call`: an upstream made with the official SDK, and fastmcp's proxy before it."""

import socket
import sys

import mcp_types as types
import uvicorn
from mcp.server.lowlevel.server import Server

TOOL = "add_note"
_TAKES = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "text": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["order", "text"],
    "additionalProperties": False,
}


def upstream(port: int) -> None:
    """Serve one tool with the SDK's low-level server, as it comes."""
    server: Server[object] = Server("bench", version="1", on_list_tools=_list, on_call_tool=_call)
    uvicorn.run(server.streamable_http_app(), port=port, log_level="error")


def proxy(port: int, url: str) -> None:
    """Serve fastmcp's proxy of the upstream, as its documentation shows it."""
    create_proxy(url, name="proxy").run(transport="http", port=port, show_banner=False, log_level="error")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def _list(_: object, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    del params
    return types.ListToolsResult(tools=[types.Tool(name=TOOL, description="Add a note.", input_schema=_TAKES)])


async def _call(_: object, params: types.CallToolRequestParams) -> types.CallToolResult:
    order = (params.arguments or {})["order"]
    text = types.TextContent(type="text", text="Noted.")
    return types.CallToolResult(content=[text], structured_content={"ok": True, "order": order})


try:
    from fastmcp.server import create_proxy
except ImportError:
    create_proxy = None

if __name__ == "__main__":
    if sys.argv[1] == "upstream":
        upstream(int(sys.argv[2]))
    else:
        proxy(int(sys.argv[2]), sys.argv[3])
