"""What a run saw, in order; results of tools are read from the journal."""

from interlock.adapters.sql.calls import record_of
from interlock.adapters.sql.session import Session, Statement
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
        values = {"tenant": tenant, "run": run, "kind": kind, "body": body.encode(), "call": call}
        row = self._session.one(APPEND, values)
        return 0 if row is None else int(row[0])

    def since(self, tenant: TenantId, run: RunId, seq: int) -> tuple[tuple[EvidenceRow, CallRecord | None], ...]:
        rows = self._session.all(SINCE, {"tenant": tenant, "run": run, "seq": seq})
        return tuple(
            (
                EvidenceRow(row[0], row[1], row[2].decode(), row[3]),
                None if row[4] is None else record_of(row[4:], self._session),
            )
            for row in rows
        )
