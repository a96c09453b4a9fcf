"""A transaction keeps everything or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from interlock.adapters.sql import open_store
from interlock.domain.errors import ConfigurationError, StoreUnavailable
from interlock.domain.ids import RunId
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, NOW, a_brake, a_charge, a_pin, a_record, a_run, an_approval, an_event


class Boom(Exception):
    pass


async def test_what_a_transaction_returns_is_returned_once_it_is_recorded(store: Store) -> None:
    def work(tx: Tx) -> str:
        tx.runs.open(a_run())
        return "done"

    assert await store.transact(work) == "done"
    assert await store.read(lambda tx: tx.runs.find(ACME, RunId("run-1"))) == a_run()


async def test_an_exception_takes_back_everything_and_passes_through_unchanged(store: Store) -> None:
    boom = Boom("mine")

    def work(tx: Tx) -> None:
        tx.runs.open(a_run())
        tx.calls.insert(a_record())
        tx.evidence.append(ACME, RunId("run-1"), "user", "hello", None)
        tx.budgets.reserve("c", (a_charge(5),), NOW)
        tx.approvals.add(an_approval())
        tx.brakes.set(a_brake())
        tx.audit.append(an_event())
        tx.pins.put(a_pin())
        tx.heartbeats.beat("gate-1", NOW)
        raise boom

    with pytest.raises(Boom) as raised:
        await store.transact(work)
    assert raised.value is boom

    def left(tx: Tx) -> tuple[object, ...]:
        return (
            *tx.runs.latest(ACME, 9),
            *tx.evidence.since(ACME, RunId("run-1"), 0),
            *tx.budgets.balances(""),
            *tx.budgets.holds("c"),
            *tx.brakes.history(ACME, 9),
            *tx.audit.search(ACME, subject=None, limit=9),
            *tx.pins.all(),
            *tx.heartbeats.alive(0),
            *([one] if (one := tx.calls.find(a_record().call.key)) else []),
            *([two] if (two := tx.approvals.find(an_approval().id)) else []),
        )

    assert await store.read(left) == ()


async def test_a_failed_transaction_takes_nothing_with_it_that_commits_beside_it(store: Store) -> None:
    def work(number: int) -> None:
        async def one() -> None:
            def inner(tx: Tx) -> None:
                tx.runs.open(a_run(f"run-{number}"))
                if number % 3 == 0:
                    raise Boom

            await store.transact(inner)

        tasks.append(asyncio.ensure_future(one()))

    tasks: list[asyncio.Future[None]] = []
    for number in range(30):
        work(number)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, Boom) for result in results] == [number % 3 == 0 for number in range(30)]
    kept = await store.read(lambda tx: {run.id for run in tx.runs.latest(ACME, 99)})
    assert kept == {f"run-{number}" for number in range(30) if number % 3}


async def test_what_is_written_while_reading_is_not_kept(store: Store) -> None:
    with contextlib.suppress(StoreUnavailable):
        await store.read(lambda tx: tx.pins.put(a_pin()))
    assert await store.read(lambda tx: tx.pins.all()) == ()
    await store.transact(lambda tx: tx.pins.put(a_pin()))


async def test_an_abandoned_transaction_harms_no_other(store: Store) -> None:
    task = asyncio.ensure_future(store.transact(lambda tx: tx.pins.put(a_pin("abandoned"))))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.transact(lambda tx: tx.pins.put(a_pin("kept")))
    assert "kept" in [pin.tool for pin in await store.read(lambda tx: tx.pins.all())]


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.transact(lambda tx: tx.heartbeats.beat("gate-1", NOW))
    with pytest.raises(StoreUnavailable):
        await store.read(lambda tx: tx.heartbeats.alive(0))


async def test_records_outlive_the_process_that_wrote_them(database_url: str) -> None:
    first = await open_store(database_url)
    await first.transact(lambda tx: tx.runs.open(a_run()))
    await first.close()
    second = await open_store(database_url)
    assert await second.read(lambda tx: tx.runs.find(ACME, RunId("run-1"))) == a_run()
    await second.close()


async def test_many_may_open_an_empty_database_at_once(database_url: str) -> None:
    stores = await asyncio.gather(*(open_store(database_url) for _ in range(6)))
    await asyncio.gather(*(one.transact(lambda tx: tx.heartbeats.beat("gate", NOW)) for one in stores))
    assert await stores[0].read(lambda tx: tx.heartbeats.alive(0)) == {"gate"}
    for one in stores:
        await one.close()


async def test_reads_see_one_moment(database_url: str) -> None:
    store = await open_store(database_url)
    entered, written = threading.Event(), threading.Event()

    def work(tx: Tx) -> tuple[int, int]:
        before = len(tx.pins.all())
        entered.set()
        assert written.wait(10)
        return before, len(tx.pins.all())

    reading = asyncio.ensure_future(store.read(work))
    await asyncio.to_thread(entered.wait, 10)
    await store.transact(lambda tx: tx.pins.put(a_pin()))
    written.set()
    assert await reading == (0, 0)
    await store.close()


@pytest.mark.parametrize("address", ["", "nonsense", "mysql://user:geheim@host/db", "://"])
async def test_an_address_of_another_kind_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await open_store(address)
    assert "geheim" not in str(raised.value)


async def test_whatever_an_exception_is_it_reaches_its_caller_and_no_other(store: Store) -> None:
    def stop(tx: Tx) -> None:
        raise StopIteration

    results = await asyncio.gather(
        store.transact(stop),
        store.transact(lambda tx: tx.pins.put(a_pin())),
        return_exceptions=True,
    )
    assert isinstance(results[0], StopIteration | RuntimeError)
    assert results[1] is None
    assert await store.read(lambda tx: tx.pins.all()) == (a_pin(),)
