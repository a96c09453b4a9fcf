"""The surfaces for agents over a gate in memory, behind the real door, with real keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from interlock.domain.identity import Role
from interlock.domain.ids import AgentId
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.server.guard import DoorRules, Guard
from interlock.server.routing import Routes
from interlock.server.tools.routes import tool_routes
from tests.kits.gate import TENANT, Kit, a_kit
from tests.kits.mcp import serving

APPROVALS = "https://gate.example.com/approvals"


@dataclass(slots=True)
class Door:
    """A served gate."""

    kit: Kit
    url: str
    key: str
    """An agent's key."""
    operator: str
    """An operator's key."""

    @property
    def mcp(self) -> str:
        return f"{self.url}/mcp"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@asynccontextmanager
async def a_door(kit: Kit | None = None, *, approvals_url: str | None = None) -> AsyncIterator[Door]:
    """Serve a kit (a fresh one by default) on a free port."""
    kit = kit or await a_kit()
    admin = operator_at_the_machine(TENANT, "test")
    key, _ = await kit.access.create_key(admin, "bot", frozenset({Role.AGENT}), AgentId("refunds"))
    operator, _ = await kit.access.create_key(admin, "olga", frozenset({Role.OPERATOR}), None)
    routes = Routes(tool_routes(kit.gate, kit.runs, approvals_url=approvals_url))
    async with serving(Guard(routes, DoorRules(), kit.access.authenticate)) as url:
        yield Door(kit, url, key, operator)
