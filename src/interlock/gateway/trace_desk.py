"""Look at traces: what is listed, one as a tree, and the figures by which a workflow is judged."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from interlock.checks.redactor import Words, words_by_form
from interlock.domain.errors import BadInput, ConfigurationError, Forbidden, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import RunId
from interlock.domain.spans import Span
from interlock.gateway.own_spans import read_run, redacted
from interlock.gateway.run_desk import visible_run
from interlock.gateway.span_archive import Archiver, Part
from interlock.gateway.store import Store, Tx
from interlock.runs.spans import trace_of
from interlock.traces.ports import Answer, Order, RunQuery, RunSummary, SpanStore
from interlock.traces.rates import Compared, Figures, compared, figures_of
from interlock.traces.tree import PlacedSpan, tree_of

_TRACE = re.compile(r"[0-9a-f]{32}")
_READERS = (Role.OPERATOR, Role.AUDITOR, Role.APPROVER)
_REASONS = 20
"""How many reasons are told of a workflow."""


@dataclass(frozen=True, slots=True)
class TraceView:
    """One trace, whole: what Interlock did in it and what others say they did."""

    trace_id: str
    sums: tuple[RunSummary, ...]
    """Of each run in it; of a trace from outside, the one row that it has."""
    spans: tuple[PlacedSpan, ...]


class TraceDesk:
    """Use cases that look at traces and change nothing."""

    def __init__(
        self,
        store: Store,
        spans: SpanStore,
        refresh: Callable[[], Awaitable[object]],
        archiver: Archiver | None = None,
        redact: Words = words_by_form,
    ) -> None:
        """Look into the journal `store` and into `spans`. `refresh` adds up what the trail tells and nobody has yet.

        `archiver` writes closed days away and answers for them, where an archive is configured; what callers named in our own
        spans goes through `redact`.
        """
        self._redact = redact
        self._archiver = archiver
        self._store = store
        self._spans = spans
        self._refresh = refresh

    async def refresh(self) -> None:
        """Bring the sums up to date now: for commands, beside which nobody follows the trail. Raises StoreUnavailable."""
        await self._refresh()

    async def list(self, principal: Principal, query: RunQuery, order: Order = Order.NEWEST) -> tuple[RunSummary, ...]:
        """Return the sums of the runs and outside traces that match. Raises Forbidden."""
        _check_reader(principal)
        # INVARIANT: the tenant comes from the principal.
        return await self._spans.runs(replace(query, tenant=principal.tenant), order)

    async def sums(self, principal: Principal, runs: tuple[RunId, ...]) -> dict[RunId, RunSummary]:
        """Return the sums of `runs`, which the principal was shown already; those that have none yet are left out."""
        found = await self._spans.runs(RunQuery(principal.tenant, runs=runs)) if runs else ()
        return {one.run: one for one in found if one.run is not None}

    async def show(self, principal: Principal, name: str) -> TraceView:
        """Return the trace `name`: its id, or the id of a run in it. Who may see a run may see its trace.

        Raises UnknownRecord or UnknownRun.
        """
        trace, run = await self._trace_of(principal, name)
        if run is None:
            _check_reader(principal)
        sums = await self._spans.sums_of_trace(principal.tenant, trace)
        runs = {one.run for one in sums if one.run is not None} | ({run} if run is not None else set())
        # Whoever reads no more than its own run sees what others sent only where the trace is that run's alone.
        seen = runs if _reads_all(principal) else {run}
        outside = await self._spans.trace(principal.tenant, trace) if runs <= seen else ()
        own = await self._store.read(lambda tx: _own(tx, principal, frozenset(one for one in seen if one is not None)))
        spans = tree_of((redacted(span, self._redact) for span in own if span.trace_id == trace), outside)
        if not spans and not sums:
            raise UnknownRecord(f"There is no trace {name} that you may see", do="See interlock traces list")
        return TraceView(trace, tuple(one for one in sums if one.run in seen or one.run is None), spans)

    async def figures(
        self, principal: Principal, since: int, until: int, *, whole: bool = False
    ) -> tuple[Compared, ...]:
        """Return how each workflow did in [since, until), beside the same length of time right before.

        `whole` returns the tenant as one. Raises Forbidden, BadInput for a span of time that ends before it begins.
        """
        _check_reader(principal)
        if until <= since:
            raise BadInput("The span of time is empty", do="Let it begin before it ends")
        now = await self._figures(principal, since, until, whole=whole)
        return compared(now, await self._figures(principal, max(0, 2 * since - until), since, whole=whole))

    async def archive(self, principal: Principal) -> tuple[Part, ...]:
        """Write what is due into the archive now; return the parts. None where another process is at it.

        Raises Forbidden, ConfigurationError where no archive is configured, StoreUnavailable.
        """
        if not principal.may(Role.OPERATOR):
            raise Forbidden("Writing the archive is for operators")
        await self._refresh()
        return await self._configured().write()

    async def query(self, principal: Principal, sql: str, limit: int) -> Answer:
        """Return what one SELECT over the archive finds. Raises Forbidden, ConfigurationError, BadInput."""
        _check_reader(principal)
        # INVARIANT: the tenant comes from the principal; a query sees the files of no other one.
        return await self._configured().query(principal.tenant, sql, limit)

    def _configured(self) -> Archiver:
        if self._archiver is None:
            raise ConfigurationError(
                "No archive is configured",
                why="closed days are written to Parquet only where `traces.archive` names a folder",
                do="Set traces.archive in interlock.yaml; DuckDB comes with the extra: pip install 'interlock[analytics]'",
            )
        return self._archiver

    async def _figures(self, principal: Principal, since: int, until: int, *, whole: bool) -> tuple[Figures, ...]:
        figures = await self._spans.workflows(principal.tenant, since, until, whole=whole)
        counts = await self._spans.counts(principal.tenant, since, until, whole=whole)
        return figures_of(figures, counts, _REASONS)

    async def _trace_of(self, principal: Principal, name: str) -> tuple[str, RunId | None]:
        if _TRACE.fullmatch(name) is not None and _reads_all(principal):
            return name, None
        run = await self._store.read(lambda tx: visible_run(tx, principal, RunId(name)))
        return trace_of(run), run.id


def _own(tx: Tx, principal: Principal, runs: frozenset[RunId]) -> tuple[Span, ...]:
    return tuple(span for run in sorted(runs) for span in read_run(tx, principal.tenant, run))


def _reads_all(principal: Principal) -> bool:
    return principal.scope is None and any(principal.may(role) for role in _READERS)


def _check_reader(principal: Principal) -> None:
    if not _reads_all(principal):
        raise Forbidden(
            "Traces and figures are for operators, auditors and approvers to see",
            do="An agent sees the traces of its own runs: name one",
        )
