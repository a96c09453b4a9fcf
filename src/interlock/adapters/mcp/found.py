"""What an MCP server lists, turned into offers; all of it is the server's word and none of it is believed."""

from interlock.adapters.mcp.answers import cursor_of
from interlock.adapters.mcp.wire import Garbage
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Upstream
from interlock.tools.offers import Offer

MAX_PAGES = 100
MAX_TOOLS = 10_000
_HINTS = ("title", "annotations", "execution")


class Listing:
    """Collects the pages of one server's tools/list. Raises Garbage for pages that cannot be right."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._offers: dict[str, Offer] = {}
        self._cursors: set[str] = set()

    def add(self, page: JsonObject) -> str | None:
        """Take in a page and return the cursor of the next one, or None when this was the last."""
        tools = page.get("tools")
        if not isinstance(tools, list):
            raise Garbage("the list of tools is not a list")
        for tool in tools:
            offer = offer_of(self._server, tool)
            if offer.upstream.operation in self._offers:
                raise Garbage("two tools have the same name")
            self._offers[offer.upstream.operation] = offer
        cursor = cursor_of(page)
        if cursor is not None and (cursor in self._cursors or len(self._cursors) >= MAX_PAGES):
            raise Garbage("the list of tools never ends")
        if len(self._offers) > MAX_TOOLS:
            raise Garbage(f"the server lists more than {MAX_TOOLS} tools")
        if cursor is not None:
            self._cursors.add(cursor)
        return cursor

    def offers(self) -> tuple[Offer, ...]:
        """Return everything that was listed, by name."""
        return tuple(self._offers[name] for name in sorted(self._offers))


def offer_of(server: str, tool: Json) -> Offer:
    """Return one entry of tools/list as an offer. Raises Garbage."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
        raise Garbage("a tool has no name")
    takes, gives = tool.get("inputSchema"), tool.get("outputSchema")
    if not isinstance(takes, dict):
        raise Garbage("a tool has no input schema")
    if gives is not None and not isinstance(gives, dict):
        raise Garbage("the output schema of a tool is not a schema")
    description = tool.get("description") or ""
    if not isinstance(description, str):
        raise Garbage("the description of a tool is not text")
    return Offer(
        name=tool["name"],
        description=description,
        input_schema=takes,
        output_schema=gives,
        upstream=Upstream("mcp", server, tool["name"]),
        hints={key: tool[key] for key in _HINTS if key in tool},
    )
