"""What models were asked is on disk when it is said to be, once, together with what it spent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.errors import StoreUnavailable
from interlock.domain.ids import ModelCallId, RunId
from interlock.gateway import recorder as recording
from interlock.gateway.leases import LeaseBook
from interlock.gateway.recorder import Recorder, Seen
from interlock.gateway.store import Tx
from interlock.models.ports import ModelCallFilter
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME, an_event
from tests.kits.faulty_store import Fate, FaultyStore
from tests.kits.leasing import Ticker, a_charge, all_of_it, standing

RUN = RunId("run-1")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore()


@pytest.fixture
def book(store: FaultyStore) -> LeaseBook:
    return LeaseBook(store, "gate-1", Ticker())


@pytest.fixture
async def recorder(store: FaultyStore, book: LeaseBook) -> AsyncIterator[Recorder]:
    made = Recorder(store, book, "gate-1")
    yield made
    store.fates.clear()
    await made.close()


def noted(recorder: Recorder, id_: str, *seen: str, **changes: Any) -> asyncio.Future[None]:
    events: tuple[AuditEvent, ...] = (an_event(f"evt-{id_}", kind=AuditKind.MODEL_CALLED),)
    return recorder.note(
        a_model_record(id_, **changes), events, [Seen(ACME, RUN, "tool_result", text) for text in seen]
    )


def welcome(recorder: Recorder) -> bool:
    return recorder.healthy


async def kept(store: FaultyStore) -> tuple[list[str], list[str], list[str]]:
    def look(tx: Tx) -> tuple[list[str], list[str], list[str]]:
        calls = [record.call.id for record in tx.models.search(ModelCallFilter(ACME))]
        events = [event.id for event in tx.audit.search(ACME, subject=None, limit=999)]
        return list(reversed(calls)), list(reversed(events)), [row.body for row, _ in tx.evidence.since(ACME, RUN, 0)]

    return await store.read(look)


async def test_a_call_its_event_and_its_spending_are_recorded_in_one_transaction(
    recorder: Recorder, book: LeaseBook, store: FaultyStore
) -> None:
    held = await book.hold((a_charge(10),))
    book.settle(held, all_of_it)
    before = store.transactions
    await noted(recorder, "mc-1", "the parcel", "never came")
    assert store.transactions == before + 1
    assert await kept(store) == (["mc-1"], ["evt-mc-1"], ["the parcel", "never came"])
    assert await standing(store) == (10, 70)


async def test_whoever_waits_hurries_everything_and_whoever_does_not_waits_for_company(
    recorder: Recorder, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LATEST_S", 60.0)
    quiet = [noted(recorder, f"mc-{number}") for number in range(5)]
    await asyncio.sleep(0.01)
    assert store.transactions == 0
    await asyncio.wait_for(noted(recorder, "mc-5"), 1)
    assert all(future.done() for future in quiet)
    assert store.transactions == 1


async def test_a_record_that_nobody_waits_for_is_written_all_the_same(recorder: Recorder, store: FaultyStore) -> None:
    noted(recorder, "mc-1")
    await asyncio.sleep(0.1)
    assert (await kept(store))[0] == ["mc-1"]


async def test_while_the_store_fails_everything_is_kept_and_no_new_call_is_welcome(
    recorder: Recorder, book: LeaseBook, store: FaultyStore
) -> None:
    held = await book.hold((a_charge(10),))
    book.settle(held, all_of_it)
    # The second commits and does not say so; nothing of it may be there twice.
    store.fates.extend([Fate.LOST, Fate.UNANSWERED, Fate.LOST])
    first = noted(recorder, "mc-1", "a text")
    second = noted(recorder, "mc-2")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(first), 0.02)
    assert not welcome(recorder)
    third = noted(recorder, "mc-3")
    await asyncio.gather(first, second, third)
    assert welcome(recorder)
    ids = [f"mc-{number}" for number in (1, 2, 3)]
    assert await kept(store) == (ids, [f"evt-{id_}" for id_ in ids], ["a text"])
    assert await standing(store) == (10, 70)


async def test_what_a_run_has_seen_is_recorded_once(recorder: Recorder, store: FaultyStore) -> None:
    noted(recorder, "mc-1", "one", "two")
    await noted(recorder, "mc-2", "one", "two", "three")
    assert (await kept(store))[2] == ["one", "two", "three"]


async def test_a_record_that_cannot_be_written_does_not_keep_the_others_from_it(
    recorder: Recorder, book: LeaseBook, store: FaultyStore
) -> None:
    held = await book.hold((a_charge(10),))
    book.settle(held, all_of_it)
    fine = noted(recorder, "mc-1")
    event = an_event("evt-bad", body={"half": "\ud800"})
    bad = recorder.note(a_model_record("mc-2"), (event,))
    last = noted(recorder, "mc-3")
    await asyncio.gather(fine, last)
    with pytest.raises(StoreUnavailable, match="cannot be recorded"):
        await bad
    await recorder.close()
    assert (await kept(store))[0] == ["mc-1", "mc-3"]
    assert await store.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-2"))) is None
    assert (await standing(store))[0] == 10


async def test_too_many_that_wait_keep_new_calls_out(
    recorder: Recorder, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FULL", 3)
    for number in range(3):
        assert welcome(recorder)
        noted(recorder, f"mc-{number}")
    assert not welcome(recorder)


async def test_closing_writes_what_waits_and_takes_nothing_more(book: LeaseBook, store: FaultyStore) -> None:
    recorder = Recorder(store, book, "gate-1")
    held = await book.hold((a_charge(10),))
    book.settle(held, all_of_it)
    noted(recorder, "mc-1")
    await recorder.close()
    await book.close()
    assert (await kept(store))[0] == ["mc-1"]
    assert await standing(store) == (10, 0)
    with pytest.raises(StoreUnavailable, match="closed"):
        await noted(recorder, "mc-2")


async def test_closing_while_the_store_is_gone_says_what_is_lost(book: LeaseBook, store: FaultyStore) -> None:
    recorder = Recorder(store, book, "gate-1")
    store.fates.extend([Fate.LOST] * 100)
    noted(recorder, "mc-1")
    with pytest.raises(StoreUnavailable, match="1 model calls could not be recorded"):
        await recorder.close(0.05)
