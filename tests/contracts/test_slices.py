"""Slices of budgets: what a process takes ahead is held like any other hold."""

from __future__ import annotations

import asyncio

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from interlock.adapters.sql import open_store
from interlock.budgets.slices import Draw, Grant, Slice, Want
from interlock.domain.budgets import Balance
from interlock.gateway.store import Store
from tests.contracts.samples import NOW, a_charge

DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


def a_want(most: int, slice_: int = 1, budget: str = "b1", *, maximum: int = 100, **changes: int) -> Want:
    fields = {"least": most, "need": most, "fresh": True} | changes
    charge = a_charge(most, maximum=maximum, budget=budget)
    return Want(slice_, charge, fields["least"], fields["need"], bool(fields["fresh"]))


async def lease(store: Store, *wants: Want, owner: str = "gate-1") -> tuple[Grant, ...]:
    return await store.transact(lambda tx: tx.budgets.lease(owner, wants, NOW))


async def draw(store: Store, *draws: Draw, owner: str = "gate-1") -> frozenset[int]:
    return await store.transact(lambda tx: tx.budgets.draw(owner, draws))


async def balance(store: Store, budget: str = "b1") -> tuple[int, int]:
    (found,) = await store.read(lambda tx: tx.budgets.balances(budget))
    return found.spent, found.held


async def slices(store: Store, *but: str) -> tuple[Slice, ...]:
    return await store.read(lambda tx: tx.budgets.slices(frozenset(but)))


async def test_a_slice_is_what_is_wanted_or_what_is_left(store: Store) -> None:
    assert await lease(store, a_want(60)) == (Grant(60, Balance("b1", 100, 0, 60)),)
    assert await lease(store, a_want(60, 2, least=10)) == (Grant(40, Balance("b1", 100, 0, 100)),)
    assert await lease(store, a_want(1, 3)) == (Grant(0, Balance("b1", 100, 0, 100)),)
    assert await slices(store) == (Slice("gate-1", 1, "b1", 60), Slice("gate-1", 2, "b1", 40))


async def test_beyond_the_need_no_more_than_an_eighth_of_what_is_left_is_taken(store: Store) -> None:
    (first,) = await lease(store, a_want(80, need=1, least=1, maximum=800))
    (second,) = await lease(store, a_want(800, 2, need=1, least=1, maximum=800))
    (third,) = await lease(store, a_want(800, 3, need=200, least=1, maximum=800))
    assert (first.amount, second.amount, third.amount) == (80, 90, 200)
    (fourth,) = await lease(store, a_want(80, 4, "b2", need=2, least=1, maximum=20))
    assert fourth.amount == 2


async def test_several_budgets_answer_in_the_order_of_the_wants(store: Store) -> None:
    grants = await lease(store, a_want(5, 1, "b2"), a_want(101, 2, "b1"), a_want(7, 3, "b0"))
    assert [(one.balance.budget, one.amount) for one in grants] == [("b2", 5), ("b1", 0), ("b0", 7)]
    with pytest.raises(ValueError, match="once"):
        await lease(store, a_want(1, 4), a_want(1, 5))


async def test_a_drawing_spends_and_gives_back_once_however_often_it_is_carried_out(store: Store) -> None:
    await lease(store, a_want(60))
    for _ in range(3):
        assert await draw(store, Draw(1, "b1", 1, spent=10, returned=20)) == frozenset()
        assert await balance(store) == (10, 30)
    await lease(store, a_want(5, fresh=False))
    await draw(store, Draw(1, "b1", 2, spent=3, returned=0))
    assert await balance(store) == (13, 32)
    for _ in range(2):
        assert await draw(store, Draw(1, "b1", 3, spent=2, returned=0, last=True)) == frozenset()
        assert await balance(store) == (15, 0)
    assert await slices(store) == ()


async def test_reserving_and_slicing_share_one_budget(store: Store) -> None:
    await lease(store, a_want(60))
    assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(41, budget="b1"),), NOW)) is not None
    assert await store.transact(lambda tx: tx.budgets.reserve("c1", (a_charge(40, budget="b1"),), NOW)) is None
    assert [one.amount for one in await lease(store, a_want(1, 2))] == [0]


async def test_a_lowered_limit_binds_the_next_slice_and_is_noted(store: Store) -> None:
    await lease(store, a_want(60))
    assert (await lease(store, a_want(1, 2, maximum=50)))[0].amount == 0
    assert await store.read(lambda tx: tx.budgets.balances("b1")) == (Balance("b1", 50, 0, 60),)
    assert (await lease(store, a_want(60, 3, maximum=120)))[0].amount == 60


async def test_what_a_dead_process_held_counts_as_spent_and_is_no_longer_its_own(store: Store) -> None:
    await lease(store, a_want(60), a_want(5, 2, "b2"))
    await lease(store, a_want(30), owner="gate-2")
    dead = await slices(store, "gate-2")
    assert dead == (Slice("gate-1", 1, "b1", 60), Slice("gate-1", 2, "b2", 5))
    for expected in (dead, ()):
        assert await store.transact(lambda tx: tx.budgets.write_off(dead)) == expected
    assert (await balance(store), await balance(store, "b2")) == ((60, 30), (5, 0))
    # It was only slow, and comes back.
    assert await draw(store, Draw(1, "b1", 1, spent=10, returned=0), Draw(2, "b2", 1, 5, 0, last=True)) == {1}
    (grant,) = await lease(store, a_want(1, fresh=False))
    assert (grant.amount, grant.gone) == (0, True)
    assert await balance(store) == (60, 30)


async def test_slices_of_many_processes_never_hold_more_than_there_is(store: Store) -> None:
    async def take(owner: int) -> int:
        wants = [a_want(9, number, f"b{number % 3}", need=3, least=1, maximum=200) for number in range(3)]
        if owner % 2:
            wants.reverse()
        return sum(grant.amount for grant in await lease(store, *wants, owner=f"gate-{owner}"))

    taken = await asyncio.gather(*(take(owner) for owner in range(120)))
    found = await store.read(lambda tx: tx.budgets.balances("b"))
    assert [one.held for one in found] == [200, 200, 200]
    assert sum(taken) == 600 == sum(one.amount for one in await slices(store))


async def test_a_database_of_the_first_version_keeps_its_budgets_and_gets_slices(database_url: str) -> None:
    def first_version() -> None:
        engine = create_engine(make_url(database_url).set(drivername=DRIVERS[database_url.split(":", maxsplit=1)[0]]))
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", "interlock.adapters.sql:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            connection.execute(text("INSERT INTO budgets (budget, maximum, spent, held) VALUES ('b1', 100, 30, 20)"))
        engine.dispose()

    await asyncio.to_thread(first_version)
    store = await open_store(database_url)
    assert await lease(store, a_want(60, least=1)) == (Grant(50, Balance("b1", 100, 30, 70)),)
    await store.close()
