"""What the audit log costs: commits per second with it beside those without, how fast events get places, how fast it verifies.

    python -m benchmarks.audit [--json] [--seconds N]

A commit is one durable transaction through the store. `state` writes the state row alone (a call in the journal); `audited`
writes the same row and its audit event, while a process of its own places the events and signs a checkpoint every second.
Both run in the same process, in turns, with eight writers on their own connections; `ratio` is the one divided by the other.
PostgreSQL is measured where INTERLOCK_TEST_POSTGRES_DSN names a server. The target is a ratio of 0.65.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.sql import open_store
from interlock.audit.export import FolderTarget
from interlock.audit.verifying import Outcome, verify
from interlock.domain.audit import AuditKind
from interlock.domain.calls import CallKey, CallRecord, CallStatus, ToolCall
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, TenantId, ToolName
from interlock.gateway import audit_export
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event

WRITERS = 8
ROUNDS = 3
TARGET = 0.65
BACKLOG = 20_000
VARIABLE = "INTERLOCK_TEST_POSTGRES_DSN"
TENANT = TenantId("bench")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one database does."""

    database: str
    state_per_second: float
    audited_per_second: float
    ratio: float
    p50_ms: float
    """Of an audited commit."""
    p99_ms: float
    lag_ms: float
    """From the last commit of a turn until every event has its place."""
    placed_per_second: float
    """Events of a backlog that get their places, and tiles, by one sequencer."""
    verified_per_second: float
    """Entries of an export, by the offline verifier."""


def a_record(run: str, number: int) -> CallRecord:
    """Return a call that was decided and carried out."""
    call = ToolCall(
        CallKey(TENANT, RunId(run), CallId(f"c{number}")),
        AgentId("refunds"),
        PrincipalId("agent"),
        ToolName("orders.refund"),
        {"order": f"A-{number}", "amount": 20, "reason": "arrived broken"},
    )
    decision = {"effect": "allow", "findings": [{"rule": "tier.2", "effect": "allow", "code": "tier"}]}
    return CallRecord(call, call.arguments_hash, CallStatus.EXECUTING, decision, "0" * 64, 0, 0, salt=os.urandom(32))


def write(tx: Tx, run: str, number: int, *, audited: bool) -> None:
    """Record a call; with `audited` also the event of its decision."""
    record = a_record(run, number)
    tx.calls.insert(record)
    if audited:
        commitment = "0123456789abcdef" * 4
        body = {
            "agent": record.call.agent,
            "arguments": commitment,
            "attempt": 0,
            "contract": record.contract_hash,
            "decision": commitment,
            "effect": "allow",
            "obligations": [],
            "provenance": None,
            "rules": [["tier.2", "allow", "tier"]],
            "status": record.status.value,
            "tool": record.call.tool,
            "user": commitment,
            "versions": {"agent": "sha256:0123", "policy": "sha256:4567", "tiers": "1"},
        }
        tx.audit.append(event(TENANT, AuditKind.CALL_DECIDED, number, "agent", str(record.call.key), body))


async def commits(store: Store, seconds: float, *, audited: bool) -> list[float]:
    """Commit with eight writers for `seconds`; return what each commit took."""
    latencies: list[float] = []

    async def writer(until: float) -> None:
        run, number = uuid.uuid4().hex, 0
        while (start := time.perf_counter()) < until:
            await store.transact(lambda tx, number=number: write(tx, run, number, audited=audited))  # type: ignore[misc]
            latencies.append(time.perf_counter() - start)
            number += 1

    until = time.perf_counter() + seconds
    await asyncio.gather(*(writer(until) for _ in range(WRITERS)))
    return latencies


