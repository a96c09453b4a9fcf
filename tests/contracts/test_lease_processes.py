"""INVARIANT I4 over leased budgets: 64 clients in each of 2 processes, the limit reached in the middle, and a watcher."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from interlock.adapters.sql import open_store
from interlock.domain.budgets import Balance
from interlock.domain.ids import RunId
from interlock.gateway.store import Store
from interlock.models.ports import ModelCallFilter
from tests.contracts.leaser import SHARED
from tests.contracts.samples import ACME

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
CLIENTS = 64
MAXIMUM = 200_000
PATIENCE_S = 60


def a_leaser(url: str, name: str, clients: int = CLIENTS, maximum: int = MAXIMUM) -> subprocess.Popen[str]:
    """Return a process that has opened the store and waits for the word."""
    leaser = subprocess.Popen(
        [sys.executable, "-m", "tests.contracts.leaser", url, name, str(clients), str(maximum)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert leaser.stdout is not None
    assert leaser.stdout.readline() == "ready\n"
    return leaser


def say_go(leaser: subprocess.Popen[str]) -> None:
    assert leaser.stdin is not None
    leaser.stdin.write("go\n")
    leaser.stdin.flush()


async def _watch(store: Store, leasers: list[subprocess.Popen[str]]) -> list[Balance]:
    """Read the shared budget until all have ended."""
    seen: list[Balance] = []
    deadline = time.monotonic() + PATIENCE_S
    while any(leaser.poll() is None for leaser in leasers):
        assert time.monotonic() < deadline
        seen += await store.read(lambda tx: tx.budgets.balances(SHARED))
        await asyncio.sleep(0.002)
    return seen


async def test_processes_that_lease_one_budget_never_pass_it_and_account_for_every_unit(database_url: str) -> None:
    leasers = [a_leaser(database_url, f"gate-{number}") for number in range(PROCESSES)]
    store = await open_store(database_url)
    try:
        for leaser in leasers:
            say_go(leaser)
        seen = await _watch(store, leasers)
        tallies = [json.loads(leaser.communicate()[0]) for leaser in leasers]
    finally:
        for leaser in leasers:
            leaser.kill()
            leaser.communicate()
    assert [leaser.returncode for leaser in leasers] == [0] * PROCESSES
    assert len(seen) > 50
    assert max(one.spent + one.held for one in seen) <= MAXIMUM
    assert all(tally["refused"] for tally in tallies), "both processes met the limit"

    (balance,) = await store.read(lambda tx: tx.budgets.balances(SHARED))
    assert balance.held == 0
    assert balance.spent == sum(tally["used"] for tally in tallies)
    assert balance.spent > MAXIMUM * 0.95
    assert await store.read(lambda tx: tx.budgets.slices(frozenset())) == ()

    everything = ModelCallFilter(ACME, RunId("run-1"), limit=10**6)
    records = await store.read(lambda tx: tx.models.search(everything))
    events = await store.read(lambda tx: tx.audit.search(ACME, subject="mc-", limit=10**6))
    await store.close()
    assert len(records) == len(events) == sum(tally["calls"] for tally in tallies)
    assert sum(record.usage.input for record in records) == balance.spent
