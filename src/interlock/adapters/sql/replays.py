"""Many runs read at once, in the order in which they happened."""

from collections.abc import Mapping, Sequence

from interlock.adapters.sql.calls import record_of
from interlock.adapters.sql.runs import run_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.calls import CallRecord
from interlock.domain.ids import AgentId, RunId, TenantId
from interlock.domain.runs import Run
from interlock.runs.replays import ModelCost, ReplayRecords

RUNS = Statement(
    """
    SELECT run FROM runs
    WHERE tenant = :tenant AND opened_at >= :since AND opened_at < :until AND (:agent IS NULL OR agent = :agent)
    ORDER BY seq
    """,
    postgresql="""
    SELECT run FROM runs
    WHERE tenant = :tenant AND opened_at >= :since AND opened_at < :until
      AND (CAST(:agent AS text) IS NULL OR agent = :agent)
    ORDER BY seq
    """,
)

HEADERS = Statement(
    """
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, ended_at, outcome,
           trace, parent_span, salt, erased_at
    FROM runs WHERE tenant = :tenant AND run IN (SELECT value FROM json_each(:runs))
    """,
    postgresql="""
    SELECT tenant, run, agent, principal, user_id, state, opened_at, deadline, labels, ended_at, outcome,
           trace, parent_span, salt, erased_at
    FROM runs WHERE tenant = :tenant AND run = ANY(CAST(:runs AS text[]))
    """,
)

# Results are the largest part of most calls, and no decision rests on them.
CALLS = Statement(
    """
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, NULL
    FROM calls WHERE tenant = :tenant AND run IN (SELECT value FROM json_each(:runs)) ORDER BY +seq
    """,
    postgresql="""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, CAST(NULL AS bytea)
    FROM calls WHERE tenant = :tenant AND run = ANY(CAST(:runs AS text[])) ORDER BY +seq
    """,
)

COSTS = Statement(
    """
    SELECT run, call, agent, principal, user_id, step, status = 'refused', started_at, input + output, cost_nano_usd
    FROM model_calls
    WHERE tenant = :tenant AND run IN (SELECT value FROM json_each(:runs)) ORDER BY +seq
    """,
    postgresql="""
    SELECT run, call, agent, principal, user_id, step, status = 'refused', started_at, input + output, cost_nano_usd
    FROM model_calls
    WHERE tenant = :tenant AND run = ANY(CAST(:runs AS text[])) ORDER BY +seq
    """,
)


class SqlReplays(ReplayRecords):
    """Reads the tables of runs, calls and model calls, and writes none."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def runs(self, tenant: TenantId, *, since: int, until: int, agent: AgentId | None) -> tuple[RunId, ...]:
        values = {"tenant": tenant, "since": since, "until": until, "agent": agent}
        return tuple(run for (run,) in self._session.all(RUNS, values))

    def headers(self, tenant: TenantId, runs: Sequence[RunId]) -> Mapping[RunId, Run]:
        rows = self._session.all(HEADERS, self._of(tenant, runs))
        return {found.id: found for found in (run_of(row, self._session) for row in rows)}

    def calls(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[CallRecord, ...]:
        rows = self._session.all(CALLS, self._of(tenant, runs))
        return tuple(record_of(row, self._session) for row in rows)

    def costs(self, tenant: TenantId, runs: Sequence[RunId]) -> tuple[ModelCost, ...]:
        return tuple(_cost(row) for row in self._session.all(COSTS, self._of(tenant, runs)))

    def _of(self, tenant: TenantId, runs: Sequence[RunId]) -> dict[str, object]:
        return {"tenant": tenant, "runs": self._session.texts(runs)}


def _cost(row: Row) -> ModelCost:
    run, call, agent, principal, user, step, refused, started_at, tokens, cost = row
    return ModelCost(
        run,
        call,
        agent,
        principal,
        user,
        step,
        refused=bool(refused),
        started_at=started_at,
        tokens=tokens,
        cost_nano_usd=cost,
    )
