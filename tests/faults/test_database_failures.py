"""A database that is locked, full, gone, damaged or too new: a typed error, nothing recorded, nothing told that is private."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from interlock.adapters.sql import open_store, writer
from interlock.adapters.sql.sqlite import SqliteStore
from interlock.domain.errors import StoreUnavailable
from interlock.domain.ids import RunId, ToolName
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, NOW, a_brake, a_call, a_key, a_pin, a_record, a_run, an_event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """A store on SQLite."""
    opened = await open_store(f"sqlite:///{path}")
    assert isinstance(opened, SqliteStore)
    yield opened
    await opened.close()


async def _refusal(store: Store) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as raised:
        await store.transact(lambda tx: tx.runs.open(a_run("refused")))
    assert raised.value.why
    assert raised.value.do
    return raised.value


async def _works(store: Store) -> None:
    assert await store.read(lambda tx: tx.runs.find(ACME, RunId("refused"))) is None
    await store.transact(lambda tx: tx.pins.put(a_pin()))
    assert await store.read(lambda tx: tx.pins.find(ToolName("refund"))) == a_pin()


async def test_a_locked_database_is_waited_for_and_then_refused(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "lock" in (await _refusal(store)).why
    other.execute("ROLLBACK")
    other.close()
    await _works(store)


async def test_a_full_database_refuses_everything_that_waits_and_recovers_by_itself(store: SqliteStore) -> None:
    connection = store._connections[0]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = [a_record(a_call(a_key(f"c{number}"), arguments={"text": "x" * 50_000})) for number in range(4)]
    results = await asyncio.gather(
        *(store.transact(lambda tx, one=one: tx.calls.insert(one)) for one in big),  # type: ignore[misc]
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    assert refused
    assert "full" in refused[0].why
    connection.execute("PRAGMA max_page_count = 1000000")
    for record, result in zip(big, results, strict=True):
        kept = await store.read(lambda tx, record=record: tx.calls.find(record.call.key))  # type: ignore[misc]
        assert (kept is not None) == (result is True)
    await _works(store)


async def test_a_database_file_that_vanishes_takes_no_more_commits(store: SqliteStore, path: Path) -> None:
    moved = path.with_suffix(".moved")
    await asyncio.to_thread(path.rename, moved)
    assert "gone" in (await _refusal(store)).what
    await asyncio.to_thread(moved.rename, path)
    await _works(store)


async def test_a_read_only_database_is_refused(store: SqliteStore) -> None:
    store._connections[0].execute("PRAGMA query_only = ON")
    assert "written" in (await _refusal(store)).why
    store._connections[0].execute("PRAGMA query_only = OFF")
    await _works(store)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"these are my tax papers " * 500)
    with pytest.raises(StoreUnavailable, match="not a database"):
        asyncio.run(open_store(f"sqlite:///{path}"))


async def test_a_damaged_database_is_refused_and_not_believed(path: Path) -> None:
    store = await open_store(f"sqlite:///{path}")
    for number in range(40):
        await store.transact(lambda tx, number=number: tx.pins.put(a_pin(f"tool-{number}")))  # type: ignore[misc]
    await store.close()
    await asyncio.to_thread(_damage, path)

    async def read() -> None:
        async with contextlib.aclosing(_Opened(await open_store(f"sqlite:///{path}"))) as damaged:
            await damaged.store.read(lambda tx: tx.pins.all())

    with pytest.raises(StoreUnavailable):
        await read()


class _Opened:
    """A store that `aclosing` closes."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def aclose(self) -> None:
        await self.store.close()


def _damage(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="absent"):
        await open_store(f"sqlite:///{tmp_path / 'absent' / 'store.db'}")


async def test_a_store_on_sqlite_needs_a_file() -> None:
    for address in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(StoreUnavailable, match="file"):
            await open_store(address)


async def test_only_the_owner_may_read_the_file(store: SqliteStore, path: Path) -> None:
    await store.transact(lambda tx: tx.pins.put(a_pin()))
    for part in (path, path.with_name("store.db-wal")):
        assert part.stat().st_mode & 0o077 == 0