@asynccontextmanager
async def sequencing(url: str, folder: Path) -> AsyncIterator[None]:
    """Keep the log going in a process of its own, as a second server would."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.audit",
        "--sequence",
        url,
        "--state",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    await program.stdout.readline()
    try:
        yield
    finally:
        program.terminate()
        await program.wait()


async def sequence(url: str, folder: Path) -> None:
    """Be that process."""
    store = await open_store(url)
    log = Log(store, KeyFiles(folder), CheckpointFile(folder), "bench")
    print("ready", flush=True)
    await Watchman(Sequencer(store), Signer(log), 1_000).run()


async def measure_database(database: str, url: str, seconds: float, folder: Path) -> Figures:
    """Return the figures of one database."""
    store = await open_store(url)
    plain, audited, latencies = [], [], []
    async with sequencing(url, folder):
        for _ in range(ROUNDS):
            plain.append(len(await commits(store, seconds, audited=False)) / seconds)
            taken = await commits(store, seconds, audited=True)
            audited.append(len(taken) / seconds)
            latencies += taken
        ended = time.perf_counter()
        while await store.read(lambda tx: tx.log.waits()):  # noqa: ASYNC110 - another process clears it
            await asyncio.sleep(0.01)
        lag = time.perf_counter() - ended
    latencies.sort()
    placed = await placing(store)
    verified = await verifying(store, folder)
    await store.close()
    without, with_log = statistics.median(plain), statistics.median(audited)
    return Figures(
        database,
        state_per_second=round(without, 1),
        audited_per_second=round(with_log, 1),
        ratio=round(statistics.median(one / other for one, other in zip(audited, plain, strict=True)), 3),
        p50_ms=round(latencies[len(latencies) // 2] * 1e3, 3),
        p99_ms=round(latencies[len(latencies) * 99 // 100] * 1e3, 3),
        lag_ms=round(lag * 1e3),
        placed_per_second=round(placed),
        verified_per_second=round(verified),
    )


async def placing(store: Store) -> float:
    """Return how many events per second of a backlog get their places."""
    await Sequencer(store).place()

    def backlog(tx: Tx) -> None:
        body = {"arguments": "0123456789abcdef" * 4, "effect": "allow", "decision": "0123456789abcdef" * 4}
        for number in range(BACKLOG):
            tx.audit.append(event(TENANT, AuditKind.CALL_DECIDED, number, "agent", f"bench/backlog/{number}", body))

    await store.transact(backlog)
    sequencer, start, count = Sequencer(store), time.perf_counter(), 0
    while count < BACKLOG:
        count += await sequencer.place()
    return BACKLOG / (time.perf_counter() - start)


async def verifying(store: Store, folder: Path) -> float:
    """Return how many entries per second the offline verifier checks."""
    log = Log(store, KeyFiles(folder), CheckpointFile(folder), "bench")
    note = await Signer(log).sign()
    if note is None:
        raise RuntimeError("nothing was signed")
    place = folder / "export"
    entries = await audit_export.write(await audit_export.source_of(log, note), FolderTarget(place), lambda _: None)
    start = time.perf_counter()
    verdict = verify(place)
    took = time.perf_counter() - start
    if verdict.outcome is not Outcome.UNPROVEN:
        raise RuntimeError(f"the log does not verify: {verdict.reason}")
    return entries / took


async def measure(seconds: float, dsn: str | None) -> list[Figures]:
    """Return all figures; those of PostgreSQL only with `dsn`."""
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder:
        path = Path(folder)
        figures = [await measure_database("sqlite", f"sqlite:///{path / 'store.db'}", seconds, path / "sqlite")]
        if dsn:
            schema = f"bench_{uuid.uuid4().hex}"
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await connection.execute(f'CREATE SCHEMA "{schema}"'.encode())
                mark = "&" if "?" in dsn else "?"
                own = f"{dsn}{mark}options=-csearch_path%3D{schema}"
                figures.append(await measure_database("postgresql", own, seconds, path / "postgresql"))
                await connection.execute(f'DROP SCHEMA "{schema}" CASCADE'.encode())
    return figures


def show(figures: Sequence[Figures]) -> str:
    """Return the figures as a table."""
    head = f"{'database':<12}{'state/s':>10}{'audited/s':>11}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}{'lag ms':>9}"
    lines = [f"{head}{'placed/s':>11}{'verified/s':>12}"]
    lines += [
        f"{one.database:<12}{one.state_per_second:>10,.0f}{one.audited_per_second:>11,.0f}{one.ratio:>8.2f}{one.p50_ms:>9.2f}"
        f"{one.p99_ms:>9.2f}{one.lag_ms:>9.0f}{one.placed_per_second:>11,.0f}{one.verified_per_second:>12,.0f}"
        for one in figures
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 1 if PostgreSQL misses the target."""
    parser = argparse.ArgumentParser(description="What the audit log costs.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each turn is measured (default: 4)")
    parser.add_argument("--sequence", help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.sequence:
        asyncio.run(sequence(options.sequence, options.state))
        return 0
    dsn = os.environ.get(VARIABLE)
    figures = asyncio.run(measure(options.seconds, dsn))
    print(json.dumps([asdict(one) for one in figures], indent=2) if options.json else show(figures))
    if not dsn:
        print(f"PostgreSQL was not measured: set {VARIABLE}, or run it through make bench.", file=sys.stderr)
    return 1 if any(one.ratio < TARGET for one in figures if one.database == "postgresql") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
