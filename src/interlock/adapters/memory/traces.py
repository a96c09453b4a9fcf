"""Spans and sums in memory: for tests, demonstrations, and deployments that keep nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from interlock.domain.ids import RunId, TenantId
from interlock.domain.spans import Span
from interlock.domain.trace_context import trace_of_run
from interlock.traces.batches import additions_of
from interlock.traces.details import span_of
from interlock.traces.ports import (
    Order,
    Receipt,
    RunChange,
    RunQuery,
    RunSummary,
    SpanRow,
    SpanStore,
    WorkflowCounts,
    WorkflowFigures,
)
from interlock.traces.rates import percentile

_COUNTED = ("model_calls", "tool_calls", "failed_calls", "denied", "held", "escalated", "near_misses")
_ADDED = (*_COUNTED, "input_tokens", "output_tokens", "cost_nano_usd")
_ENDS = ("closed", "stopped")
_ENDLESS = 1 << 62


@dataclass(slots=True)
class _Row:
    """A row of sums, and what is kept beside it."""

    sums: RunSummary
    spans: dict[bytes, SpanRow] = field(default_factory=dict)
    notable: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class _Follower:
    position: int = 0
    holder: str = ""
    until: int = 0


class MemorySpanStore(SpanStore):
    """One list of rows, in the order in which they came."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._followers: dict[str, _Follower] = {}

    async def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        by_trace: dict[bytes, dict[bytes, SpanRow]] = {}
        for row in rows:
            by_trace.setdefault(row.trace, {}).setdefault(row.span, row)
        stored = 0
        for trace, found in by_trace.items():
            place = next((one for one in self._of_trace(tenant, trace.hex())), None)
            if place is None:
                place = self._entered(tenant, trace.hex(), None, _ENDLESS)
            new = tuple(row for span, row in found.items() if span not in place.spans)
            if new:
                place.spans.update((row.span, row) for row in new)
                place.sums = _with_spans(place.sums, new)
            stored += len(new)
        return Receipt(stored, len(rows) - stored)

    async def follow(self, name: str, since: int, position: int, changes: Sequence[RunChange] = ()) -> bool:
        follower = self._followers.setdefault(name, _Follower())
        if follower.position != since:
            return False
        follower.position = position
        for change in changes:
            row = self._of_run(TenantId(change.tenant), RunId(change.run)) or self._opened(change)
            row.sums = _changed(row.sums, change)
            row.notable.update({(kind, reason): times for kind, reason, times in change.notable})
        return True

    async def position(self, name: str) -> int:
        return self._followers.get(name, _Follower()).position

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        follower = self._followers.setdefault(name, _Follower())
        if follower.holder != holder and follower.until > now:
            return False
        follower.holder, follower.until = holder, until
        return True

    async def trace(self, tenant: TenantId, trace_id: str) -> tuple[Span, ...]:
        rows = [row for place in self._of_trace(tenant, trace_id) for row in place.spans.values()]
        bodies = {hash: text for row in rows for _, hash, text in row.bodies}
        return tuple(span_of(row, bodies) for row in sorted(rows, key=lambda row: row.start_ns))

    async def summary(self, tenant: TenantId, run: RunId) -> RunSummary | None:
        found = self._of_run(tenant, run)
        return None if found is None else _shown(found.sums)

    async def sums_of_trace(self, tenant: TenantId, trace_id: str) -> tuple[RunSummary, ...]:
        return tuple(_shown(place.sums) for place in self._of_trace(tenant, trace_id))

    async def runs(self, query: RunQuery, order: Order = Order.NEWEST) -> tuple[RunSummary, ...]:
        if query.runs:
            found = (self._of_run(query.tenant, run) for run in query.runs)
            return tuple(_shown(one.sums) for one in found if one is not None)
        matching = [one.sums for one in reversed(self._rows) if _matches(one.sums, query)]
        matching.sort(key=lambda one: -_KEYS[order](one))
        return tuple(map(_shown, matching[: query.limit]))

    async def workflows(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowFigures, ...]:
        groups = self._groups(tenant, since, until, whole=whole)
        return tuple(_figures(name, [one.sums for one in rows]) for name, rows in sorted(groups.items()))

    async def counts(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowCounts, ...]:
        groups = self._groups(tenant, since, until, whole=whole)
        return tuple(_counts(name, rows) for name, rows in sorted(groups.items()))

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        named = {one.sums.trace_id for one in self._rows if one.sums.tenant == tenant and _names(one, user, runs)}
        rows = (row for trace in named for row in self._of_trace(tenant, trace))
        return frozenset(row.sums.run for row in rows if row.sums.run is not None)

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        erased = 0
        for place in self._rows:
            beside = self._of_trace(tenant, place.sums.trace_id)
            if place.sums.tenant == tenant and any(_names(one, user, runs) for one in beside):
                erased += len(place.spans)
                place.spans.clear()
                place.sums = replace(place.sums, user="", session="")
        return erased

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> int:
        expired = 0
        for place in self._rows:
            sums = place.sums
            kept = any(one.sums.run in keep_runs for one in self._of_trace(tenant, sums.trace_id))
            if sums.tenant == tenant and sums.started_at < before and not kept:
                for span in list(place.spans)[: limit - expired]:
                    del place.spans[span]
                    expired += 1
        return expired

    async def close(self) -> None:
        """Nothing to let go of."""

    def _of_trace(self, tenant: TenantId, trace_id: str) -> list[_Row]:
        return [one for one in self._rows if one.sums.tenant == tenant and one.sums.trace_id == trace_id]

    def _of_run(self, tenant: TenantId, run: RunId) -> _Row | None:
        return next((one for one in self._rows if one.sums.tenant == tenant and one.sums.run == run), None)

    def _opened(self, change: RunChange) -> _Row:
        tenant, run = TenantId(change.tenant), RunId(change.run)
        trace = change.trace.hex() or trace_of_run(tenant, run)
        place = next((one for one in self._of_trace(tenant, trace)[:1] if one.sums.run is None), None)
        if place is None:
            return self._entered(tenant, trace, run, change.at)
        place.sums = replace(place.sums, run=run, started_at=change.at, ended_at=None)
        return place

    def _entered(self, tenant: TenantId, trace: str, run: RunId | None, at: int) -> _Row:
        row = _Row(RunSummary(tenant, trace, run, "", "", "", "", "", at, None))
        self._rows.append(row)
        return row

    def _groups(self, tenant: TenantId, since: int, until: int, *, whole: bool) -> dict[str, list[_Row]]:
        groups: dict[str, list[_Row]] = {}
        for row in self._rows:
            if row.sums.tenant == tenant and since <= row.sums.started_at < until:
                groups.setdefault("" if whole else row.sums.workflow, []).append(row)
        return groups


