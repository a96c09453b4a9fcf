"""Traces and figures."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from interlock.domain.identity import Role
from interlock.server.api import traces_views
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import Limited, bounded
from interlock.server.api.runs import READERS
from interlock.server.api.traces_documents import FiguresReportDocument, TraceDocument, TracesDocument
from interlock.traces.ports import Order, RunQuery

_WATCHERS = frozenset({Role.OPERATOR, Role.AUDITOR, Role.APPROVER})
_WEEK_MS = 7 * 86_400_000


class By(StrEnum):
    """What figures are told of."""

    WORKFLOW = "workflow"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which runs and traces from outside; what is left out is any."""

    workflow: str = ""
    user: str = ""
    state: Annotated[str, "`open`, `closed` or `stopped`."] = ""
    outcome: str = ""
    since: Annotated[int, "They began at or after this instant, in milliseconds since the epoch."] = 0
    until: Annotated[int | None, "They began before this instant."] = None
    order: Annotated[Order, "What comes first."] = Order.NEWEST
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class FiguresQuery:
    """Over which runs."""

    by: Annotated[By, "Each workflow, or the tenant as one."] = By.WORKFLOW
    since: Annotated[int | None, "The first instant; left out: a week before `until`."] = None
    until: Annotated[int | None, "The first instant after; left out: until now."] = None


async def list_traces(asked: Asked) -> TracesDocument:
    """List runs and traces from outside, with their sums."""
    query: TraceQuery = asked.query
    wanted = RunQuery(
        asked.principal.tenant,
        since=query.since,
        until=RunQuery(asked.principal.tenant).until if query.until is None else query.until,
        workflow=query.workflow,
        user=query.user,
        state=query.state,
        outcome=query.outcome,
        limit=bounded(query.limit),
    )
    found = await asked.desks.traces.list(asked.principal, wanted, query.order)
    return TracesDocument(tuple(map(traces_views.sums, found)))


async def show_trace(asked: Asked) -> TraceDocument:
    """Show one trace as a tree."""
    return traces_views.trace(await asked.desks.traces.show(asked.principal, asked.path["trace"]))


async def show_figures(asked: Asked) -> FiguresReportDocument:
    """Tell how each workflow did."""
    query: FiguresQuery = asked.query
    until = time.time_ns() // 1_000_000 + 1 if query.until is None else query.until
    since = max(0, until - _WEEK_MS) if query.since is None else query.since
    found = await asked.desks.traces.figures(asked.principal, since, until, whole=query.by is By.TENANT)
    return traces_views.figures(since, until, query.by.value, found)


OPERATIONS = (
    Operation(
        Description(
            "GET",
            PREFIX + "/traces",
            "listTraces",
            "List runs, and traces that came from outside, each with its sums.",
            _WATCHERS,
            TraceQuery,
            answer=TracesDocument,
        ),
        list_traces,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/traces/{trace}",
            "showTrace",
            "Show one trace as a tree, named by its id or by a run: Interlock's own work and what others say they did.",
            READERS,
            answer=TraceDocument,
        ),
        show_trace,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/figures",
            "showFigures",
            "Tell how each workflow did: success, cost, escalations, violations, latency; and the time before beside it.",
            _WATCHERS,
            FiguresQuery,
            answer=FiguresReportDocument,
        ),
        show_figures,
    ),
)
"""The operations on traces."""
