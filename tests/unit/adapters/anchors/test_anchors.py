"""Checkpoints reach the places outside that keep them, and a place that knows another history stops the signing."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.adapters.anchors import FileAnchor, ObjectAnchor, WitnessAnchor
from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.memory import MemoryStore
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.audit.checkpoints import open_checkpoint, read_checkpoint
from interlock.audit.notes import SignerKey
from interlock.audit.ports import AnchorPlace
from interlock.domain.errors import SigningStopped, ToolUnavailable
from interlock.gateway.audit_anchors import Anchored, Anchorer
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.store import Store
from tests.contracts.samples import an_event
from tests.kits.anchors import Bucket, Witness, on_a_socket

ORIGIN = "interlock/acme"
SECRETS = SecretResolver({"TOKEN": "t0ken"})


class Deployed:
    """A log on a store of its own, with one anchor."""

    def __init__(self, folder: Path, place: AnchorPlace, store: Store | None = None) -> None:
        self.store = store or MemoryStore()
        self.log = Log(self.store, KeyFiles(folder), CheckpointFile(folder), ORIGIN)
        self.watchman = Watchman(Sequencer(self.store), Signer(self.log), 1_000)
        self.place = Anchored(place, 60.0)
        self.anchorer = Anchorer(self.store, (self.place,), self.watchman)

    async def record(self, *names: str) -> bytes:
        """Record events, sign, and anchor; return the checkpoint as the store keeps it."""
        await self.store.transact(lambda tx: tx.audit.append(*(an_event(name) for name in names)))
        await self.watchman.place()
        assert await self.watchman.sign(), self.watchman.problem
        await self.anchorer.publish()
        return await self.store.read(lambda tx: tx.log.checkpoint()) or b""

    def forget(self, folder: Path) -> None:
        """Lose our own memory of the last checkpoint."""
        (folder / "audit.checkpoint").unlink()


async def test_a_file_collects_checkpoints_one_after_the_other(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, FileAnchor(tmp_path / "anchor"))
    notes = [await deployed.record("a"), await deployed.record("b", "c")]
    await deployed.anchorer.publish()

    assert deployed.place.problem is None
    assert (tmp_path / "anchor").read_bytes() == b"".join(note + b"\n" for note in notes)


async def test_a_file_that_a_crash_has_cut_is_gone_on_with(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, FileAnchor(tmp_path / "anchor"))
    await deployed.record("a")
    with (tmp_path / "anchor").open("ab") as file:
        file.write(b"interlock/acme\n7\nabc")
    await deployed.record("b")

    assert deployed.place.problem is None


async def test_a_file_that_knows_another_history_stops_the_signing(tmp_path: Path) -> None:
    place = FileAnchor(tmp_path / "anchor")
    first = Deployed(tmp_path, place)
    await first.record("a", "b", "c")
    first.forget(tmp_path)
    restored = Deployed(tmp_path, place)
    await restored.record("a", "x", "y", "z")

    assert isinstance(restored.place.problem, SigningStopped)
    assert not await restored.watchman.sign()
    assert restored.watchman.problem is restored.place.problem


async def test_a_bucket_keeps_each_checkpoint_as_an_object_of_its_own(tmp_path: Path) -> None:
    bucket = Bucket(bearer="t0ken")
    async with on_a_socket(bucket) as url:
        deployed = Deployed(tmp_path, ObjectAnchor(f"{url}/log/", SECRETS, "env:TOKEN"))
        notes = [await deployed.record("a"), await deployed.record("b")]

    assert deployed.place.problem is None
    assert list(bucket.objects.values()) == notes
    assert list(bucket.objects) == [f"/log/{size:020d}.checkpoint" for size in (1, 2)]


async def test_a_bucket_that_holds_another_tree_of_this_size_stops_the_signing(tmp_path: Path) -> None:
    bucket = Bucket()
    async with on_a_socket(bucket) as url:
        first = Deployed(tmp_path, ObjectAnchor(url, SECRETS, None))
        await first.record("a", "b")
        again = Deployed(tmp_path, ObjectAnchor(url, SECRETS, None), first.store)
        await again.anchorer.publish()
        first.forget(tmp_path)
        restored = Deployed(tmp_path, ObjectAnchor(url, SECRETS, None))
        await restored.record("a", "x")

    assert again.place.problem is None
    assert isinstance(restored.place.problem, SigningStopped)


async def test_a_witness_signs_what_grows_and_its_signature_is_kept(tmp_path: Path) -> None:
    witness = Witness()
    async with on_a_socket(witness) as url:
        deployed = Deployed(tmp_path, WitnessAnchor(url, str(witness.key.verifier), SECRETS, None))
        witness.logs[ORIGIN] = [(await deployed.log.keys.begin(ORIGIN)).verifier]
        for names in (["a"], ["b", "c", "d"], ["e"], [str(number) for number in range(300)]):
            note = await deployed.record(*names)
            assert deployed.place.problem is None
            assert open_checkpoint(note, [witness.key.verifier]).size == read_checkpoint(note).size
        # A process that starts anew learns from the witness how far it has seen the log.
        again = Deployed(tmp_path, WitnessAnchor(url, str(witness.key.verifier), SECRETS, None), deployed.store)
        await again.record("f")

    assert again.place.problem is None
    assert witness.seen[ORIGIN].size == 306


async def test_a_witness_that_has_seen_more_stops_the_signing(tmp_path: Path) -> None:
    witness = Witness()
    async with on_a_socket(witness) as url:
        first = Deployed(tmp_path, WitnessAnchor(url, str(witness.key.verifier), SECRETS, None))
        witness.logs[ORIGIN] = [(await first.log.keys.begin(ORIGIN)).verifier]
        await first.record("a", "b", "c")
        first.forget(tmp_path)
        smaller = Deployed(tmp_path, WitnessAnchor(url, str(witness.key.verifier), SECRETS, None))
        await smaller.record("a", "b")
        first.forget(tmp_path)
        other = Deployed(tmp_path, WitnessAnchor(url, str(witness.key.verifier), SECRETS, None))
        await other.record("a", "x", "y", "z")

    assert isinstance(smaller.place.problem, SigningStopped)
    assert isinstance(other.place.problem, SigningStopped)


@pytest.mark.parametrize("fault", ["unknown log", "unknown key", "foreign signature"])
async def test_a_witness_that_does_not_sign_is_told_of_and_tried_again(tmp_path: Path, fault: str) -> None:
    witness = Witness()
    async with on_a_socket(witness) as url:
        told = SignerKey.new("witness.example/w1", witness.key.kind) if fault == "foreign signature" else witness.key
        deployed = Deployed(tmp_path, WitnessAnchor(url, str(told.verifier), SECRETS, None))
        key = (await deployed.log.keys.begin(ORIGIN)).verifier
        if fault != "unknown log":
            witness.logs[ORIGIN] = [SignerKey.new(ORIGIN).verifier if fault == "unknown key" else key]
        await deployed.record("a")
        assert isinstance(deployed.place.problem, ToolUnavailable)
        assert await deployed.watchman.sign(), "an anchor that is away stops nothing"


async def test_an_anchor_that_is_away_is_told_of_without_its_credential(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, ObjectAnchor("http://127.0.0.1:9/log", SECRETS, "env:TOKEN"))
    await deployed.record("a")

    assert isinstance(deployed.place.problem, ToolUnavailable)
    assert "t0ken" not in str(deployed.place.problem)
