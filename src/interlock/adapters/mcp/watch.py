"""Notice that the tools of MCP servers changed: ask again at an interval, and at once when a server says so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from interlock.domain.errors import InterlockError

Refresh = Callable[[], Awaitable[None]]
"""Asks the servers again and takes in what they offer now (`Publisher.refresh`)."""

_SETTLE_S = 1.0
"""Announcements within this time count as one, so that a server cannot keep us busy."""
_LOG = logging.getLogger(__name__)


class Announcer(Protocol):
    """A server that may say by itself that its tools changed."""

    async def listen(self) -> bool:
        """Follow announcements until they end; return False when there is nothing to follow."""


class Watch:
    """`nudge` is what a connection calls when its server announces a change (its `on_change`)."""

    def __init__(self, every_s: float = 300.0) -> None:
        self._every_s = every_s
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Ask again soon."""
        self._nudged.set()

    async def run(self, servers: tuple[Announcer, ...], refresh: Refresh) -> None:
        """Refresh at every interval and announcement, until cancelled.

        A refresh that fails leaves everything as it was: nothing new is trusted, and calls fail by themselves.
        """
        listeners = [asyncio.create_task(self._follow(server)) for server in servers]
        try:
            while True:
                await self._wait()
                try:
                    await refresh()
                except InterlockError as error:
                    _LOG.warning("The tools could not be refreshed. %s", error)
        finally:
            for listener in listeners:
                listener.cancel()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._nudged.wait()
            await asyncio.sleep(min(_SETTLE_S, self._every_s))
        except TimeoutError:
            pass
        self._nudged.clear()

    async def _follow(self, server: Announcer) -> None:
        while True:
            followed = await server.listen()
            if followed:
                # The stream ended, and while there is none a change goes unsaid.
                self.nudge()
            await asyncio.sleep(_SETTLE_S if followed else self._every_s)
