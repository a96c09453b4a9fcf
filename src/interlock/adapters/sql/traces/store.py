"""The span store: one set of tables behind SQLite's and PostgreSQL's way to run a transaction."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from interlock.adapters.sql.session import Session
from interlock.adapters.sql.traces.figures import SpanFigures
from interlock.adapters.sql.traces.reading import SumReading
from interlock.adapters.sql.traces.summing import RunSumming
from interlock.adapters.sql.traces.writing import SpanWriting
from interlock.domain.ids import RunId, TenantId
from interlock.traces.ports import (
    Order,
    Receipt,
    RunChange,
    RunQuery,
    RunSummary,
    Seal,
    SpanRow,
    WorkflowCounts,
    WorkflowFigures,
)

T = TypeVar("T")


class SpanTables:
    """What the work of a transaction is given."""

    def __init__(self, session: Session, seal: Seal | None) -> None:
        self.writing = SpanWriting(session, seal)
        self.summing = RunSumming(session)
        self.sums = SumReading(session)
        self.figures = SpanFigures(session)


class SpanDatabase(Protocol):
    """Runs transactions over the span store's tables."""

    async def transact(self, work: Callable[[SpanTables], T]) -> T:
        """Run `work` in a transaction that is on disk when this returns."""

    async def read(self, work: Callable[[SpanTables], T]) -> T:
        """Run `work` on a consistent snapshot."""

    async def close(self) -> None:
        """Finish what is under way and let go of connections."""


class SqlSpanStore:
    """Spans, bodies and sums in a database."""

    def __init__(self, database: SpanDatabase) -> None:
        self._database = database

    async def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        return await self._database.transact(lambda tables: tables.writing.add(tenant, rows))

    async def follow(self, name: str, since: int, position: int, changes: Sequence[RunChange] = ()) -> bool:
        return await self._database.transact(lambda tables: tables.summing.follow(name, since, position, changes))

    async def position(self, name: str) -> int:
        return await self._database.read(lambda tables: tables.summing.position(name))

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        return await self._database.transact(lambda tables: tables.summing.lease(name, holder, now, until))

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

    async def close(self) -> None:
        await self._database.close()
