"""Followers read the trail in the order of the log and act on it once each: the trail is their outbox."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Protocol

from interlock.domain.errors import InterlockError
from interlock.domain.ids import RunId, TenantId
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.traces.ports import RunChange, SpanStore
from interlock.traces.sums import opened_runs, run_changes

BATCH = 2_000
"""The most events that are read at once."""
_PAUSE_S = 0.25
"""Between two looks for new events."""
_LEASE_MS = 15_000
"""How long a process is taken for the follower after it last said so: others take over then."""
_LOG = logging.getLogger(__name__)


class Follower(Protocol):
    """Reads the trail from a position that is kept durably."""

    @property
    def name(self) -> str:
        """Under which its position is kept; never reused for another purpose."""

    async def step(self, position: int) -> int:
        """Act on what stands in the log from `position` on, note the new position durably, and return it.

        Returns `position` itself when there is nothing new. Raises an InterlockError to be asked again later: whatever
        part of the trail was acted on and not noted comes again.
        """


@dataclass(frozen=True, slots=True)
class SumsFollower(Follower):
    """Adds up what happens in runs: one row of sums for each."""

    store: Store
    spans: SpanStore

    @property
    def name(self) -> str:
        return "sums"

    async def step(self, position: int) -> int:
        def look(tx: Tx) -> tuple[int, tuple[RunChange, ...]]:
            leaves = tx.log.leaves(position, BATCH)
            # The trail holds users as commitments only: who they are stands in the runs, until it is erased.
            found = ((key, tx.runs.find(TenantId(key[0]), RunId(key[1]))) for key in opened_runs(leaves))
            users = {key: run.user for key, run in found if run is not None and run.user}
            # Added up here, in the reader's thread: thousands of events would hold up every call under way.
            return len(leaves), run_changes(leaves, users)

        count, changes = await self.store.read(look)
        if not count:
            return position
        beyond = position + count
        # INVARIANT: sums and position change together, so each event counts once, whenever a process dies.
        if not await self.spans.follow(self.name, position, beyond, changes):
            return await self.spans.position(self.name)
        return beyond


@dataclass(frozen=True, slots=True)
class Following:
    """Keeps a follower going in this process, unless another process does."""

    follower: Follower
    spans: SpanStore
    owner: str
    """This process."""
    clock: Clock

    async def run(self) -> None:
        """Follow for ever. A store that is away for a while is not the end of it, and is told once."""
        try:
            await self._follow()
        finally:
            # So that whoever comes next, perhaps this process started anew, need not wait until the lease runs out.
            with contextlib.suppress(InterlockError):
                now = self.clock.now()
                await self.spans.lease(self.follower.name, self.owner, now, now)

    async def _follow(self) -> None:
        told = ""
        while True:
            try:
                if await self._lease():
                    await self._while_leased()
                told = ""
            except InterlockError as error:
                if str(error) != told:
                    _LOG.warning("%s: the trail is not followed for now: %s", self.follower.name, error)
                told = str(error)
            except Exception as error:  # noqa: BLE001 - see below
                # Whatever it is, it must not end the follower in silence.
                if repr(error) != told:
                    _LOG.exception("%s: the trail is not followed for now: a fault in Interlock", self.follower.name)
                told = repr(error)
            await asyncio.sleep(_LEASE_MS / 3_000)

    async def _lease(self) -> bool:
        now = self.clock.now()
        return await self.spans.lease(self.follower.name, self.owner, now, now + _LEASE_MS)

    async def _while_leased(self) -> None:
        position = await self.spans.position(self.follower.name)
        renewed = self.clock.now()
        while True:
            before, position = position, await self.follower.step(position)
            now = self.clock.now()
            if now - renewed > _LEASE_MS / 3:
                if not await self._lease():
                    return
                renewed = now
            if position == before:
                await asyncio.sleep(_PAUSE_S)


async def catch_up(follower: Follower, spans: SpanStore) -> int:
    """Read the trail to its end now, whoever else follows it; return the position. Only for what is safe to do twice at once."""
    position = await spans.position(follower.name)
    while (beyond := await follower.step(position)) != position:
        position = beyond
    return position
