"""A process that is killed loses nothing that was acknowledged, and leaves nothing half done."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interlock.adapters.sql import open_store
from interlock.domain.ids import RunId
from interlock.gateway.store import Store, Tx
from interlock.runs.ports import CallFilter
from tests.contracts.samples import ACME

ROOT = Path(__file__).resolve().parents[2]
EVERYTHING = 10**9


def _killed_writer(url: str, name: str, wait: float, *defect: str) -> list[str]:
    """Run a writer, kill it `wait` seconds after its first acknowledgement, and return all it acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.journal_writer", url, name, *defect],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(wait)
        writer.kill()
        # The last line may have been cut short by the kill.
        return [
            line.strip() for line in (first + writer.stdout.read()).splitlines(keepends=True) if line.endswith("\n")
        ]
    finally:
        writer.kill()
        writer.communicate()


async def _check(store: Store, acknowledged: set[str]) -> None:
    def look(tx: Tx) -> tuple[set[str], set[str], set[str], int, int]:
        calls = {str(record.call.key.call) for record in tx.calls.search(CallFilter(ACME, limit=EVERYTHING))}
        evidence = {str(row.call) for row, _ in tx.evidence.since(ACME, RunId("run-1"), 0)}
        events = {event.id for event in tx.audit.search(ACME, subject=None, limit=EVERYTHING)}
        balances = tx.budgets.balances("shared")
        return calls, evidence, events, sum(one.held for one in balances), sum(len(tx.budgets.holds(c)) for c in calls)

    calls, evidence, events, held, holds = await store.read(look)
    assert acknowledged <= calls, "an acknowledged transaction is gone"
    assert calls == evidence == events, "a transaction is there by half"
    assert held == holds == len(calls), "a transaction is there by half"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


async def test_a_killed_writer_loses_no_acknowledged_transaction_and_leaves_no_half(url: str, faults: int) -> None:
    # The writers share the database with a store that stays open: recovery happens beside live connections.
    store = await open_store(url)
    acknowledged: set[str] = set()
    for number in range(max(4, faults // 5)):
        acknowledged |= set(_killed_writer(url, f"w{number}", random.uniform(0.0, 0.08)))
    await _check(store, acknowledged)
    await store.transact(lambda tx: tx.heartbeats.beat("still here", 1))
    await store.close()


async def test_the_same_check_finds_a_writer_that_uses_two_transactions(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = await open_store(url)
    for number in range(6):
        _killed_writer(url, f"w{number}", 0.02, "halves")
    with pytest.raises(AssertionError, match="by half"):
        await _check(store, set())
    await store.close()