def _in_another_process(path: Path) -> int:
    """Open the database in a process of its own, count the runs, and close it again."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM runs').fetchone()[0])"
    return int(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True).stdout)


async def test_a_second_store_of_a_process_leaves_the_first_its_locks(store: SqliteStore, path: Path) -> None:
    await store.transact(lambda tx: tx.runs.open(a_run("first")))
    second = await open_store(f"sqlite:///{path}")
    try:
        assert _in_another_process(path) == 1
        # Without the locks it took itself for the last and the log away: what comes now would be lost.
        await store.transact(lambda tx: tx.runs.open(a_run("second")))
        assert _in_another_process(path) == 2
    finally:
        await second.close()


def _tamper(url: str, statement: str) -> None:
    """Run `statement` behind the store's back."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()
    else:
        with psycopg.connect(url) as server:
            server.execute(statement.encode())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, path: Path) -> str:
    """The address of an empty database."""
    return f"sqlite:///{path}" if request.param == "sqlite" else str(request.getfixturevalue("postgres_dsn"))


async def test_a_database_that_a_newer_version_made_is_refused(url: str) -> None:
    await (await open_store(url)).close()
    _tamper(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match="newer"):
        await open_store(url)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_events",
        "UPDATE audit_events SET kind = 'run.closed', leaf_index = 7",
        "UPDATE audit_events SET leaf = leaf_hash, leaf_index = 7",
        "UPDATE audit_events SET subject = ''",
        "UPDATE audit_events SET leaf_index = NULL",
    ],
)
async def test_the_trail_cannot_be_changed_behind_the_stores_back(url: str, statement: str) -> None:
    store = await open_store(url)
    await store.transact(lambda tx: tx.audit.append(an_event()))
    with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="never"):
        _tamper(url, statement)
    _tamper(url, "UPDATE audit_events SET leaf_index = 0")
    with pytest.raises((sqlite3.DatabaseError, psycopg.Error), match="never"):
        _tamper(url, "UPDATE audit_events SET leaf_index = 1")
    assert await store.read(lambda tx: tx.audit.search(ACME, subject=None, limit=9)) == (an_event(),)
    await store.close()


async def test_an_error_of_the_driver_never_carries_data(url: str) -> None:
    store = await open_store(url)
    secret = a_brake("brk-geheim")
    await store.transact(lambda tx: tx.brakes.set(secret))
    with pytest.raises(StoreUnavailable) as raised:
        await store.transact(lambda tx: tx.brakes.set(secret))
    assert "geheim" not in f"{raised.value} {raised.value.args}"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    await store.close()


@pytest.mark.postgres
async def test_a_lost_connection_is_replaced_and_the_transaction_done_once(postgres_dsn: str) -> None:
    store = await open_store(postgres_dsn)
    attempts = []

    def cut_once(tx: Tx) -> None:
        attempts.append(tx)
        tx.runs.open(a_run())
        if len(attempts) == 1:
            with psycopg.connect(postgres_dsn, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
        tx.audit.append(an_event())

    await store.transact(cut_once)
    assert len(attempts) == 2
    assert await store.read(lambda tx: tx.runs.latest(ACME, 9)) == (a_run(),)
    assert await store.read(lambda tx: len(tx.audit.search(ACME, subject=None, limit=9))) == 1
    await store.close()


async def test_a_server_that_nobody_runs_is_unavailable_and_its_password_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as raised:
        await open_store(f"postgresql://anna:geheim@/db?host={tmp_path}")
    assert "geheim" not in str(raised.value)
    assert raised.value.do


@pytest.mark.postgres
async def test_transactions_that_lock_each_other_are_tried_again(postgres_dsn: str) -> None:
    store = await open_store(postgres_dsn)
    await store.transact(lambda tx: tx.calls.insert(a_record(a_call(a_key("a")))) and None)
    await store.transact(lambda tx: tx.calls.insert(a_record(a_call(a_key("b")))) and None)
    barrier = asyncio.Barrier(2)
    loop = asyncio.get_running_loop()

    def crossing(first: str, second: str, tries: list[int]) -> None:
        def work(tx: Tx) -> None:
            tries.append(1)
            tx.calls.find(a_key(first))
            if len(tries) == 1:
                asyncio.run_coroutine_threadsafe(barrier.wait(), loop).result(5)
            tx.calls.find(a_key(second))
            tx.heartbeats.beat(first, NOW)

        tasks.append(asyncio.ensure_future(store.transact(work)))

    tasks: list[asyncio.Future[None]] = []
    one: list[int] = []
    two: list[int] = []
    crossing("a", "b", one)
    crossing("b", "a", two)
    await asyncio.gather(*tasks)
    assert len(one) + len(two) == 3
    assert await store.read(lambda tx: tx.heartbeats.alive(0)) == {"a", "b"}
    await store.close()