_KEYS = {
    Order.NEWEST: lambda one: one.started_at,
    Order.DEAREST: lambda one: one.known_cost_nano_usd,
    Order.LONGEST: lambda one: (one.ended_at or one.started_at) - one.started_at,
}


def _with_spans(sums: RunSummary, new: Sequence[SpanRow]) -> RunSummary:
    added = additions_of(0, new)
    named = sums.run is None and added.workflow and (not sums.workflow or added.root)
    return replace(
        sums,
        started_at=min(sums.started_at, added.started_at) if sums.run is None else sums.started_at,
        ended_at=max(sums.ended_at or 0, added.ended_at) if sums.run is None else sums.ended_at,
        session=sums.session or added.session,
        workflow=added.workflow if named else sums.workflow,
        user=sums.user or added.user,
        spans=sums.spans + added.spans,
        errors=sums.errors + added.errors,
        reported_input_tokens=sums.reported_input_tokens + added.input_tokens,
        reported_output_tokens=sums.reported_output_tokens + added.output_tokens,
        reported_cost_nano_usd=sums.reported_cost_nano_usd + added.cost_nano_usd,
    )


def _changed(sums: RunSummary, change: RunChange) -> RunSummary:
    over = sums.state in _ENDS
    return replace(
        sums,
        workflow=change.workflow or sums.workflow,
        user=change.user or sums.user,
        state=sums.state if over else change.state or sums.state,
        outcome=change.outcome or sums.outcome,
        ended_at=sums.ended_at if over or change.ended_at is None else max(sums.ended_at or 0, change.ended_at),
        **{name: getattr(sums, name) + getattr(change, name) for name in _ADDED},
    )


def _shown(sums: RunSummary) -> RunSummary:
    # What spans from outside say of a run that goes on is no end.
    return replace(sums, ended_at=None) if sums.state == "open" else sums


def _matches(sums: RunSummary, query: RunQuery) -> bool:
    asked = (
        (query.workflow, sums.workflow),
        (query.user, sums.user),
        (query.state, sums.state),
        (query.outcome, sums.outcome),
    )
    inside = sums.tenant == query.tenant and query.since <= sums.started_at < query.until
    return inside and all(wanted in ("", found) for wanted, found in asked)


def _figures(workflow: str, rows: Sequence[RunSummary]) -> WorkflowFigures:
    cost = sorted(one.known_cost_nano_usd for one in rows)
    took = sorted(one.ended_at - one.started_at for one in rows if one.ended_at is not None)
    return WorkflowFigures(
        workflow=workflow,
        runs=len(rows),
        ended=len(took),
        succeeded=sum(one.outcome == "succeeded" for one in rows),
        judged=sum(one.outcome != "" for one in rows),
        escalated=sum(one.outcome == "escalated" or one.escalated > 0 for one in rows),
        cost_nano_usd=sum(cost),
        p50_cost_nano_usd=percentile(cost, 50),
        p95_cost_nano_usd=percentile(cost, 95),
        p50_ms=percentile(took, 50),
        p95_ms=percentile(took, 95),
        p99_ms=percentile(took, 99),
    )


def _counts(workflow: str, places: Sequence[_Row]) -> WorkflowCounts:
    rows = [one.sums for one in places]
    notable: Counter[tuple[str, str]] = Counter()
    for place in places:
        notable.update(place.notable)
    return WorkflowCounts(
        workflow=workflow,
        **{name: sum(getattr(one, name) for one in rows) for name in _COUNTED},
        seen=sum(one.spans > 0 for one in rows),
        whole=sum(
            one.ended_at is not None and one.state != "open" and (one.model_calls > 0 or one.spans > 0) for one in rows
        ),
        notable=tuple(
            (kind, reason, times)
            for (kind, reason), times in sorted(notable.items(), key=lambda item: (-item[1], item[0]))
        ),
    )


def _names(place: _Row, user: str, runs: Sequence[RunId]) -> bool:
    users = {place.sums.user, *(row.user for row in place.spans.values())}
    named = {place.sums.run, *(row.run for row in place.spans.values())}
    return (bool(user) and user in users) or not named.isdisjoint(runs)
