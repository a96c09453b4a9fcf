"""Whoever adds up the trail may be killed at any instant: every event counts once."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.sql import open_store
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.gateway.audit_log import Sequencer
from interlock.gateway.followers import SumsFollower, catch_up
from interlock.gateway.store import Store
from interlock.traces.ports import RunQuery, SpanStore
from tests.contracts.samples import ACME, NOW

ROOT = Path(__file__).resolve().parents[2]
EVENTS, RUNS = 4_000, 20
MOST_KILLS = 5


def a_call(number: int) -> AuditEvent:
    """The event of a model call that costs its number."""
    run = f"run-{number % RUNS}"
    used = {"input_tokens": 1, "output_tokens": 1, "cost_nano_usd": number}
    body = {"agent": "support", "run": run, "status": "succeeded", **used}
    return AuditEvent(
        f"evt-{number}", ACME, AuditKind.MODEL_CALLED, NOW + number, "bot", f"{ACME}/{run}/{number}", body
    )


async def filled(url: str) -> Store:
    store = await open_store(url)
    events = [a_call(number) for number in range(EVENTS)]
    await store.transact(lambda tx: tx.audit.append(*events))
    sequencer = Sequencer(store)
    while await sequencer.place():
        pass
    return store


def killed(journal: str, spans: str, wait: float) -> bool:
    """Run a follower and kill it `wait` seconds after it began; return whether it came to the end before."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.follower_worker", journal, spans],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "begun\n"
        time.sleep(wait)
        worker.kill()
        return "done" in worker.stdout.read()
    finally:
        worker.kill()
        worker.communicate()


async def sums(spans: SpanStore) -> list[tuple[str | None, int, int]]:
    return sorted(
        (one.run, one.model_calls, one.cost_nano_usd) for one in await spans.runs(RunQuery(ACME, limit=RUNS + 1))
    )


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_every_event_counts_once_however_often_the_follower_is_killed(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    spans = f"sqlite:///{tmp_path / 'spans.db'}" if database == "sqlite" else request.getfixturevalue("postgres_dsn")
    store = await filled(journal)
    kept, alone = await open_span_store(spans), MemorySpanStore()
    follower = SumsFollower(store, kept)
    dice, kills = random.Random(3), 0
    while kills < MOST_KILLS and not await asyncio.to_thread(killed, journal, spans, dice.uniform(0.01, 0.25)):
        kills += 1
        assert await kept.position(follower.name) <= EVENTS
    assert kills, "the follower was too fast to be killed"

    await catch_up(follower, kept)
    await catch_up(SumsFollower(store, alone), alone)

    assert await sums(kept) == await sums(alone)
    assert sum(cost for _, _, cost in await sums(kept)) == sum(range(EVENTS))
    await kept.close()
    await store.close()
