"""Questions to people, and where they stand."""

from typing import Any

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.seals import erased, place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.approvals.ports import ApprovalFilter, ApprovalRecords
from interlock.domain.approvals import Approval, ApprovalState, Binding, Verdict, Vote
from interlock.domain.calls import CallKey
from interlock.domain.errors import Erased
from interlock.domain.ids import ApprovalId, TenantId

ERASED = b""
"""Stands for a question that was erased."""
LIVE = frozenset({ApprovalState.OPEN, ApprovalState.GRANTED})

ADD = Statement("""
    INSERT INTO approvals (id, tenant, run, state, created_at, due_at, expires_at, escalated_at, body)
    VALUES (:id, :tenant, :run, :state, :created_at, :due_at, :expires_at, :escalated_at, :body)
""")

FIND = Statement("SELECT tenant, id, body FROM approvals WHERE id = :id")

FIND_LOCKED = Statement("SELECT tenant, id, body FROM approvals WHERE id = :id FOR UPDATE")

REPLACE = Statement("""
    UPDATE approvals
    SET state = :state, due_at = :due_at, expires_at = :expires_at, escalated_at = :escalated_at, body = :body
    WHERE id = :id AND state = :since
""")

SEARCH = Statement(
    """
    SELECT tenant, id, body FROM approvals
    WHERE (:tenant IS NULL OR tenant = :tenant)
      AND (:run IS NULL OR run = :run)
      AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
      AND (:due_before IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (:expires_before IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, id, body FROM approvals
    WHERE (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
      AND (CAST(:run AS text) IS NULL OR run = :run)
      AND (CAST(:states AS text[]) IS NULL OR state = ANY(CAST(:states AS text[])))
      AND (CAST(:due_before AS bigint) IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (CAST(:expires_before AS bigint) IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
)

SEARCH_RUN = Statement(
    """
    SELECT tenant, id, body FROM approvals
    WHERE tenant = :tenant AND run = :run
      AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
      AND (:due_before IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (:expires_before IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, id, body FROM approvals
    WHERE tenant = :tenant AND run = :run
      AND (CAST(:states AS text[]) IS NULL OR state = ANY(CAST(:states AS text[])))
      AND (CAST(:due_before AS bigint) IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (CAST(:expires_before AS bigint) IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
)

# Its first line is the condition of the index over the few questions that are not closed.
SEARCH_LIVE = Statement(
    """
    SELECT tenant, id, body FROM approvals INDEXED BY approvals_live
    WHERE state IN ('open', 'granted')
      AND (:tenant IS NULL OR tenant = :tenant)
      AND (:run IS NULL OR run = :run)
      AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
      AND (:due_before IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (:expires_before IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, id, body FROM approvals
    WHERE state IN ('open', 'granted')
      AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
      AND (CAST(:run AS text) IS NULL OR run = :run)
      AND (CAST(:states AS text[]) IS NULL OR state = ANY(CAST(:states AS text[])))
      AND (CAST(:due_before AS bigint) IS NULL OR (due_at < :due_before AND escalated_at IS NULL))
      AND (CAST(:expires_before AS bigint) IS NULL OR expires_at < :expires_before)
    ORDER BY due_at, seq LIMIT :limit
    """,
)


class SqlApprovals(ApprovalRecords):
    """The table `approvals`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, approval: Approval) -> None:
        key = approval.binding.key
        fixed = {"tenant": key.tenant, "run": key.run, "created_at": approval.created_at}
        self._session.run(ADD, self._standing(approval) | fixed)

    def find(self, approval: ApprovalId) -> Approval | None:
        row = self._session.one(FIND_LOCKED if self._session.locks_rows else FIND, {"id": approval})
        if row is None:
            return None
        found = self._approval(row)
        if found is None:
            raise erased()
        return found

    def replace(self, approval: Approval, *, since: ApprovalState) -> bool:
        return self._session.run(REPLACE, self._standing(approval) | {"since": since.value}) == 1

    def search(self, query: ApprovalFilter) -> tuple[Approval, ...]:
        values = {
            "tenant": query.tenant,
            "run": query.run,
            "states": self._session.texts(query.states),
            "due_before": query.due_before,
            "expires_before": query.expires_before,
            "limit": query.limit,
        }
        found = [self._approval(row) for row in self._session.all(_search(query), values)]
        return tuple(one for one in found if one is not None)

    def _standing(self, approval: Approval) -> dict[str, Any]:
        tenant = approval.binding.key.tenant
        return {
            "id": approval.id,
            "state": approval.state.value,
            "due_at": approval.due_at,
            "expires_at": approval.expires_at,
            "escalated_at": approval.escalated_at,
            "body": self._session.seals.seal(tenant, _place(tenant, approval.id), encode(approval)),
        }

    def _approval(self, row: Row) -> Approval | None:
        """Return the approval that a row stands for, or None where it was erased."""
        tenant, id_, body = row
        if body == ERASED:
            return None
        try:
            return _approval(self._session.seals.open(tenant, _place(tenant, id_), body))
        except Erased:
            return None


def _search(query: ApprovalFilter) -> Statement:
    """Return the statement that reads the least for `query`; all of them give the same answer to it."""
    if query.tenant is not None and query.run is not None:
        return SEARCH_RUN
    if query.states is not None and query.states <= LIVE:
        return SEARCH_LIVE
    return SEARCH


def _place(tenant: TenantId, id: ApprovalId) -> str:
    return place_of("approvals", "body", tenant, id)


def _approval(body: bytes) -> Approval:
    fields = decode(body)
    binding, replaced_by = fields.pop("binding"), fields.pop("replaced_by")
    votes = tuple(
        Vote(vote["by"], Verdict(vote["verdict"]), vote["reason"], vote["at"]) for vote in fields.pop("votes")
    )
    return Approval(
        binding=Binding(key=CallKey(**binding.pop("key")), **binding),
        reasons=tuple(fields.pop("reasons")),
        state=ApprovalState(fields.pop("state")),
        votes=votes,
        replaced_by=replaced_by and CallKey(**replaced_by),
        **fields,
    )
