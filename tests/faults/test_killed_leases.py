"""A process that is killed with budgets in hand costs at most what it held, and no budget is passed for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.adapters.clock import SystemClock
from interlock.adapters.sql import open_store
from interlock.budgets.slices import Draw, Slice
from interlock.domain.audit import AuditKind
from interlock.domain.ids import RunId
from interlock.gateway.leases import LeaseBook
from interlock.gateway.reclaim import reclaim
from interlock.gateway.store import Store, Tx
from interlock.models.ports import ModelCallFilter
from tests.contracts.leaser import SHARED
from tests.contracts.samples import ACME
from tests.contracts.test_lease_processes import a_leaser, say_go
from tests.kits.leasing import a_charge, nothing

LIVING = "gate-alive"
MAXIMUM = 10**7

Reclaim = Callable[[Tx, frozenset[str], int], tuple[Slice, ...]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


async def _kill_one(url: str, name: str) -> None:
    leaser = await asyncio.to_thread(a_leaser, url, name, 16, MAXIMUM)
    say_go(leaser)
    await asyncio.sleep(random.uniform(0.1, 0.4))
    leaser.kill()
    await asyncio.to_thread(leaser.communicate)


async def _balance(store: Store) -> tuple[int, int]:
    (found,) = await store.read(lambda tx: tx.budgets.balances(SHARED))
    return found.spent, found.held


async def _bury(url: str, kills: int, reclaim: Reclaim) -> None:
    """Kill processes beside one that lives, reclaim what they held, and look at the books."""
    store = await open_store(url)
    book = LeaseBook(store, LIVING, SystemClock())
    held = await book.hold((a_charge(40, SHARED, MAXIMUM),))
    written = 0
    for number in range(kills):
        await _kill_one(url, f"gate-{number}")
        before = await _balance(store)
        buried = await store.transact(lambda tx: reclaim(tx, frozenset({LIVING}), SystemClock().now()))
        mine = sum(one.amount for one in buried if one.budget == SHARED)
        assert mine > 0, "it died with nothing in hand"
        assert await _balance(store) == (before[0] + mine, before[1] - mine)
        assert {one.owner for one in buried} == {f"gate-{number}"}
        written += mine

    every = ModelCallFilter(ACME, RunId("run-1"), limit=10**6)
    recorded = sum(one.usage.input for one in await store.read(lambda tx: tx.models.search(every)))
    spent, left = await _balance(store)
    assert recorded <= spent - written, "what is recorded was drawn with it"
    assert spent + left <= MAXIMUM
    events = await store.read(lambda tx: tx.audit.search(ACME, subject=SHARED, limit=10**6))
    assert {event.kind for event in events} == {AuditKind.BUDGET_WRITTEN_OFF}
    assert sum(int(event.body["amount"]) for event in events) == written

    book.settle(held, nothing)
    await book.close()
    assert await _balance(store) == (spent, 0)
    await store.close()


async def test_what_a_killed_process_held_counts_as_spent_and_the_living_keep_theirs(url: str, faults: int) -> None:
    await _bury(url, max(2, faults // 10), reclaim)


async def test_the_same_check_finds_a_gate_that_gives_the_dead_their_room_back(tmp_path: Path) -> None:
    def give_back(tx: Tx, alive: frozenset[str], now: int) -> tuple[Slice, ...]:
        dead = tx.budgets.slices(alive)
        for one in dead:
            tx.budgets.draw(one.owner, (Draw(one.slice, one.budget, 10**9, 0, 0, last=True),))
        return dead

    with pytest.raises(AssertionError):
        await _bury(f"sqlite:///{tmp_path / 'store.db'}", 1, give_back)
