"""What the trail says was erased: a record whose words are gone without that is one that somebody emptied."""

from collections.abc import Iterator
from dataclasses import dataclass

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.ids import TenantId
from interlock.gateway.store import Tx

_MOST = 100_000
_OF_ONE_RUN = 1_000
_CALLS = frozenset({AuditKind.CALL_DECIDED, AuditKind.CALL_SETTLED, AuditKind.CALL_RESOLVED})


@dataclass(frozen=True, slots=True)
class LoggedErasures:
    """The erasures of one tenant."""

    tenant: TenantId
    everything: bool
    """Keys of the tenant were destroyed: anything may be unreadable."""
    expired: frozenset[str]
    """Runs whose time was over."""
    alone: bool
    """Whether model calls outside runs were ever erased."""

    def cover(self, tx: Tx, told: AuditEvent) -> bool:
        """Return whether the words of what `told` is about were erased by somebody who logged it."""
        if self.everything:
            return True
        runs = tuple(_runs(told))
        if not runs:
            return self.alone
        return any(run in self.expired or self._erased(tx, run) for run in runs)

    def _erased(self, tx: Tx, run: str) -> bool:
        events = tx.audit.search(self.tenant, subject=run, limit=_OF_ONE_RUN)
        return any(one.kind is AuditKind.DATA_ERASED and one.subject == run for one in events)


def logged_erasures(tx: Tx, tenant: TenantId) -> LoggedErasures:
    """Return what the trail says was erased."""
    past = tx.audit.search(tenant, subject="retention", limit=_MOST)
    bodies = [one.body for one in past if one.kind is AuditKind.DATA_EXPIRED]
    wanted = [one for one in tx.audit.search(tenant, subject="era_", limit=_MOST) if one.kind is AuditKind.DATA_ERASED]
    keys = tx.audit.search(tenant, subject="encryption", limit=_MOST)
    return LoggedErasures(
        tenant,
        everything=any(one.kind is AuditKind.ENCRYPTION_DESTROYED for one in keys),
        expired=frozenset(run for body in bodies for run in body.get("runs", ())),
        alone=any(body.get("material") == "model_calls" for body in bodies) or bool(wanted),
    )


def _runs(told: AuditEvent) -> Iterator[str]:
    """Yield the runs that an event may be about: ids may hold slashes."""
    if told.kind is AuditKind.RUN_OPENED:
        yield told.subject
        return
    subject = str(told.body.get("call", "")) if told.kind is AuditKind.APPROVAL_VOTED else told.subject
    parts = subject.removeprefix(f"{told.tenant}/").split("/")
    for cut in range(1, len(parts)):
        yield "/".join(parts[:cut])
