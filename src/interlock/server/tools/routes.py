"""The paths of the surfaces for agents."""

from interlock.domain.identity import Role
from interlock.server.routing import GuardedRoute
from interlock.server.tools.mcp import McpEndpoint
from interlock.server.tools.ports import Gate, Runs
from interlock.server.tools.rest import COLLECTION, RESOURCE, ToolCallByName, ToolCalls
from interlock.server.tools.runs import RunFinder

_PROPOSERS = frozenset({Role.AGENT})
_READERS = frozenset({Role.AGENT, Role.OPERATOR, Role.AUDITOR, Role.APPROVER})


def tool_routes(gate: Gate, runs: Runs, *, approvals_url: str | None = None) -> tuple[GuardedRoute, ...]:
    """Return the routes of MCP and REST. `approvals_url` is the page where people decide; the id is put behind it."""
    finder = RunFinder(runs)
    endpoint = McpEndpoint(gate, runs, finder, approvals_url=approvals_url)
    return (
        GuardedRoute("/mcp", frozenset({"POST", "DELETE"}), _PROPOSERS, endpoint),
        GuardedRoute(COLLECTION, frozenset({"POST"}), _PROPOSERS, ToolCalls(gate, finder)),
        GuardedRoute(RESOURCE, frozenset({"GET"}), _READERS, ToolCallByName(runs)),
    )
