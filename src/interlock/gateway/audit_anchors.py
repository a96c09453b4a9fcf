"""Carry checkpoints to the places outside that keep them. A place that fails is told of and tried again; no call waits for it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.notes import parse_note, parse_signature
from interlock.audit.ports import AnchorPlace
from interlock.audit.tree import consistency_proof
from interlock.domain.errors import InterlockError, SigningStopped
from interlock.gateway.audit_log import Watchman, complete, told
from interlock.gateway.store import Store, Tx

_LONGEST_S = 600.0
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Anchored:
    """How one place stands."""

    place: AnchorPlace
    every_s: float
    """How often it gets a checkpoint at most."""
    size: int = 0
    """Of the last tree whose checkpoint it has."""
    problem: InterlockError | None = None
    """Why it has none of the latest; None while all is well."""


class Anchorer:
    """Publishes the latest checkpoint, to each place by itself."""

    def __init__(self, store: Store, places: Sequence[Anchored], watchman: Watchman) -> None:
        """Take checkpoints from `store`; `watchman` hears of a place that knows another history."""
        self._store = store
        self._watchman = watchman
        self.places = tuple(places)

    async def run(self) -> None:
        """Publish to every place, for ever."""
        async with asyncio.TaskGroup() as group:
            for one in self.places:
                group.create_task(self._keep(one))

    async def publish(self) -> None:
        """Publish to every place once, now."""
        for one in self.places:
            await self._publish(one)

    async def _keep(self, one: Anchored) -> None:
        failures = 0
        while True:
            failures = 0 if await self._publish(one) else failures + 1
            pause = one.every_s if not failures else min(_LONGEST_S, one.every_s, 2.0**failures)
            await asyncio.sleep(pause)

    async def _publish(self, one: Anchored) -> bool:
        """Return whether the place has the latest checkpoint now."""
        try:
            note = await self._store.read(lambda tx: tx.log.checkpoint())
            if note is None or (size := read_checkpoint(note).size) <= one.size:
                return True
            lines = await one.place.publish(size, note, self._prove)
            if lines:
                await self._store.transact(lambda tx: _cosign(tx, size, lines))
        except Exception as fault:  # noqa: BLE001 - one place must not take the others along
            error = told(fault)
            if str(error) != str(one.problem):
                _LOG.error("audit log: %s", error)
            one.problem = error
            if isinstance(error, SigningStopped):
                self._watchman.doubt = error
            return False
        if one.problem is not None:
            _LOG.warning("audit log: %s takes checkpoints again", one.place.name)
        if self._watchman.doubt is one.problem:
            self._watchman.doubt = None
        one.size, one.problem = size, None
        return True

    async def _prove(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the consistency proof. Raises MalformedProof, SigningStopped where the log has not as many entries."""
        if not old:
            return ()

        def look(tx: Tx) -> tuple[bytes, ...]:
            if new > tx.log.size():
                raise SigningStopped(f"The log has {tx.log.size()} entries and not {new}", why="entries are gone")
            return consistency_proof(old, new, complete(tx.log))

        return await self._store.read(look)


def _cosign(tx: Tx, size: int, lines: Sequence[str]) -> None:
    """Add what witnesses signed to the checkpoint that is kept."""
    for kept in tx.log.checkpoints(size, 1):
        if read_checkpoint(kept).size == size:
            whole = parse_note(kept).signed_also_by(*map(parse_signature, lines))
            tx.log.keep_checkpoint(size, bytes(whole))
