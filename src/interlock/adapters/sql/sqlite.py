"""SQLite: a database in one file, durable when the power fails, shared by the processes of one machine."""

import asyncio
import os
import queue
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from interlock.adapters.sql.failures import closed_failure, sqlite_failure
from interlock.adapters.sql.schema import upgrade
from interlock.adapters.sql.session import Row, Rows, Session, Statement, Values
from interlock.adapters.sql.tables import JOURNAL, Tables
from interlock.adapters.sql.transaction import SqlTx, perform
from interlock.adapters.sql.writer import Writer
from interlock.domain.errors import StoreUnavailable
from interlock.gateway.store import Store, Tx

X = TypeVar("X")
"""What work is given: the records that a transaction joins."""
D = TypeVar("D")
T = TypeVar("T")

READERS = 2
_TOGETHER = (100, 10, 1)
"""How many rows go into one statement; each is prepared once."""
STARTING_SECONDS = 30.0
"""How long to wait for a process that is creating or upgrading the tables."""
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # NORMAL and OFF lose acknowledged commits when the power fails.
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # So that INSERT OR REPLACE cannot slip past the triggers that protect the audit trail.
    "PRAGMA recursive_triggers = ON",
    "PRAGMA journal_size_limit = 67108864",
    # What is deleted is overwritten; some builds of SQLite do so by themselves, and some leave it in the file.
    "PRAGMA secure_delete = ON",
)


class SqliteSession(Session):
    """One connection. Only one transaction at a time writes, so there is nothing to lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    @property
    def locks_rows(self) -> bool:
        return False

    def one(self, statement: Statement, values: Values) -> Row | None:
        # Fetching everything ends the statement, which a commit would otherwise wait for.
        rows = self._cursor.execute(statement.text, values).fetchall()
        return rows[0] if rows else None

    def all(self, statement: Statement, values: Values) -> Sequence[Row]:
        return self._cursor.execute(statement.text, values).fetchall()

    def run(self, statement: Statement, values: Values) -> int:
        return self._cursor.execute(statement.text, values).rowcount

    def each(self, statement: Statement, rows: Sequence[Values]) -> list[Row | None]:
        return [self.one(statement, values) for values in rows]

    def many(self, statement: Statement, rows: Sequence[Values]) -> None:
        self._cursor.executemany(statement.text, rows)

    def fill(self, rows: Rows, values: Sequence[tuple[Any, ...]]) -> None:
        # Whoever executes a statement lets go of the interpreter, so a hundred rows in one are cheaper than one by one.
        start = 0
        for size in _TOGETHER:
            words = _insertion(rows, size)
            while len(values) - start >= size:
                self._cursor.execute(words, tuple(chain.from_iterable(values[start : start + size])))
                start += size

    def lock(self, name: str) -> None:
        """Nothing to do."""

    def share(self, name: str) -> None:
        """Nothing to do."""

    def texts(self, values: Iterable[str] | None) -> object:
        return None if values is None else orjson.dumps(list(values)).decode()

    def numbers(self, values: Iterable[int]) -> object:
        return orjson.dumps(list(values)).decode()

    def blobs(self, values: Iterable[bytes]) -> object:
        return b"".join(values)


@lru_cache(maxsize=64)
def _insertion(rows: Rows, size: int) -> str:
    row = "(" + ", ".join("?" * len(rows.columns)) + ")"
    # Only a key that is there already is passed over; OR IGNORE would pass over whatever else is wrong with a row, too.
    every = ", ".join([row] * size)
    return f"INSERT INTO {rows.table} ({', '.join(rows.columns)}) VALUES {every} ON CONFLICT DO NOTHING"  # noqa: S608


class SqliteDatabase(Generic[X]):
    """Writes go through one thread, reads through a few connections of their own."""

    def __init__(self, engine: Engine, path: Path, records: Callable[[Session], X]) -> None:
        """`records` returns what work is given, over a session."""
        self._engine = engine
        self._records = records
        writing = _connection(engine)
        # The writer does its own, fairer waiting.
        writing.execute("PRAGMA busy_timeout = 0")
        self._connections = [writing]
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(READERS):
            reading = _connection(engine)
            reading.execute("PRAGMA query_only = ON")
            # In KiB. What followers read once fills any cache; the system keeps the pages that are asked for again.
            reading.execute("PRAGMA cache_size = -512")
            self._connections.append(reading)
            self._idle.put(reading)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="interlock-read")
        self._closed = False
        self._writer = Writer(writing, records(SqliteSession(writing)), path)

    async def transact(self, work: Callable[[X], T]) -> T:
        return await self._writer.submit(work)

    async def read(self, work: Callable[[X], T]) -> T:
        if self._closed:
            raise closed_failure()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[X], T]) -> T:
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")
            value: T = perform(cast("Any", work), cast("Any", self._records(SqliteSession(connection))))
            return value
        except sqlite3.Error as error:
            raise sqlite_failure(error) from None
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._idle.put(connection)

    async def close(self) -> None:
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        self._engine.dispose()


class SqliteStore(SqliteDatabase[Tx], Store):
    """The journal."""


def open_sqlite(url: URL, records: Callable[[Session], Tx] = SqlTx) -> SqliteStore:
    """Return the store in the file that `url` names, its tables brought up to date. Raises StoreUnavailable."""
    return opened_sqlite(url, JOURNAL, lambda engine, path: SqliteStore(engine, path, records))


def opened_sqlite(url: URL, tables: Tables, database: Callable[[Engine, Path], D]) -> D:
    """Return what `database` makes of the file that `url` names, once it has `tables`. Raises StoreUnavailable."""
    if not url.database or url.database == ":memory:":
        raise StoreUnavailable(
            "A SQLite store needs a file",
            why="several connections share it",
            do="Write sqlite:///path/to/interlock.db",
        )
    path = Path(url.database).absolute()
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "cached_statements": 256,
            "timeout": STARTING_SECONDS,
        },
    )
    event.listen(engine, "connect", partial(_prepare, tables))
    event.listen(engine, "begin", _begin)
    try:
        _create(path)
        with engine.begin() as connection:
            upgrade(connection, tables)
        return database(engine, path)
    except DBAPIError as error:
        raise sqlite_failure(_driver_error(error)) from None
    except sqlite3.Error as error:
        raise sqlite_failure(error) from None


def _create(path: Path) -> None:
    """Make the file, readable by its owner only, if it is not there.

    A file that is there must not be touched: to close it would drop the locks of every connection of this process to it
    (POSIX), and another process would take itself for the last, and take the log away from under them.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnavailable(
            f"The database {path} cannot be opened",
            why=error.strerror or type(error).__name__,
            do="Check that the folder exists and that it and the file may be written",
        ) from None


def _prepare(tables: Tables, connection: sqlite3.Connection, _record: object) -> None:
    # Says something to a file only while nothing is in it.
    connection.execute(f"PRAGMA page_size = {tables.page_size}")
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _connection(engine: Engine) -> sqlite3.Connection:
    raw = engine.raw_connection()
    driver: Any = raw.driver_connection
    raw.detach()
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("the SQLite driver is not the standard library's")
    return driver


def _driver_error(error: DBAPIError) -> sqlite3.Error:
    return error.orig if isinstance(error.orig, sqlite3.Error) else sqlite3.Error()
