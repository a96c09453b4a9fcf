"""The span store: one set of tables behind SQLite's and PostgreSQL's way to run a transaction."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from interlock.adapters.sql.session import Session
from interlock.adapters.sql.traces.writing import SpanWriting
from interlock.domain.ids import TenantId
from interlock.traces.ports import Receipt, Seal, SpanRow

T = TypeVar("T")


class SpanTables:
    """What the work of a transaction is given."""

    def __init__(self, session: Session, seal: Seal | None) -> None:
        self.writing = SpanWriting(session, seal)


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

    async def close(self) -> None:
        await self._database.close()
