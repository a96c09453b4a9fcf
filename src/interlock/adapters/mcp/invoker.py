"""The gate's hands for MCP tools: finds the server of a contract and lets it make the attempt."""

from collections.abc import Mapping
from typing import Protocol

from interlock.gateway.ports import Delivery, Invocation, RawAnswer, ToolInvoker
from interlock.tools.offers import Offer


class McpServer(Protocol):
    """One configured server, whatever the transport."""

    name: str

    async def offers(self, secret: str | None) -> tuple[Offer, ...]:
        """Return every tool that the server lists. Raises ToolUnavailable or BadToolResult."""

    async def call(self, invocation: Invocation) -> RawAnswer:
        """Make one attempt, within its time-out."""

    async def listen(self, secret: str | None) -> bool:
        """Follow announcements until they end; return False when there is nothing to follow."""

    async def close(self) -> None:
        """Let go of connections and processes."""


class McpInvoker(ToolInvoker):
    """Carries calls out at MCP servers, by the name of the connection in the contract."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self._servers = servers

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        server = self._servers.get(invocation.contract.upstream.server)
        if server is None:
            return RawAnswer(Delivery.NOT_SENT, detail="the connection of this tool is not configured")
        return await server.call(invocation)

    async def close(self) -> None:
        """Close every server's connection."""
        for server in self._servers.values():
            await server.close()
