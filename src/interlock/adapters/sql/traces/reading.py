"""Traces and the sums of runs, as they are shown."""

from collections.abc import Sequence
from typing import Any

from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.ids import RunId, TenantId
from interlock.traces.ports import Order, RunQuery, RunSummary

COLUMNS = (
    "trace, run, session, workflow, user_id, state, outcome, started_at, ended_at, model_calls, tool_calls, "
    "failed_calls, denied, held, escalated, near_misses, input_tokens, output_tokens, cost_nano_usd, spans, errors, "
    "reported_input_tokens, reported_output_tokens, reported_cost_nano_usd"
)
"""What `summary_of` reads."""
_MATCHING = f"""
    SELECT {COLUMNS} FROM run_sums
    WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
        AND (:workflow = '' OR workflow = :workflow) AND (:user = '' OR user_id = :user)
        AND (:state = '' OR state = :state) AND (:outcome = '' OR outcome = :outcome)
"""  # noqa: S608 - our own names of columns

ORDERS = {
    Order.NEWEST: Statement(_MATCHING + "ORDER BY started_at DESC, id DESC LIMIT :limit"),
    Order.DEAREST: Statement(
        _MATCHING
        + "ORDER BY CASE WHEN cost_nano_usd > 0 THEN cost_nano_usd ELSE reported_cost_nano_usd END DESC, id DESC LIMIT :limit"
    ),
    Order.LONGEST: Statement(
        _MATCHING + "ORDER BY coalesce(ended_at, started_at) - started_at DESC, id DESC LIMIT :limit"
    ),
}

OF_RUN = Statement(f"SELECT {COLUMNS} FROM run_sums WHERE tenant = :tenant AND run = :run AND run <> ''")  # noqa: S608

OF_TRACE = Statement(
    f"SELECT {COLUMNS} FROM run_sums WHERE tenant = :tenant AND trace = :trace ORDER BY ordinal"  # noqa: S608
)


class SumReading:
    """Reads `run_sums`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_run(self, tenant: TenantId, run: RunId) -> RunSummary | None:
        """Return the sums of one run, or None."""
        row = self._session.one(OF_RUN, {"tenant": tenant, "run": run})
        return None if row is None else summary_of(tenant, row)

    def of_trace(self, tenant: TenantId, trace_id: str) -> tuple[RunSummary, ...]:
        """Return the sums of one trace: of every run that it holds."""
        rows = self._session.all(OF_TRACE, {"tenant": tenant, "trace": bytes.fromhex(trace_id)})
        return tuple(summary_of(tenant, row) for row in rows)

    def runs(self, query: RunQuery, order: Order) -> tuple[RunSummary, ...]:
        """Return the sums of matching runs."""
        if query.runs:
            asked = [{"tenant": query.tenant, "run": run} for run in query.runs]
            rows: Sequence[Row | None] = self._session.each(OF_RUN, asked)
        else:
            rows = self._session.all(ORDERS[order], _values(query))
        return tuple(summary_of(query.tenant, row) for row in rows if row is not None)


def _values(query: RunQuery) -> dict[str, Any]:
    return {
        "tenant": query.tenant,
        "since": query.since,
        "until": query.until,
        "workflow": query.workflow,
        "user": query.user,
        "state": query.state,
        "outcome": query.outcome,
        "limit": query.limit,
    }


def summary_of(tenant: TenantId, row: Sequence[Any]) -> RunSummary:
    """Return the sums of a row of `COLUMNS`."""
    trace, run, session, workflow, user, state, outcome, started_at, ended_at, *counts = row
    return RunSummary(
        tenant,
        bytes(trace).hex(),
        RunId(run) if run else None,
        session,
        workflow,
        user,
        state,
        outcome,
        started_at,
        # What spans from outside say of a run that goes on is no end.
        None if state == "open" else ended_at,
        *counts,
    )
