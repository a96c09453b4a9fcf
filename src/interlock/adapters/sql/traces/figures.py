"""Figures over the sums of runs: by workflow, exact, from an index that holds all that they need."""

import orjson

from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.ids import TenantId
from interlock.traces.ports import WorkflowCounts, WorkflowFigures
from interlock.traces.rates import percentile

# Percentiles are of numbers that the database hands over as one text for each workflow: half the time of window functions,
# and of a row for each run.
WORKFLOWS = Statement(
    """
    SELECT CASE WHEN :whole = 1 THEN '' ELSE workflow END, count(*), count(ended_at),
        sum(CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END),
        sum(CASE WHEN outcome <> '' THEN 1 ELSE 0 END),
        sum(CASE WHEN outcome = 'escalated' OR escalated > 0 THEN 1 ELSE 0 END),
        json_group_array(CASE WHEN cost_nano_usd > 0 THEN cost_nano_usd ELSE reported_cost_nano_usd END),
        json_group_array(ended_at - started_at) FILTER (WHERE ended_at IS NOT NULL)
    FROM run_sums INDEXED BY run_sums_newest
    WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
    GROUP BY 1 ORDER BY 1
    """,
    postgresql="""
    SELECT CASE WHEN :whole = 1 THEN '' ELSE workflow END, count(*), count(ended_at),
        sum(CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END),
        sum(CASE WHEN outcome <> '' THEN 1 ELSE 0 END),
        sum(CASE WHEN outcome = 'escalated' OR escalated > 0 THEN 1 ELSE 0 END),
        CAST(json_agg(CASE WHEN cost_nano_usd > 0 THEN cost_nano_usd ELSE reported_cost_nano_usd END) AS text),
        CAST(json_agg(ended_at - started_at) FILTER (WHERE ended_at IS NOT NULL) AS text)
    FROM run_sums
    WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
    GROUP BY 1 ORDER BY 1
    """,
)

COUNTS = Statement("""
    SELECT CASE WHEN :whole = 1 THEN '' ELSE workflow END, CAST(sum(model_calls) AS bigint), CAST(sum(tool_calls) AS bigint),
        CAST(sum(failed_calls) AS bigint), CAST(sum(denied) AS bigint), CAST(sum(held) AS bigint),
        CAST(sum(escalated) AS bigint), CAST(sum(near_misses) AS bigint),
        sum(CASE WHEN spans > 0 THEN 1 ELSE 0 END),
        sum(CASE WHEN ended_at IS NOT NULL AND state <> 'open' AND (model_calls > 0 OR spans > 0) THEN 1 ELSE 0 END)
    FROM run_sums WHERE tenant = :tenant AND started_at >= :since AND started_at < :until
    GROUP BY 1 ORDER BY 1
""")

NOTABLE = Statement("""
    SELECT CASE WHEN :whole = 1 THEN '' ELSE r.workflow END, n.kind, n.reason, CAST(sum(n.times) AS bigint)
    FROM notable AS n JOIN run_sums AS r ON r.id = n.sums
    WHERE r.tenant = :tenant AND r.started_at >= :since AND r.started_at < :until
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 2, 3
""")


class SpanFigures:
    """Reads `run_sums` and `notable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def workflows(self, tenant: TenantId, since: int, until: int, *, whole: bool) -> tuple[WorkflowFigures, ...]:
        """Return the figures of each workflow, by name, or of all together."""
        window = {"tenant": tenant, "since": since, "until": until, "whole": int(whole)}
        return tuple(map(_figures, self._session.all(WORKFLOWS, window)))

    def counts(self, tenant: TenantId, since: int, until: int, *, whole: bool) -> tuple[WorkflowCounts, ...]:
        """Return what happened in each workflow, by name, or in all together."""
        window = {"tenant": tenant, "since": since, "until": until, "whole": int(whole)}
        notable: dict[str, list[tuple[str, str, int]]] = {}
        for workflow, kind, reason, times in self._session.all(NOTABLE, window):
            notable.setdefault(workflow, []).append((kind, reason, times))
        rows = self._session.all(COUNTS, window)
        return tuple(_counts(row, tuple(notable.get(row[0], ()))) for row in rows)


def _figures(row: Row) -> WorkflowFigures:
    workflow, runs, ended, succeeded, judged, escalated, costs, times = row
    cost: list[int] = sorted(orjson.loads(costs))
    took: list[int] = sorted(orjson.loads(times or "[]"))
    return WorkflowFigures(
        workflow=workflow,
        runs=runs,
        ended=ended,
        succeeded=succeeded,
        judged=judged,
        escalated=escalated,
        cost_nano_usd=sum(cost),
        p50_cost_nano_usd=percentile(cost, 50),
        p95_cost_nano_usd=percentile(cost, 95),
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        p99_ms=percentile(took, 99),
    )


def _counts(row: Row, notable: tuple[tuple[str, str, int], ...]) -> WorkflowCounts:
    workflow, model_calls, tool_calls, failed_calls, denied, held, escalated, near_misses, seen, whole = row
    return WorkflowCounts(
        workflow, model_calls, tool_calls, failed_calls, denied, held, escalated, near_misses, seen, whole, notable
    )
