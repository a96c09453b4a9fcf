"""The trail in memory."""

from collections.abc import Iterator
from itertools import islice

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.audit.leaf import leaf_bytes
from interlock.audit.ports import AuditTrail
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.ids import TenantId


class MemoryAudit(AuditTrail):
    """Events by id."""

    def __init__(self, undo: Undo) -> None:
        self._events: Shelf[str, AuditEvent] = Shelf(undo)
        self._in_order: Shelf[int, AuditEvent] = Shelf(undo)

    def append(self, *events: AuditEvent) -> None:
        for event in events:
            leaf_bytes(event)  # What has no canonical form is refused here as it is by a database.
            self._events.put(event.id, event)
            self._in_order.put(len(self._in_order), event)

    def count(self) -> int:
        """Return how many events there are."""
        return len(self._in_order)

    def after(self, first: int, limit: int) -> Iterator[AuditEvent]:
        """Return up to `limit` events from the place `first` on, in the order in which they came."""
        for place in range(first, min(first + limit, len(self._in_order))):
            event = self._in_order.find(place)
            if event is not None:
                yield event

    def search(
        self, tenant: TenantId, *, subject: str | None, limit: int, kind: AuditKind | None = None, since: int = 0
    ) -> tuple[AuditEvent, ...]:
        found = (
            event
            for event in self._events.newest_first()
            if event.tenant == tenant
            and event.subject.startswith(subject or "")
            and kind in (None, event.kind)
            and event.at >= since
        )
        return tuple(islice(found, limit))
