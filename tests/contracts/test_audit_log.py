"""The log over the trail: every event gets one place, none is skipped, and what is kept of the tree is never rewritten."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading

import psycopg
import pytest

from interlock.adapters.sql import open_store
from interlock.audit.ports import LogKey
from interlock.domain.canonical import parse_json
from interlock.domain.errors import InterlockError
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, OTHER, an_event


async def _add(store: Store, *names: str) -> None:
    await store.transact(lambda tx: tx.audit.append(*(an_event(name, subject=f"s-{name}") for name in names)))


async def _ids(store: Store) -> list[str]:
    entries = await store.read(lambda tx: tx.log.entries(0, 10_000))
    assert [entry.index for entry in entries] == list(range(len(entries)))
    return [parse_json(entry.leaf)["id"] for entry in entries]


def _leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00%d" % number).digest() for number in range(count)]


def _level(row: list[bytes], level: int) -> tuple[bytes, ...]:
    for _ in range(level):
        pairs = zip(row[::2], row[1::2], strict=False)
        row = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return tuple(row)


async def test_events_get_places_in_batches_without_gaps(store: Store) -> None:
    await _add(store, "a", "b", "c")
    await _add(store, "d")

    assert await store.read(lambda tx: tx.log.waits())
    first = await store.transact(lambda tx: tx.log.place(3))
    second = await store.transact(lambda tx: tx.log.place(3))
    third = await store.transact(lambda tx: tx.log.place(3))
    entries = await store.read(lambda tx: tx.log.entries(0, 10))

    assert (first.first, second.first, third.first) == (0, 3, 4)
    assert (*first.hashes, *second.hashes) == tuple(entry.leaf_hash for entry in entries)
    assert third.hashes == ()
    assert [hashlib.sha256(b"\x00" + entry.leaf).digest() for entry in entries] == [one.leaf_hash for one in entries]
    assert await _ids(store) == ["a", "b", "c", "d"]
    assert await store.read(lambda tx: (tx.log.size(), tx.log.waits())) == (4, False)


async def test_entries_are_found_by_place_subject_and_id(store: Store) -> None:
    await _add(store, "a", "b", "c")
    assert await store.read(lambda tx: tx.log.find(ACME, "s-b")) == ()
    await store.transact(lambda tx: tx.log.place(10))

    (entry,) = await store.read(lambda tx: tx.log.find(ACME, "s-b"))
    assert await store.read(lambda tx: tx.log.find_event(ACME, "b")) == entry
    assert await store.read(lambda tx: tx.log.entries(1, 1)) == (entry,)
    assert await store.read(lambda tx: tx.log.leaves(1, 1)) == (entry.leaf,)
    assert await store.read(lambda tx: tx.log.find(OTHER, "s-b")) == ()
    assert await store.read(lambda tx: tx.log.find_event(OTHER, "b")) is None


async def test_entries_below_a_subject_are_found_with_it(store: Store) -> None:
    subjects = ("acme/run", "acme/run/call", "acme/run-2/call", "acme/run0", "acme/ru")
    await store.transact(lambda tx: tx.audit.append(*(an_event(one, subject=one) for one in subjects)))
    await store.transact(lambda tx: tx.log.place(10))

    assert [one.index for one in await store.read(lambda tx: tx.log.find(ACME, "acme/run"))] == [0, 1]


async def test_a_placing_that_fails_leaves_no_trace(store: Store) -> None:
    await _add(store, "a")

    def broken(tx: Tx) -> None:
        tx.log.place(9)
        tx.log.keep_hashes(0, 0, _leaves(1))
        raise InterlockError("broken")

    with pytest.raises(InterlockError):
        await store.transact(broken)
    assert await store.read(lambda tx: (tx.log.size(), tx.log.waits(), tx.log.hashes(0, 0, 9))) == (0, True, ())


@pytest.mark.parametrize("batches", [(1, 1, 254, 1, 700), (957,), (256, 256), (300, 211, 1)])
async def test_hashes_of_every_level_are_those_of_the_tree(store: Store, batches: tuple[int, ...]) -> None:
    leaves = _leaves(sum(batches))
    first = 0
    for count in batches:
        for level in (0, 1, 8):
            row = _level(leaves[: first + count], level)
            start = first >> level
            await store.transact(lambda tx, a=(level, start, row[start:]): tx.log.keep_hashes(*a))  # type: ignore[misc]
        first += count

    for level in range(11):
        expected = _level(leaves, level)
        found = await store.read(lambda tx, level=level: tx.log.hashes(level, 0, 2_000))  # type: ignore[misc]
        assert found == expected
        for start, count in ((1, 1), (3, 5), (len(expected) - 1, 2)):
            some = await store.read(lambda tx, a=(level, start, count): tx.log.hashes(*a))  # type: ignore[misc]
            assert start < 0 or some == expected[start : start + count]


async def test_a_gap_in_the_tree_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="do not follow"):
        await store.transact(lambda tx: tx.log.keep_hashes(0, 5, _leaves(1)))


async def test_a_checkpoint_stays_and_may_only_gain_signatures(store: Store) -> None:
    assert await store.read(lambda tx: tx.log.checkpoint()) is None
    keep = [(9, b"nine\n", True), (12, b"twelve\n", True), (9, b"other\n", False), (9, b"nine\nwitness\n", True)]
    for size, note, new in keep:
        assert await store.transact(lambda tx, a=(size, note): tx.log.keep_checkpoint(*a)) is new  # type: ignore[misc]

    assert await store.read(lambda tx: tx.log.checkpoint()) == b"twelve\n"
    assert await store.read(lambda tx: tx.log.checkpoints(0, 9)) == (b"nine\nwitness\n", b"twelve\n")
    assert await store.read(lambda tx: tx.log.checkpoints(10, 9)) == (b"twelve\n",)
    assert await store.read(lambda tx: tx.log.checkpoints(0, 1)) == (b"nine\nwitness\n",)


async def test_keys_are_kept_in_order(store: Store) -> None:
    for key, kept in ((LogKey(0, "first"), True), (LogKey(7, "second"), True), (LogKey(0, "other"), False)):
        assert await store.transact(lambda tx, key=key: tx.log.keep_key(key)) is kept  # type: ignore[misc]

    assert await store.read(lambda tx: tx.log.keys()) == (LogKey(0, "first"), LogKey(7, "second"))


STATEMENTS = (
    "DELETE FROM audit_tiles",
    "UPDATE audit_tiles SET hashes = CAST('x' AS {bytes})",
    "UPDATE audit_tiles SET tile = 7",
    "DELETE FROM audit_checkpoints",
    "UPDATE audit_checkpoints SET note = CAST('x' AS {bytes})",
    "UPDATE audit_checkpoints SET size = 8",
    "UPDATE audit_events SET leaf_index = 5",
    "UPDATE audit_events SET leaf_index = NULL",
)


async def test_no_statement_rewrites_the_log(database_url: str) -> None:
    store = await open_store(database_url)
    await _add(store, "a")
    await store.transact(lambda tx: tx.log.place(9))
    await store.transact(lambda tx: tx.log.keep_hashes(0, 0, _leaves(1)))
    await store.transact(lambda tx: tx.log.keep_checkpoint(1, b"note\n"))
    await store.close()

    for statement in STATEMENTS:
        if database_url.startswith("sqlite"):
            with sqlite3.connect(database_url.removeprefix("sqlite:///")) as lite, pytest.raises(sqlite3.Error):
                lite.execute(statement.format(bytes="blob"))
        else:
            with psycopg.connect(database_url) as postgres, pytest.raises(psycopg.Error):
                postgres.execute(statement.format(bytes="bytea").encode())


async def test_an_event_that_commits_after_later_ones_is_placed_and_not_skipped(postgres_dsn: str) -> None:
    store = await open_store(postgres_dsn)
    inserted, go = threading.Event(), threading.Event()

    def late(tx: Tx) -> None:
        tx.audit.append(an_event("late"))
        inserted.set()
        go.wait(10)

    waiting = asyncio.create_task(store.transact(late))
    await asyncio.to_thread(inserted.wait, 10)
    await _add(store, "early")
    await store.transact(lambda tx: tx.log.place(10))
    go.set()
    await waiting
    await store.transact(lambda tx: tx.log.place(10))

    assert await _ids(store) == ["early", "late"]
    await store.close()


async def test_many_sequencers_and_writers_at_once_skip_nothing_and_place_nothing_twice(database_url: str) -> None:
    stores = [await open_store(database_url) for _ in range(3)]
    done = asyncio.Event()

    async def sequence(store: Store) -> None:
        while not done.is_set() or await store.read(lambda tx: tx.log.waits()):
            await store.transact(lambda tx: tx.log.place(7))

    async def write(store: Store, name: str) -> None:
        for number in range(15):
            await _add(store, f"{name}-{number}")

    sequencers = [asyncio.create_task(sequence(store)) for store in stores]
    await asyncio.gather(*(write(store, f"{place}{client}") for place, store in enumerate(stores) for client in "ab"))
    done.set()
    await asyncio.gather(*sequencers)

    expected = {f"{place}{client}-{number}" for place in range(3) for client in "ab" for number in range(15)}
    found = await _ids(stores[0])
    assert (len(found), set(found)) == (90, expected)
    for store in stores:
        await store.close()
