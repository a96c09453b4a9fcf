"""PostgreSQL: many processes on many machines; rows and named locks keep them out of each other's way."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from sqlalchemy import Dialect, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from interlock.adapters.sql.failures import closed_failure, postgres_failure, sqlstate
from interlock.adapters.sql.schema import upgrade
from interlock.adapters.sql.session import Row, Rows, Session, Statement, Values
from interlock.adapters.sql.tables import JOURNAL, Tables
from interlock.adapters.sql.transaction import SqlTx, perform
from interlock.domain.errors import StoreUnavailable
from interlock.gateway.store import Store, Tx

if TYPE_CHECKING:
    # The driver is an extra; SQLAlchemy loads it when a store on PostgreSQL is opened.
    import psycopg

X = TypeVar("X")
"""What work is given: the records that a transaction joins."""
D = TypeVar("D")
T = TypeVar("T")

CONNECTIONS = 16
"""How many transactions of one process run at the same time; the others wait their turn."""
ATTEMPTS = 6
"""How often a transaction is tried that others' transactions, or a lost connection, undid."""
_LONGEST_PAUSE = 0.05
_SERIALIZATION = ("40001", "40P01")
_UPGRADING = 7_155_020_341
"""The advisory lock of the process that creates or upgrades the tables."""

LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
SHARE = Statement("SELECT pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")


