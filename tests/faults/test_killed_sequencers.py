"""Processes that keep the audit log going and are killed leave one history: no gap, no fork, nothing signed that is not there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.sql import open_store
from interlock.audit.checkpoints import open_checkpoint
from interlock.audit.export import FolderTarget
from interlock.audit.leaf import leaf_hash
from interlock.audit.tree import Frontier
from interlock.audit.verifying import Outcome, verify
from interlock.domain.canonical import parse_json
from interlock.gateway import audit_export
from interlock.gateway.audit_log import Log, Sequencer, Signer
from interlock.gateway.store import Store
from tests.faults.log_keeper import ORIGIN

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


def _started(url: str, state: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.log_keeper", url, str(state), name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=subprocess.PIPE,
        text=True,
    )


def _killed(keepers: list[subprocess.Popen[str]], wait: float) -> set[str]:
    """Kill all `wait` seconds after the first has signed; return what they said."""
    said: list[str] = []
    try:
        out = keepers[0].stdout
        assert out is not None
        while line := out.readline():
            said.append(line)
            if line.startswith("signed"):
                break
        time.sleep(wait)
        for keeper in keepers:
            keeper.kill()
        for keeper in keepers:
            assert keeper.stdout is not None
            said += [line for line in keeper.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    finally:
        for keeper in keepers:
            keeper.kill()
            keeper.communicate()
    return {line.strip() for line in said}


async def _check(store: Store, state: Path, said: set[str]) -> None:
    """Everything acknowledged has one place; every checkpoint that anybody saw is of this very tree."""
    entries = await store.read(lambda tx: tx.log.entries(0, 10**7))
    assert [one.index for one in entries] == list(range(len(entries)))
    names = [parse_json(one.leaf)["id"] for one in entries]
    assert len(set(names)) == len(names)
    assert {one for one in said if not one.startswith("signed")} <= set(names), "an acknowledged event has no place"
    notes = await store.read(lambda tx: tx.log.checkpoints(0, 10**6))
    kept = await CheckpointFile(state).load()
    keys = [key.verifier for key in await KeyFiles(state).keys()]
    signed = {
        one.size: one.root for one in (open_checkpoint(note, keys) for note in (*notes, kept) if note is not None)
    }
    assert {int(one.split()[1]) for one in said if one.startswith("signed")} <= set(signed)
    frontier = Frontier()
    for size in sorted(signed):
        hashes = [leaf_hash(one.leaf) for one in entries[frontier.size : size]]
        frontier, _ = frontier.extend(hashes)
        assert frontier.root() == signed[size], "what was signed is not the log"


async def test_two_keepers_that_are_killed_again_and_again_leave_one_history(
    url: str, faults: int, tmp_path: Path
) -> None:
    state, said, store = tmp_path / "state", set(), await open_store(url)
    for number in range(max(2, faults // 5)):
        keepers = [_started(url, state, f"{number}-{one}") for one in "ab"]
        said |= _killed(keepers, random.uniform(0, 0.15))
    log = Log(store, KeyFiles(state), CheckpointFile(state), ORIGIN)
    await Sequencer(store).place()
    note = await Signer(log).sign()
    assert note is not None
    await _check(store, state, said)
    await audit_export.write(await audit_export.source_of(log, note), FolderTarget(tmp_path / "out"), lambda _: None)
    keys = [str(key.verifier) for key in await log.keys.keys()]
    assert verify(tmp_path / "out", keys=keys, kept=[await log.memory.load() or b""]).outcome is Outcome.INTACT
    await store.close()
