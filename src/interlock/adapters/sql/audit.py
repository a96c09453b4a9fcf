"""The trail: rows that are added, and never changed or deleted."""

from interlock.adapters.sql.encoding import decode
from interlock.adapters.sql.session import Rows, Session, Statement
from interlock.audit.leaf import leaf_bytes, leaf_hash
from interlock.audit.ports import AuditTrail
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.ids import TenantId

EVENTS = Rows(
    "audit_events",
    ("id", "tenant", "kind", "at", "subject", "leaf", "leaf_hash"),
    ("text", "text", "text", "bigint", "text", "bytea", "bytea"),
)

LATEST = Statement("""
    SELECT leaf FROM audit_events
    WHERE tenant = :tenant AND (CAST(:kind AS text) IS NULL OR kind = :kind) AND at >= :since
    ORDER BY seq DESC LIMIT :limit
""")

SEARCH = Statement("""
    SELECT leaf FROM audit_events
    WHERE tenant = :tenant AND subject >= :first AND subject < :beyond
      AND (CAST(:kind AS text) IS NULL OR kind = :kind) AND at >= :since
    ORDER BY seq DESC LIMIT :limit
""")


class SqlAudit(AuditTrail):
    """The table `audit_events`. `leaf_index` stays empty until a sequencer gives the event its place in the log."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, *events: AuditEvent) -> None:
        self._session.fill(EVENTS, [_values(event) for event in events])

    def search(
        self, tenant: TenantId, *, subject: str | None, limit: int, kind: AuditKind | None = None, since: int = 0
    ) -> tuple[AuditEvent, ...]:
        values = {"tenant": tenant, "limit": limit, "kind": kind.value if kind else None, "since": since}
        if subject is None:
            rows = self._session.all(LATEST, values)
        else:
            rows = self._session.all(SEARCH, {**values, "first": subject, "beyond": subject + "\U0010ffff"})
        return tuple(_event(leaf) for (leaf,) in rows)


def _values(event: AuditEvent) -> tuple[object, ...]:
    leaf = leaf_bytes(event)
    return (event.id, event.tenant, event.kind.value, event.at, event.subject, leaf, leaf_hash(leaf))


def _event(leaf: bytes) -> AuditEvent:
    fields = decode(leaf)
    return AuditEvent(
        id=fields["id"],
        tenant=fields["tenant"],
        kind=AuditKind(fields["kind"]),
        at=fields["at"],
        actor=fields["actor"],
        subject=fields["subject"],
        body=fields["body"],
    )
