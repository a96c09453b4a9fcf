"""Where the trail is kept. Every method runs inside one transaction of the store."""

from typing import Protocol

from interlock.domain.audit import AuditEvent
from interlock.domain.ids import TenantId


class AuditTrail(Protocol):
    """INVARIANT I7: an event commits with what it tells of, or neither does. There is no method to change or delete."""

    def append(self, *events: AuditEvent) -> None:
        """Add events, in order: the canonical JSON and leaf hash of each (see `interlock.audit.leaf`)."""

    def search(self, tenant: TenantId, *, subject: str | None, limit: int) -> tuple[AuditEvent, ...]:
        """Return events, newest first; `subject` matches from its start."""
