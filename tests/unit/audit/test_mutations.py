"""Whatever is changed in an export is found: a seeded sample here, 100,000 with `--mutations=100000`."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from interlock.audit import verifying
from interlock.audit.verifying import Outcome, verify
from tests.unit.audit import independent
from tests.unit.audit.independent import holds
from tests.unit.audit.logs import FIRST, SECOND, Log, cosigned
from tests.unit.audit.mutations import Files, Mutation, mutated

KEYS = [str(FIRST.verifier), str(SECOND.verifier)]


@dataclass(frozen=True)
class Exports:
    whole: Files
    older: Files
    kept: bytes


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Of one log with two keys: an export, an older one, and the checkpoint that somebody kept of the newest."""
    log, folder = Log.of(300, rotated=150), tmp_path_factory.mktemp("exports")
    whole = read(log.export(folder / "whole", [40, 160, 256, 300]))
    older = read(log.export(folder / "older", [40, 160, 256]))
    return Exports(whole, older, cosigned(log.checkpoint(300, 256)))


@pytest.fixture(scope="session")
def mutations(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--mutations"))


def read(folder: Path) -> Files:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


class Desk:
    """A folder that holds one mutation after the other; only what differs is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._now: Files = {}

    def lay(self, files: Files) -> Path:
        for path in self._now.keys() - files.keys():
            (self.folder / path).unlink()
        for path, data in files.items():
            if self._now.get(path) != data:
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / path).write_bytes(data)
        self._now = files
        return self.folder


def drawn(exports: Exports, seed: int) -> Mutation:
    """Every third one is by an insider, who signs the list of files anew."""
    return mutated(exports.whole, exports.older, seed, SECOND if seed % 3 == 0 else None)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "export")


def test_what_was_not_changed_is_intact(exports: Exports, desk: Desk) -> None:
    folder = desk.lay(exports.whole)

    assert verify(folder, keys=KEYS[:1], kept=[exports.kept]).outcome is Outcome.INTACT
    assert holds(folder, KEYS, exports.kept)


def test_every_mutation_is_found(exports: Exports, desk: Desk, mutations: int) -> None:
    missed, found, started = [], Counter[str](), time.monotonic()
    for seed in range(mutations):
        mutation = drawn(exports, seed)
        outcome = verify(desk.lay(mutation.files), keys=KEYS[:1], kept=[exports.kept]).outcome
        found[outcome.name] += 1
        if outcome in {Outcome.INTACT, Outcome.UNPROVEN}:
            missed.append(mutation.what)

    assert missed == []
    assert {"TAMPERED", "TRUNCATED", "ROLLED_BACK"} <= found.keys()
    print(f"{mutations} mutations, {time.monotonic() - started:.0f} s: {dict(found)}")


def test_the_independent_verifier_agrees(exports: Exports, desk: Desk, mutations: int) -> None:
    for seed in range(mutations // 5):
        mutation = drawn(exports, seed)
        assert not holds(desk.lay(mutation.files), KEYS, exports.kept), mutation.what


@pytest.mark.parametrize(("size", "rotated"), [(0, -1), (1, -1), (1, 0), (256, 255), (257, 200), (600, 0)])
def test_the_independent_verifier_agrees_on_whole_exports(size: int, rotated: int, tmp_path: Path) -> None:
    log = Log.of(size, rotated)
    folder = log.export(tmp_path / "export", sorted({size // 3, size // 2, size}))
    keys = [str(key.verifier) for key in log.keys]

    assert holds(folder, keys, log.checkpoint(size, size // 2))
    assert verify(folder, keys=keys).outcome is Outcome.INTACT


def test_the_independent_verifier_is_short() -> None:
    assert sum(bool(line.strip()) for line in Path(independent.__file__).read_text().splitlines()) <= 60


def test_a_whole_older_export_is_missed_without_a_kept_checkpoint(exports: Exports, desk: Desk) -> None:
    assert verify(desk.lay(exports.older), keys=KEYS[:1]).outcome is Outcome.INTACT
    assert verify(desk.lay(exports.older), keys=KEYS[:1], kept=[exports.kept]).outcome is Outcome.ROLLED_BACK


REMOVED = {
    "the tree against its tiles": (
        verifying._Tree,
        "_check",
        lambda self, level, row: self.tiles.add(_path(self, level, row)),
    ),
    "the tree against checkpoints": (verifying._Walk, "_check_checkpoint", lambda self, checkpoint: _trust(self)),
    "the files against the manifest": (verifying._Export, "_check_file", lambda self, name, digest, length: None),
    "signatures": (verifying._Key, "signed", lambda self, text, made: True),
}


def _path(tree: verifying._Tree, level: int, row: list[bytes]) -> str:
    return verifying._tile_path(level, tree._done.get(level, 0), len(row))


def _trust(walk: verifying._Walk) -> None:
    walk._signing = walk._known


@pytest.mark.parametrize("check", REMOVED)
def test_a_verifier_without_one_of_its_checks_misses_some(
    check: str, exports: Exports, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: if nothing were missed without it, the mutations would not show that the check works."""
    owner, name, nothing = REMOVED[check]
    monkeypatch.setattr(owner, name, nothing)
    missed = 0
    for seed in range(1_000):
        mutation = drawn(exports, seed)
        missed += verify(desk.lay(mutation.files), keys=KEYS[:1], kept=[exports.kept]).outcome is Outcome.INTACT
        if missed:
            break

    assert missed, f"no mutation needs the check of {check}"


def test_a_mutation_is_one(exports: Exports) -> None:
    """Every way is drawn, and none leaves the export as it was."""
    ways = {drawn(exports, seed).what.partition(" (")[0] for seed in range(600)}

    assert len(ways) == 22
    assert all(drawn(exports, seed).files != exports.whole for seed in range(200))


def test_the_desk_shows_what_was_laid_on_it(exports: Exports, desk: Desk) -> None:
    desk.lay(exports.whole)
    assert read(desk.lay(exports.older)) == exports.older
    shutil.rmtree(desk.folder)
