"""What a run saw, in order; results of tools are read from the journal."""

from interlock.adapters.sql.calls import record_of
from interlock.adapters.sql.seals import erased, place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.calls import CallRecord
from interlock.domain.ids import CallId, RunId, TenantId
from interlock.runs.ports import EvidenceLog, EvidenceRow

APPEND = Statement("""
    INSERT INTO evidence (tenant, run, seq, kind, body, call)
    SELECT CAST(:tenant AS text), CAST(:run AS text), COALESCE(MAX(seq), 0) + 1, CAST(:kind AS text), :body,
           CAST(:call AS text)
    FROM evidence WHERE tenant = :tenant AND run = :run
    RETURNING seq
""")

SINCE = Statement("""
    SELECT evidence.seq, evidence.kind, evidence.body, evidence.call,
           calls.tenant, calls.run, calls.call, agent, tool, status, attempt, owner, created_at, updated_at,
           contract_hash, arguments_hash, proposal, progress, salt, arguments, result
    FROM evidence
    LEFT JOIN calls ON calls.tenant = evidence.tenant AND calls.run = evidence.run AND calls.call = evidence.call
    WHERE evidence.tenant = :tenant AND evidence.run = :run AND evidence.seq > :seq
    ORDER BY evidence.seq
""")


class SqlEvidence(EvidenceLog):
    """The table `evidence`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, tenant: TenantId, run: RunId, kind: str, body: str, call: CallId | None) -> int:
        # Without the lock a row could commit after its successor, and a reader that remembers `seq` would never see it.
        self._session.lock(f"evidence {tenant}/{run}")
        values = {
            "tenant": tenant,
            "run": run,
            "kind": kind,
            "body": self._sealed(tenant, run, kind, body, call),
            "call": call,
        }
        row = self._session.one(APPEND, values)
        return 0 if row is None else int(row[0])

    def since(self, tenant: TenantId, run: RunId, seq: int) -> tuple[tuple[EvidenceRow, CallRecord | None], ...]:
        rows = self._session.all(SINCE, {"tenant": tenant, "run": run, "seq": seq})
        return tuple((self._row(tenant, run, row), self._record(row)) for row in rows)

    def _sealed(self, tenant: TenantId, run: RunId, kind: str, body: str, call: CallId | None) -> bytes:
        return self._session.seals.seal(tenant, _place(tenant, run, kind, call), body.encode())

    def _row(self, tenant: TenantId, run: RunId, row: Row) -> EvidenceRow:
        seq, kind, body, call = row[:4]
        return EvidenceRow(
            seq, kind, self._session.seals.open(tenant, _place(tenant, run, kind, call), body).decode(), call
        )

    def _record(self, row: Row) -> CallRecord | None:
        if row[4] is None:
            return None
        record = record_of(row[4:], self._session)
        if record.erased:
            # A run whose past is gone could take what was untrusted for trusted.
            raise erased()
        return record


def _place(tenant: TenantId, run: RunId, kind: str, call: CallId | None) -> str:
    # The database numbers the rows as they are added, so the number is not known yet.
    return place_of("evidence", "body", tenant, run, kind, call or "")
