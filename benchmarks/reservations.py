"""How many reservations per second the store grants, beside what the database can commit at all.

    python -m benchmarks.reservations [--json] [--seconds N]

One reservation is one durable transaction that holds one unit in each of two budgets. With `reservations` all clients
share one of them, so that they wait for each other; with `unshared` each client has two of its own. The bare limit is
a one-row insert and commit on the database driver itself, on as many connections as there are clients. PostgreSQL is
measured where INTERLOCK_TEST_POSTGRES_DSN names a server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from interlock.adapters.sql import open_store
from interlock.domain.budgets import Charge, Limit, Measure, Scope
from interlock.gateway.store import Store

CLIENTS = (1, 64)
ROOM = 10**12
VARIABLE = "INTERLOCK_TEST_POSTGRES_DSN"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report."""

    database: str
    clients: int
    what: str
    """`reservations` and `unshared` through the store, `bare commits` on the driver."""
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """CPU of this process for each, all threads."""


@dataclass(slots=True)
class Tally:
    """What a run of one kind took."""

    latencies: list[float]
    seconds: float
    cpu_seconds: float

    def figure(self, database: str, clients: int, what: str) -> Figure:
        """Return the figures of the run."""
        ordered = sorted(self.latencies)
        count = len(ordered)
        return Figure(
            database,
            clients,
            what,
            per_second=round(count / self.seconds, 1),
            p50_ms=round(ordered[count // 2] * 1e3, 3),
            p99_ms=round(ordered[min(count - 1, count * 99 // 100)] * 1e3, 3),
            cpu_ms=round(self.cpu_seconds / count * 1e3, 3),
        )


async def reservations(store: Store, clients: int, seconds: float, *, shared: bool) -> Tally:
    """Reserve with `clients` tasks for `seconds`."""
    limit = Limit("bench", Measure.CALLS, Scope.TENANT, ROOM)
    latencies: list[float] = []
    run = uuid.uuid4().hex

    async def client(name: str, until: float) -> None:
        first = "shared" if shared else f"{name}|first"
        charges = (Charge(f"bench|{first}", limit, 1), Charge(f"bench|{name}", limit, 1))
        number = 0
        while (start := time.perf_counter()) < until:
            call = f"bench/{run}/{name}-{number}"
            overrun = await store.transact(lambda tx, call=call: tx.budgets.reserve(call, charges, 0))  # type: ignore[misc]
            if overrun is not None:
                raise RuntimeError("the budget of the benchmark is too small")
            latencies.append(time.perf_counter() - start)
            number += 1

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client(str(number), start + seconds) for number in range(clients)))
    return Tally(latencies, time.perf_counter() - start, time.process_time() - cpu)


def bare(connect: Callable[[], Callable[[], None]], clients: int, seconds: float) -> Tally:
    """Commit with `clients` threads for `seconds`; `connect` returns what commits one row."""
    commits = [connect() for _ in range(clients)]
    latencies: list[float] = []

    def client(commit: Callable[[], None], until: float) -> None:
        while (start := time.perf_counter()) < until:
            commit()
            latencies.append(time.perf_counter() - start)

    start, cpu = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=client, args=(commit, start + seconds)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Tally(latencies, time.perf_counter() - start, time.process_time() - cpu)


def bare_sqlite(path: Path) -> Callable[[], None]:
    """Return what commits one row to SQLite."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS bare (n INTEGER)")

    def commit() -> None:
        connection.execute("INSERT INTO bare VALUES (1)")

    return commit


def bare_postgres(dsn: str) -> Callable[[], None]:
    """Return what commits one row to PostgreSQL."""
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS bare (n integer)")

    def commit() -> None:
        connection.execute("INSERT INTO bare VALUES (1)")

    return commit


async def _measure(database: str, url: str, connect: Callable[[], Callable[[], None]], seconds: float) -> list[Figure]:
    store = await open_store(url)
    figures = []
    for clients in CLIENTS:
        tally = await asyncio.to_thread(bare, connect, clients, seconds)
        figures.append(tally.figure(database, clients, "bare commits"))
        for what, shared in (("reservations", True), ("unshared", False)):
            tally = await reservations(store, clients, seconds, shared=shared)
            figures.append(tally.figure(database, clients, what))
    await store.close()
    return figures


async def measure(seconds: float, dsn: str | None) -> list[Figure]:
    """Return all figures; those of PostgreSQL only with `dsn`."""
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        path = Path(folder) / "store.db"
        bare_path = Path(folder) / "bare.db"
        figures = await _measure("sqlite", f"sqlite:///{path}", lambda: bare_sqlite(bare_path), seconds)
    if dsn:
        schema = f"bench_{uuid.uuid4().hex}"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{schema}"')
            mark = "&" if "?" in dsn else "?"
            own = f"{dsn}{mark}options=-csearch_path%3D{schema}"
            figures += await _measure("postgresql", own, lambda: bare_postgres(own), seconds)
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
    return figures


def show(figures: Sequence[Figure]) -> str:
    """Return the figures as a table."""
    lines = [f"{'database':<12}{'clients':>8}  {'what':<14}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU ms':>9}"]
    lines += [
        f"{one.database:<12}{one.clients:>8}  {one.what:<14}{one.per_second:>12,.0f}{one.p50_ms:>10.2f}"
        f"{one.p99_ms:>10.2f}{one.cpu_ms:>9.3f}"
        for one in figures
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Reservations per second on SQLite and PostgreSQL.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each figure is measured (default: 4)")
    options = parser.parse_args(arguments)
    dsn = os.environ.get(VARIABLE)
    figures = asyncio.run(measure(options.seconds, dsn))
    print(json.dumps([asdict(one) for one in figures], indent=2) if options.json else show(figures))
    if not dsn:
        print(f"PostgreSQL was not measured: set {VARIABLE}, or run it through make bench.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
