"""Checkpoints are signed over whatever has a place, and never over a history that was changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.memory import MemoryStore
from interlock.audit.checkpoints import open_checkpoint, read_checkpoint
from interlock.audit.leaf import leaf_hash
from interlock.audit.tree import Frontier
from interlock.domain.errors import SigningStopped
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.store import Store
from tests.contracts.samples import an_event

ORIGIN = "interlock/acme"


def a_log(store: Store, folder: Path) -> Log:
    return Log(store, KeyFiles(folder), CheckpointFile(folder), ORIGIN)


async def _grow(store: Store, *names: str) -> None:
    await store.transact(lambda tx: tx.audit.append(*(an_event(name) for name in names)))
    await Sequencer(store).place()


async def _root(store: Store) -> bytes:
    entries = await store.read(lambda tx: tx.log.entries(0, 100_000))
    return Frontier().extend([leaf_hash(entry.leaf) for entry in entries])[0].root()


async def test_a_checkpoint_is_signed_over_the_tree_and_kept_outside_the_database(store: Store, tmp_path: Path) -> None:
    log = a_log(store, tmp_path)
    assert await Signer(log).sign() is None
    await _grow(store, "a", "b", "c")
    note = await Signer(log).sign()
    assert note is not None

    (key,) = await log.keys.keys()
    checkpoint = open_checkpoint(note, [key.verifier])
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 3, await _root(store))
    assert await log.memory.load() == note
    assert await store.read(lambda tx: (tx.log.checkpoint(), tx.log.checkpoints(0, 9))) == (note, (note,))
    assert [one.vkey for one in await store.read(lambda tx: tx.log.keys())] == [str(key.verifier)]
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600

    assert await Signer(log).sign() == note, "a log that has not grown needs no further checkpoint"
    await _grow(store, "d")
    assert read_checkpoint(await Signer(log).sign() or b"").size == 4


async def test_batches_of_any_size_make_the_same_tree(store: Store, tmp_path: Path) -> None:
    sequencers = [Sequencer(store), Sequencer(store)]
    for number, count in enumerate((1, 2, 5, 300, 1, 255, 2, 700)):
        names = [f"{number}-{one}" for one in range(count)]
        await store.transact(lambda tx, names=names: tx.audit.append(*map(an_event, names)))  # type: ignore[misc]
        await sequencers[number % 2].place()
    note = await Signer(a_log(store, tmp_path)).sign()

    assert read_checkpoint(note or b"").root == await _root(store)


async def test_a_backup_that_is_smaller_stops_the_signing(store: Store, tmp_path: Path) -> None:
    await _grow(store, "a", "b", "c")
    note = await Signer(a_log(store, tmp_path)).sign()
    restored = MemoryStore()
    await _grow(restored, "a", "b")

    with pytest.raises(SigningStopped, match="2 entries and had 3"):
        await Signer(a_log(restored, tmp_path)).sign()
    await _grow(restored, "x", "y", "z")
    with pytest.raises(SigningStopped, match="first 3 entries"):
        await Signer(a_log(restored, tmp_path)).sign()
    assert await restored.read(lambda tx: tx.log.checkpoint()) is None, "the history forked"
    assert await CheckpointFile(tmp_path).load() == note


async def test_an_empty_database_beside_a_kept_checkpoint_stops_the_signing(store: Store, tmp_path: Path) -> None:
    await _grow(store, "a")
    await Signer(a_log(store, tmp_path)).sign()

    with pytest.raises(SigningStopped):
        await Signer(a_log(MemoryStore(), tmp_path)).sign()


async def test_a_lost_key_is_never_made_anew(store: Store, tmp_path: Path) -> None:
    await _grow(store, "a")
    await Signer(a_log(store, tmp_path)).sign()
    (tmp_path / "audit.key").unlink()
    await _grow(store, "b")

    with pytest.raises(SigningStopped, match="key that signs the audit log is not here"):
        await Signer(a_log(store, tmp_path)).sign()
    assert not (tmp_path / "audit.key").exists()


async def test_a_machine_with_a_key_of_its_own_cannot_sign_beside_the_others(store: Store, tmp_path: Path) -> None:
    await _grow(store, "a")
    await Signer(a_log(store, tmp_path / "one")).sign()
    other = a_log(store, tmp_path / "other")
    await other.keys.begin(ORIGIN)

    with pytest.raises(SigningStopped):
        await Signer(other).sign()


async def test_two_machines_with_one_key_sign_one_history(store: Store, tmp_path: Path) -> None:
    one, other = a_log(store, tmp_path / "one"), a_log(store, tmp_path / "other")
    await _grow(store, "a")
    await Signer(one).sign()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "audit.key").write_bytes((tmp_path / "one" / "audit.key").read_bytes())
    (tmp_path / "other" / "audit.key").chmod(0o600)
    await _grow(store, "b")
    note = await Signer(other).sign()

    assert await Signer(one).sign() == note
    assert await one.memory.load() == note, "a machine remembers what the others signed"


async def test_the_watchman_tells_why_nothing_is_signed_and_goes_on_placing(store: Store, tmp_path: Path) -> None:
    await _grow(store, "a", "b")
    await Signer(a_log(store, tmp_path)).sign()
    restored = MemoryStore()
    await restored.transact(lambda tx: tx.audit.append(an_event("a")))
    watchman = Watchman(Sequencer(restored), Signer(a_log(restored, tmp_path)), 1_000)

    assert await watchman.place()
    assert not await watchman.sign()
    assert isinstance(watchman.problem, SigningStopped)
    assert await restored.read(lambda tx: tx.log.size()) == 1
