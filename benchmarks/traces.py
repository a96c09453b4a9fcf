"""How long it takes to look at traces when a million spans are stored, beside the bare query on the database driver.

    python -m benchmarks.traces [--json] [--spans N]

Spans go in through the store's own `add`: 12 to a trace, about 2 KB each, 1.6 KB of it a text of its own, spread over 30
days and 8 workflows. What is measured is the middle of several runs, and the first one right after the store was opened
anew; the bare query is the same statement on a connection of the driver, all rows fetched and nothing made of them.
PostgreSQL is measured where INTERLOCK_TEST_POSTGRES_DSN names a server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from interlock.adapters.sql.session import Statement
from interlock.adapters.sql.traces import figures, reading, spans
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.domain.ids import TenantId
from interlock.traces.ports import Order, RunQuery, SpanRow, SpanStore

TENANT = TenantId("acme")
VARIABLE = "INTERLOCK_TEST_POSTGRES_DSN"
SPANS = 1_000_000
PER_TRACE = 12
TOGETHER = 100
"""Traces in one call of `add`."""
ROUNDS = 7
BEGAN_MS = 1_790_000_000_000
DAYS_MS = 30 * 86_400_000
ENDLESS = 1 << 62
TARGETS_MS = {"run list": 150.0, "run list, one workflow": 150.0, "p95 by workflow": 150.0, "one trace": 20.0}
MEMORY_MB = 300


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report."""

    database: str
    what: str
    first_ms: float
    median_ms: float
    bare_ms: float | None
    """None where the bare query was not run."""


