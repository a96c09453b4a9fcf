"""Notice that a server's tools changed: ask again at an interval, and at once when the server says so."""

import asyncio
from collections.abc import Awaitable, Callable

from interlock.adapters.mcp.invoker import McpServer
from interlock.domain.errors import InterlockError, ToolFailed
from interlock.tools.offers import Offer

Credential = Callable[[], Awaitable[str | None]]
Report = Callable[[str, tuple[Offer, ...]], Awaitable[None]]
"""Gets the name of the connection and everything that its server now offers."""

_SETTLE_S = 1.0
"""Announcements within this time count as one, so that a server cannot keep us busy."""


class Watch:
    """Watches one server. `nudge` is what its connection calls when the server announces a change."""

    def __init__(self, every_s: float = 300.0) -> None:
        self._every_s = every_s
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Ask again soon."""
        self._nudged.set()

    async def run(self, server: McpServer, credential: Credential, known: tuple[Offer, ...], report: Report) -> None:
        """Report each time that the offers differ from what was known before, until cancelled.

        A server that cannot be asked keeps what is known: calls fail by themselves, and nothing new is trusted.
        """
        listener = asyncio.create_task(self._listen(server, credential))
        try:
            while True:
                await self._wait()
                try:
                    found = await server.offers(await credential())
                except ToolFailed:
                    continue
                if found != known:
                    await report(server.name, found)
                    known = found
        finally:
            listener.cancel()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._nudged.wait()
            await asyncio.sleep(_SETTLE_S)
        except TimeoutError:
            pass
        self._nudged.clear()

    async def _listen(self, server: McpServer, credential: Credential) -> None:
        while True:
            try:
                followed = await server.listen(await credential())
            except InterlockError:
                followed = False
            # A stream that ended may have hidden a change; one that never was is tried again at the interval.
            if followed:
                self.nudge()
            await asyncio.sleep(_SETTLE_S if followed else self._every_s)
