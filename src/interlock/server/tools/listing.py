"""tools/list: the tools that this caller may call, a page at a time, as the reviewed contracts describe them."""

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Idempotency, Kind, ToolContract
from interlock.domain.errors import BadInput

PAGE = 500
"""Tools on one page; many clients never ask for a second."""
_REMEMBERED = 5_000

_NOT_DONE: JsonObject = {
    "title": "The call waits, or was only simulated",
    "type": "object",
    "properties": {
        "status": {"enum": ["pending", "executing", "simulated"]},
        "run": {"type": "string"},
        "call_id": {"type": "string"},
        "approval": {"type": "string"},
        "message": {"type": "string"},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "do": {"type": "string"},
    },
    "required": ["status", "run", "call_id"],
}
_SIMULATED: JsonObject = {
    "type": "object",
    "properties": {"dry_run": {"const": True}, "executed": {"const": False}},
    "required": ["dry_run", "executed"],
}


class Lister:
    """Renders contracts once and pages through them in the order of their names."""

    def __init__(self, page: int = PAGE) -> None:
        self._page = page
        self._rendered: OrderedDict[str, JsonObject] = OrderedDict()

    def page(self, tools: tuple[ToolContract, ...], cursor: Json) -> dict[str, Json]:
        """Return the page after `cursor`, the first one for None. Raises BadInput for a cursor that we never gave out."""
        start = 0
        if cursor is not None:
            start = bisect_right([tool.name for tool in tools], _name_in(cursor))
        shown = tools[start : start + self._page]
        result: dict[str, Json] = {"tools": [self._entry(tool) for tool in shown]}
        if start + self._page < len(tools):
            result["nextCursor"] = base64.urlsafe_b64encode(shown[-1].name.encode()).decode()
        return result

    def _entry(self, tool: ToolContract) -> JsonObject:
        key = tool.hash or f"{tool.name}:{tool.surface_hash}"
        found = self._rendered.get(key)
        if found is None or not key:
            found = entry(tool)
            self._rendered[key] = found
            while len(self._rendered) > _REMEMBERED:
                self._rendered.popitem(last=False)
        return found


def entry(tool: ToolContract) -> JsonObject:
    """Return how a contract looks in tools/list. The hints are the reviewed contract's, not the upstream's."""
    is_read = tool.kind is Kind.READ
    listed: dict[str, Json] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": {"type": "object", **_without_headers(tool.input_schema)},
        "annotations": {
            "readOnlyHint": is_read,
            "destructiveHint": not is_read and not tool.reversible,
            "idempotentHint": is_read or tool.idempotency is not Idempotency.NONE,
        },
    }
    if (output := _output(tool.output_schema)) is not None:
        listed["outputSchema"] = output
    return listed


def _output(schema: JsonObject | None) -> JsonObject | None:
    """Return the tool's own output schema, or what the gate itself may answer: clients hold results against it.

    A schema that refers to itself by place cannot be moved and is left out, which MCP permits.
    """
    if schema is None or schema.get("type") != "object" or _refers_elsewhere(schema):
        return None
    own = {key: value for key, value in schema.items() if key not in {"$defs", "$schema"}}
    listed: dict[str, Json] = {"type": "object", "anyOf": [own, _NOT_DONE, _SIMULATED]}
    if "$defs" in schema:
        listed["$defs"] = schema["$defs"]
    return listed


def _refers_elsewhere(node: Json) -> bool:
    if isinstance(node, list):
        return any(_refers_elsewhere(inner) for inner in node)
    if not isinstance(node, dict):
        return False
    for key, value in node.items():
        if key in {"$ref", "$dynamicRef"} and not (isinstance(value, str) and value.startswith("#/$defs/")):
            return True
        if key in {"$id", "$anchor", "$dynamicAnchor"} and isinstance(value, str):
            return True
        if _refers_elsewhere(value):
            return True
    return False


def _without_headers(node: Json) -> Json:
    """Return a schema without `x-mcp-header`: what is repeated in a header on the way here, nothing would check."""
    if isinstance(node, list):
        return [_without_headers(inner) for inner in node]
    if isinstance(node, dict):
        return {key: _without_headers(value) for key, value in node.items() if key != "x-mcp-header"}
    return node


def _name_in(cursor: Json) -> str:
    try:
        if isinstance(cursor, str):
            return base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        pass
    raise BadInput("The cursor is not one that this server gave out", do="List the tools from the start")