def rows(traces: int) -> Iterator[list[SpanRow]]:
    """Yield the spans of `traces` traces, some traces at a time. The same ones each time."""
    dice = random.Random(4)
    words = [f"word{number:05d}" for number in range(4_000)]
    for start in range(0, traces, TOGETHER):
        batch: list[SpanRow] = []
        for number in range(start, min(start + TOGETHER, traces)):
            batch += _trace(number, number * DAYS_MS // traces, dice, words)
        yield batch


def trace_id(number: int) -> bytes:
    """Return the id of the trace of this number."""
    return random.Random(number).randbytes(16)


def _trace(number: int, offset_ms: int, dice: random.Random, words: list[str]) -> Iterator[SpanRow]:
    began = (BEGAN_MS + offset_ms) * 1_000_000
    trace, workflow = trace_id(number), f"workflow-{number % 8}"
    for place in range(PER_TRACE):
        text = " ".join(dice.choices(words, k=160)).encode()
        hash = dice.randbytes(32)
        said = {"attributes": {"gen_ai.operation.name": "chat", "input.value": {"body": hash.hex()}, "n": place}}
        took = int(dice.expovariate(1 / 2e9))
        yield SpanRow(
            trace,
            number.to_bytes(5, "big") + place.to_bytes(3, "big"),
            None if place == 0 else number.to_bytes(5, "big") + bytes(3),
            f"chat model-{place % 3}",
            "agent" if place == 0 else "model",
            "client",
            "error" if dice.random() < 0.01 else "unset",
            began + place * 1_000_000_000,
            began + place * 1_000_000_000 + took,
            f"session-{number}",
            workflow,
            f"user-{number % 5_000}",
            f"model-{place % 3}",
            dice.randrange(4_000),
            dice.randrange(500),
            int(dice.expovariate(1 / 3e6)),
            orjson.dumps(said),
            (("input.value", hash, text),),
        )


async def measured(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return the milliseconds of the first time and of the median."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        if not await work():
            raise RuntimeError("the benchmark found nothing")
        times.append((time.perf_counter() - start) * 1e3)
    return times[0], statistics.median(times)


def questions(store: SpanStore, traces: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what is asked, by name."""
    dice = random.Random(9)
    return {
        "run list": lambda: store.runs(RunQuery(TENANT)),
        "run list, one workflow": lambda: store.runs(RunQuery(TENANT, workflow="workflow-3", user="user-3")),
        "run list, dearest": lambda: store.runs(RunQuery(TENANT), Order.DEAREST),
        "p95 by workflow": lambda: store.workflows(TENANT, 0, ENDLESS),
        "counts by workflow": lambda: store.counts(TENANT, 0, ENDLESS),
        "one trace": lambda: store.trace(TENANT, trace_id(dice.randrange(traces)).hex()),
    }


def bare(path: Path, traces: int) -> dict[str, float]:
    """Return the median milliseconds of the statements on the driver of SQLite, by the question that they answer."""
    every = {"tenant": TENANT, "since": 0, "until": ENDLESS, "user": "", "state": "", "outcome": "", "limit": 100}
    some = {**every, "workflow": "workflow-3", "user": "user-3"}
    window = {"tenant": TENANT, "since": 0, "until": ENDLESS, "whole": 0}
    asked: dict[str, tuple[Statement, dict[str, object]]] = {
        "run list": (reading.ORDERS[Order.NEWEST], {**every, "workflow": ""}),
        "run list, one workflow": (reading.ORDERS[Order.NEWEST], some),
        "run list, dearest": (reading.ORDERS[Order.DEAREST], {**every, "workflow": ""}),
        "p95 by workflow": (figures.WORKFLOWS, window),
        "counts by workflow": (figures.COUNTS, window),
        "one trace": (spans.SPANS, {"tenant": TENANT, "trace": trace_id(traces // 2)}),
    }
    found: dict[str, float] = {}
    with closing(sqlite3.connect(path)) as connection:
        for name, (statement, values) in asked.items():
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                connection.execute(statement.text, values).fetchall()
                times.append((time.perf_counter() - start) * 1e3)
            found[name] = statistics.median(times)
    return found


def on_disk(path: Path) -> int:
    """Return how many bytes the database takes, its log included."""
    return sum(file.stat().st_size for file in path.parent.iterdir())


async def filled(url: str, traces: int) -> float:
    """Store the spans at `url`; return how many a second."""
    store = await open_span_store(url)
    start = time.perf_counter()
    for batch in rows(traces):
        await store.add(TENANT, batch)
    seconds = time.perf_counter() - start
    await store.close()
    return traces * PER_TRACE / seconds


async def asked(database: str, url: str, traces: int, beside: dict[str, float]) -> list[Figure]:
    """Ask every question of the store at `url`, opened anew."""
    store = await open_span_store(url)
    found = []
    for name, work in questions(store, traces).items():
        first, median = await measured(work)
        among = beside.get(name)
        found.append(
            Figure(database, name, round(first, 1), round(median, 1), None if among is None else round(among, 1))
        )
    await store.close()
    return found


async def main(options: argparse.Namespace) -> int:
    """Measure, print, and return 1 where a target was missed."""
    traces = max(TOGETHER, options.spans // PER_TRACE)
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="interlock-traces-") as folder:
        path = Path(folder) / "spans.db"
        url = f"sqlite:///{path}"
        rate = await filled(url, traces)
        size = on_disk(path)
        # The store first: what the bare queries read would lie in memory already.
        found += await asked("sqlite", url, traces, {})
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        beside = bare(path, traces)
    found = [Figure(one.database, one.what, one.first_ms, one.median_ms, round(beside[one.what], 1)) for one in found]
    if postgres := os.environ.get(VARIABLE, ""):
        await filled(postgres, traces)
        found += await asked("postgresql", postgres, traces, {})
    missed = [one for one in found if one.database == "sqlite" and one.median_ms > TARGETS_MS.get(one.what, ENDLESS)]
    said = {
        "spans": traces * PER_TRACE,
        "traces": traces,
        "filled_per_second": round(rate),
        "size_mb": round(size / 1e6),
        "memory_mb": round(memory),
        "figures": [asdict(one) for one in found],
    }
    if options.json:
        print(json.dumps(said))
    else:
        print(f"{said['spans']:,} spans of {traces:,} traces: {said['size_mb']:,} MB, added at {rate:,.0f} a second")
        print(f"memory of this process at its highest: {memory:,.0f} MB")
        for one in found:
            among = "" if one.bare_ms is None else f"   bare {one.bare_ms:8.1f} ms"
            print(
                f"{one.database:<10}  {one.what:<24}  first {one.first_ms:8.1f} ms   median {one.median_ms:8.1f} ms{among}"
            )
    for one in missed:
        print(f"missed: {one.what} took {one.median_ms} ms, {TARGETS_MS[one.what]} are allowed", file=sys.stderr)
    if memory > MEMORY_MB:
        print(f"missed: {memory:,.0f} MB of memory, {MEMORY_MB} are allowed", file=sys.stderr)
    return 1 if missed or memory > MEMORY_MB else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traces", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--spans", type=int, default=SPANS, help="how many spans are stored first")
    sys.exit(asyncio.run(main(parser.parse_args())))
