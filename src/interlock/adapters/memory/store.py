"""All records in memory, joined in one transaction at a time."""

import threading
from collections.abc import Callable
from typing import TypeVar

from interlock.adapters.memory.audit import MemoryAudit
from interlock.adapters.memory.budgets import MemoryBudgets
from interlock.adapters.memory.controls import MemoryApprovals, MemoryBrakes, MemoryPins
from interlock.adapters.memory.identities import MemoryIdentities
from interlock.adapters.memory.keeping import MemoryKeeping
from interlock.adapters.memory.log import MemoryLog
from interlock.adapters.memory.models import MemoryModels
from interlock.adapters.memory.releases import MemoryReleases
from interlock.adapters.memory.replays import MemoryReplays
from interlock.adapters.memory.runs import MemoryCalls, MemoryEvidence, MemoryHeartbeats, MemoryRuns
from interlock.adapters.memory.shelf import Undo
from interlock.domain.errors import StoreUnavailable
from interlock.gateway.store import Store, Tx

T = TypeVar("T")


class MemoryTx:
    """The records of every capability (see `interlock.gateway.store.Tx`)."""

    def __init__(self, undo: Undo) -> None:
        self.runs = MemoryRuns(undo)
        self.calls = MemoryCalls(undo)
        self.evidence = MemoryEvidence(undo, self.calls)
        self.heartbeats = MemoryHeartbeats(undo)
        self.budgets = MemoryBudgets(undo)
        self.approvals = MemoryApprovals(undo)
        self.brakes = MemoryBrakes(undo)
        self.audit = MemoryAudit(undo)
        self.log = MemoryLog(undo, self.audit)
        self.identities = MemoryIdentities(undo)
        self.pins = MemoryPins(undo)
        self.models = MemoryModels(undo)
        self.keeping = MemoryKeeping(undo, self)
        self.releases = MemoryReleases(undo)
        self.replays = MemoryReplays(self.runs, self.calls, self.models)


class MemoryStore(Store):
    """Rows live as long as the object. A transaction that fails is taken back."""

    def __init__(self) -> None:
        self._undo = Undo()
        self._tx = MemoryTx(self._undo)
        self._lock = threading.Lock()
        self._closed = False

    async def transact(self, work: Callable[[Tx], T]) -> T:
        return self._run(work, keep=True)

    async def read(self, work: Callable[[Tx], T]) -> T:
        return self._run(work, keep=False)

    def _run(self, work: Callable[[Tx], T], *, keep: bool) -> T:
        if self._closed:
            raise StoreUnavailable("The store is closed", do="Nothing can be done in a process that is shutting down")
        with self._lock:
            try:
                value = work(self._tx)
                if keep:
                    self._undo.keep()
                return value
            finally:
                self._undo.roll_back()

    async def close(self) -> None:
        self._closed = True