class Dictionary:
    """Statements in the words of the driver, translated once each."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[Statement, str] = {}

    def words(self, statement: Statement) -> str:
        """Return the SQL for the driver."""
        found = self._known.get(statement)
        if found is None:
            found = str(text(statement.postgresql or statement.text).compile(dialect=self._dialect))
            self._known[statement] = found
        return found


class PostgresSession(Session):
    """One cursor in an open transaction."""

    def __init__(self, cursor: "psycopg.Cursor[Row]", dictionary: Dictionary, *, writes: bool) -> None:
        self._cursor = cursor
        self._words = dictionary.words
        self._writes = writes

    @property
    def locks_rows(self) -> bool:
        return self._writes

    def one(self, statement: Statement, values: Values) -> Row | None:
        row: Row | None = self._cursor.execute(self._words(statement), values, binary=True).fetchone()
        return row

    def all(self, statement: Statement, values: Values) -> Sequence[Row]:
        rows: list[Row] = self._cursor.execute(self._words(statement), values, binary=True).fetchall()
        return rows

    def run(self, statement: Statement, values: Values) -> int:
        count: int = self._cursor.execute(self._words(statement), values).rowcount
        return count

    def each(self, statement: Statement, rows: Sequence[Values]) -> list[Row | None]:
        if len(rows) < 2:
            return [self.one(statement, values) for values in rows]
        # The driver sends them all before it waits for the first answer; the server takes them in order.
        self._cursor.executemany(self._words(statement), rows, returning=True)
        answers: list[Row | None] = []
        while True:
            answers.append(self._cursor.fetchone())
            if not self._cursor.nextset():
                return answers

    def many(self, statement: Statement, rows: Sequence[Values]) -> None:
        if len(rows) == 1:
            self._cursor.execute(self._words(statement), rows[0])
        elif rows:
            self._cursor.executemany(self._words(statement), rows)

    def fill(self, rows: Rows, values: Sequence[tuple[Any, ...]]) -> None:
        if values:
            columns = [list(column) for column in zip(*values, strict=True)]
            self._cursor.execute(_insertion(rows), columns)

    def lock(self, name: str) -> None:
        if self._writes:
            self._cursor.execute(self._words(LOCK), {"name": name})

    def share(self, name: str) -> None:
        if self._writes:
            self._cursor.execute(self._words(SHARE), {"name": name})

    def texts(self, values: Iterable[str] | None) -> object:
        return None if values is None else list(values)

    def numbers(self, values: Iterable[int]) -> object:
        return list(values)

    def blobs(self, values: Iterable[bytes]) -> object:
        return list(values)


@lru_cache(maxsize=64)
def _insertion(rows: Rows) -> str:
    arrays = ", ".join(f"%b::{type}[]" for type in rows.types)
    return (
        f"INSERT INTO {rows.table} ({', '.join(rows.columns)}) "  # noqa: S608
        f"SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
    )


class PostgresDatabase(Generic[X]):
    """A bounded number of connections, each used by one thread at a time."""

    def __init__(self, engine: Engine, records: Callable[[Session], X], connections: int = CONNECTIONS) -> None:
        """`records` returns what work is given, over a session."""
        self._engine = engine
        self._records = records
        self._errors: tuple[type[BaseException], ...] = (engine.dialect.loaded_dbapi.Error, SQLAlchemyError)
        self._dictionary = Dictionary(engine.dialect)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="interlock-postgres")
        self._closed = False

    async def transact(self, work: Callable[[X], T]) -> T:
        return await self._run(work, writes=True)

    async def read(self, work: Callable[[X], T]) -> T:
        return await self._run(work, writes=False)

    async def _run(self, work: Callable[[X], T], *, writes: bool) -> T:
        if self._closed:
            raise closed_failure()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._until_done, work, writes)

    def _until_done(self, work: Callable[[X], T], writes: bool) -> T:
        attempt = 1
        while True:
            connection: Any = None
            try:
                connection = self._engine.raw_connection()
                return self._once(connection.driver_connection, work, writes=writes)
            except self._errors as error:
                lost = connection is not None and connection.driver_connection.closed
                if lost:
                    connection.invalidate()
                if attempt == ATTEMPTS or not (lost or sqlstate(error) in _SERIALIZATION):
                    raise postgres_failure(error) from None
            finally:
                if connection is not None:
                    connection.close()
            # Jitter keeps transactions from meeting again; it guards nothing.
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.002 * 2**attempt)))  # noqa: S311
            attempt += 1

    def _once(self, driver: "psycopg.Connection[Row]", work: Callable[[X], T], *, writes: bool) -> T:
        cursor = driver.cursor()
        committing = False
        try:
            cursor.execute("BEGIN" if writes else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session = PostgresSession(cursor, self._dictionary, writes=writes)
            value: T = perform(cast("Any", work), cast("Any", self._records(session)))
            committing = writes
            cursor.execute("COMMIT" if writes else "ROLLBACK")
        except BaseException as error:
            if committing and driver.closed:
                raise StoreUnavailable(
                    "The PostgreSQL connection was lost during a commit",
                    why="the server may or may not have recorded it",
                    do="Ask again with the same ids: what was recorded is found, what was not is done",
                ) from None
            if not driver.closed and not isinstance(error, KeyboardInterrupt):
                driver.rollback()
            raise
        return value

    async def close(self) -> None:
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._threads.shutdown()
        self._engine.dispose()


class PostgresStore(PostgresDatabase[Tx], Store):
    """The journal."""


def open_postgres(url: URL, records: Callable[[Session], Tx] = SqlTx) -> PostgresStore:
    """Return the store in the database that `url` names, its tables brought up to date. Raises StoreUnavailable."""
    return opened_postgres(url, JOURNAL, lambda engine: PostgresStore(engine, records))


def opened_postgres(url: URL, tables: Tables, database: Callable[[Engine], D], connections: int = CONNECTIONS) -> D:
    """Return what `database` makes of the database that `url` names, once it has `tables`. Raises StoreUnavailable."""
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            pool_reset_on_return=None,
            connect_args={} if "connect_timeout" in url.query else {"connect_timeout": 5},
        )
    except ModuleNotFoundError:
        raise StoreUnavailable("The driver for PostgreSQL is not installed", do="Install interlock[postgres]") from None
    event.listen(engine, "connect", _prepare)
    try:
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _UPGRADING})
            upgrade(connection, tables)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        engine.dispose()
        raise postgres_failure(error) from None
    except StoreUnavailable:
        engine.dispose()
        raise
    return database(engine)


def _prepare(connection: "psycopg.Connection[Row]", _record: object) -> None:
    # More statements than the driver would keep prepared by itself; and a commit that is answered is on disk.
    connection.prepared_max = 400
    cursor = connection.cursor()
    cursor.execute("SET lock_timeout = '10s'")
    cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    cursor.close()
    connection.commit()
