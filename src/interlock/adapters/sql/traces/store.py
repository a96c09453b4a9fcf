"""The span store: one set of tables behind SQLite's and PostgreSQL's way to run a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import URL

from interlock.adapters.sql.compacting import compact
from interlock.adapters.sql.seals import KeyWanted
from interlock.adapters.sql.session import Session
from interlock.adapters.sql.traces.archiving import DayArchiving
from interlock.adapters.sql.traces.figures import SpanFigures
from interlock.adapters.sql.traces.reading import SumReading
from interlock.adapters.sql.traces.spans import StoredSpans
from interlock.adapters.sql.traces.summing import RunSumming
from interlock.adapters.sql.traces.writing import SpanWriting
from interlock.domain.ids import RunId, TenantId
from interlock.domain.spans import Span
from interlock.traces.ports import (
    ClosedDays,
    DueRow,
    DueSpans,
    Order,
    Receipt,
    RunChange,
    RunQuery,
    RunSummary,
    Seal,
    SpanRow,
    SpanStore,
    WorkflowCounts,
    WorkflowFigures,
)

T = TypeVar("T")
_ERASED_AT_ONCE = 200
"""How many traces go in one transaction."""


class SpanTables:
    """What the work of a transaction is given."""

    def __init__(self, session: Session, seal: Seal | None) -> None:
        self.writing = SpanWriting(session, seal)
        self.summing = RunSumming(session)
        self.spans = StoredSpans(session, seal)
        self.sums = SumReading(session)
        self.figures = SpanFigures(session)
        self.days = DayArchiving(session, self.spans)


class SpanDatabase(Protocol):
    """Runs transactions over the span store's tables."""

    async def transact(self, work: Callable[[SpanTables], T]) -> T:
        """Run `work` in a transaction that is on disk when this returns."""

    async def read(self, work: Callable[[SpanTables], T]) -> T:
        """Run `work` on a consistent snapshot."""

    async def close(self) -> None:
        """Finish what is under way and let go of connections."""


class SqlSpanStore(SpanStore, ClosedDays):
    """Spans, bodies and sums in a database."""

    def __init__(
        self,
        database: SpanDatabase,
        prepare: Callable[[TenantId], Awaitable[None]] | None = None,
        url: URL | None = None,
    ) -> None:
        """`prepare` fetches the keys of a tenant under which spans are sealed; `url` is where the database is."""
        self._url = url
        self._database = database
        self._prepare = prepare

    async def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        return await self._keyed(lambda: self._database.transact(lambda tables: tables.writing.add(tenant, rows)))

    async def follow(self, name: str, since: int, position: int, changes: Sequence[RunChange] = ()) -> bool:
        return await self._database.transact(lambda tables: tables.summing.follow(name, since, position, changes))

    async def position(self, name: str) -> int:
        return await self._database.read(lambda tables: tables.summing.position(name))

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        return await self._database.transact(lambda tables: tables.summing.lease(name, holder, now, until))

    async def trace(self, tenant: TenantId, trace_id: str) -> tuple[Span, ...]:
        return await self._keyed(lambda: self._database.read(lambda tables: tables.spans.trace(tenant, trace_id)))

    async def summary(self, tenant: TenantId, run: RunId) -> RunSummary | None:
        return await self._database.read(lambda tables: tables.sums.of_run(tenant, run))

    async def sums_of_trace(self, tenant: TenantId, trace_id: str) -> tuple[RunSummary, ...]:
        return await self._database.read(lambda tables: tables.sums.of_trace(tenant, trace_id))

    async def runs(self, query: RunQuery, order: Order = Order.NEWEST) -> tuple[RunSummary, ...]:
        return await self._database.read(lambda tables: tables.sums.runs(query, order))

    async def workflows(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowFigures, ...]:
        return await self._database.read(lambda tables: tables.figures.workflows(tenant, since, until, whole=whole))

    async def counts(
        self, tenant: TenantId, since: int, until: int, *, whole: bool = False
    ) -> tuple[WorkflowCounts, ...]:
        return await self._database.read(lambda tables: tables.figures.counts(tenant, since, until, whole=whole))

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        return await self._database.read(lambda tables: tables.spans.beside(tables.spans.named(tenant, user, runs)))

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        erased = 0
        # To look for a user takes long, so it keeps nobody from writing; what came meanwhile goes in the second round.
        for _ in range(2):
            traces = sorted(await self._database.read(lambda tables: tables.spans.named(tenant, user, runs)))
            for start in range(0, len(traces), _ERASED_AT_ONCE):
                some = traces[start : start + _ERASED_AT_ONCE]
                erased += await self._database.transact(partial(_erase, some))
        return erased

    async def compact(self, *, whole: bool) -> None:
        """Remove what was deleted from the disk, as far as a database can (see `interlock.adapters.sql.compacting`)."""
        if self._url is not None:
            await asyncio.to_thread(compact, self._url, whole=whole)

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> int:
        # To look for them takes longer than to delete them, and keeps nobody from writing.
        old = await self._database.read(lambda tables: tables.spans.old(tenant, before, keep_runs, limit))
        return await self._database.transact(lambda tables: tables.spans.drop(old)) if old else 0

    async def _keyed(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` returns, once the keys that it wants have been fetched."""
        while True:
            try:
                return await attempt()
            except KeyWanted as wanted:
                if self._prepare is None:
                    raise
                await self._prepare(wanted.tenant)

    async def due(self, until_day: int, now: int) -> tuple[tuple[TenantId, int], ...]:
        return await self._database.read(lambda tables: tables.days.due(until_day, now))

    async def begin(self, tenant: TenantId, day: int, now: int, limit: int) -> tuple[int, tuple[DueRow, ...]]:
        return await self._database.transact(lambda tables: tables.days.begin(tenant, day, now, limit))

    async def fresh_spans(self, tenant: TenantId, rows: Sequence[DueRow]) -> tuple[DueSpans, ...]:
        return await self._keyed(lambda: self._database.read(lambda tables: tables.days.fresh_spans(tenant, rows)))

    async def finish(
        self, tenant: TenantId, day: int, part: int, marks: Mapping[int, int], *, spans: int, at: int
    ) -> None:
        await self._database.transact(lambda tables: tables.days.finish(tenant, day, part, marks, spans=spans, at=at))

    async def close(self) -> None:
        await self._database.close()


def _erase(traces: Sequence[int], tables: SpanTables) -> int:
    return tables.spans.erase(traces)
