"""The shop behind the demo's tools: orders, customers, mail, and its own books of what really happened."""

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal

from interlock.domain.canonical import JsonObject


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of money, as the shop booked it."""

    kind: str
    reference: str
    cents: int


@dataclass(slots=True)
class Shop:
    """Everything that the tools read and change."""

    orders: dict[str, JsonObject]
    customers: dict[str, JsonObject]
    inbox: str
    books: list[Entry] = field(default_factory=list)
    outbox: list[str] = field(default_factory=list)
    """Whom mail was sent to."""
    slow: set[str] = field(default_factory=set)
    """Tools whose next answer gets lost on the way, after the work is done."""
    _done: dict[str, JsonObject] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def book(self, kind: str, reference: str, amount_usd: float, key: str = "") -> JsonObject:
        """Move money, once per `key` where there is one."""
        with self._lock:
            if key and key in self._done:
                return self._done[key]
            cents = int(Decimal(str(amount_usd)) * 100)
            self.books.append(Entry(kind, reference, cents))
            receipt: JsonObject = {"receipt": f"R-{len(self.books):03}", "amount_usd": amount_usd}
            if key:
                self._done[key] = receipt
            return receipt

    def loses_the_answer(self, tool: str) -> bool:
        """Whether this answer of `tool` gets lost; the next one does not."""
        with self._lock:
            lost = tool in self.slow
            self.slow.discard(tool)
            return lost

    @property
    def moved_cents(self) -> int:
        """All money that left the shop."""
        return sum(entry.cents for entry in self.books)


SHOP: ContextVar[Shop] = ContextVar("interlock_demo_shop")
"""The shop of the demo that is running."""
