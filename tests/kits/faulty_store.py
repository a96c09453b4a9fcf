"""A store in memory whose next answers are failures, before or after the commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from interlock.adapters.memory import MemoryStore
from interlock.domain.errors import StoreUnavailable
from interlock.gateway.store import Tx

T = TypeVar("T")


class Fate(Enum):
    """What becomes of a transaction."""

    FINE = "fine"
    LOST = "lost"
    """It fails, and nothing is recorded."""
    UNANSWERED = "unanswered"
    """It commits, and the answer is lost on the way."""


class FaultyStore(MemoryStore):
    """Transactions meet `fates` in turn, and succeed when there are none left."""

    def __init__(self) -> None:
        super().__init__()
        self.fates: deque[Fate] = deque()
        self.transactions = 0

    async def transact(self, work: Callable[[Tx], T]) -> T:
        self.transactions += 1
        fate = self.fates.popleft() if self.fates else Fate.FINE
        if fate is Fate.LOST:
            raise StoreUnavailable("The store is gone")
        value = await super().transact(work)
        if fate is Fate.UNANSWERED:
            raise StoreUnavailable("The connection was lost during a commit")
        return value
