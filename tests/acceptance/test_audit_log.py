"""The audit log as auditors meet it: over HTTP, from the command line, and offline."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import interlock
from interlock.audit.checkpoints import open_checkpoint
from interlock.audit.proofs import parse_proof
from interlock.audit.tiles import Bundle, Tile, bundle_entries, hashes_from_tiles, tile_hashes, tiles_of
from interlock.audit.tree import root
from interlock.audit.verifying import Outcome, verify
from interlock.cli.app import app
from interlock.cli.exits import Exit, run
from tests.kits.api import Api, an_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with an_api(tmp_path) as served:
        await served.open()
        await served.call("orders.read", "c1", order_id="7")
        yield served


async def _get(api: Api, path: str, who: str = "auditor") -> object:
    answer = await api.ask(who, "GET", f"/api/v1/audit/{path}")
    assert answer.status == 200, answer
    return answer.body


async def test_the_log_is_read_and_verified_over_http(api: Api, tmp_path: Path) -> None:
    assert (await api.ask("auditor", "GET", "/api/v1/audit/checkpoint")).code == "unknown_record"
    archive = await _get(api, "export")
    assert isinstance(archive, bytes)
    (tmp_path / "audit.zip").write_bytes(archive)
    note = str(await _get(api, "checkpoint")).encode()
    (key,) = await api.desks.audit.verifiers()

    assert verify(tmp_path / "audit.zip", keys=[str(key)], kept=[note]).outcome is Outcome.INTACT
    events = (await api.ask("auditor", "GET", "/api/v1/audit?kind=call.decided")).body["events"]
    proof = parse_proof(str(await _get(api, f"proofs/{events[0]['id']}")).encode())
    assert proof.leaf is not None
    assert json.loads(proof.leaf)["id"] == events[0]["id"]
    checkpoint = proof.verify(proof.leaf, [key])
    assert checkpoint == open_checkpoint(note, [key])
    assert str(await _get(api, f"proofs/{proof.index}")).encode() == bytes(proof)

    tiles = {}
    for tile in tiles_of(checkpoint.size):
        body = await _get(api, tile.path)
        assert isinstance(body, bytes)
        tiles[tile] = body
    assert root(checkpoint.size, hashes_from_tiles(checkpoint.size, lambda tile: tiles[tile])) == checkpoint.root
    bundle = Bundle(0, checkpoint.size)
    entries = await _get(api, bundle.path)
    assert isinstance(entries, bytes)
    assert bundle_entries(bundle, entries)[proof.index] == proof.leaf
    assert len(tile_hashes(Tile(0, 0, checkpoint.size), tiles[Tile(0, 0, checkpoint.size)])) == checkpoint.size


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("tile/0/000", "unknown_record"),
        ("tile/0/999.p/3", "unknown_record"),
        ("tile/9/000", "malformed_proof"),
        ("tile/0/x/000", "malformed_proof"),
        ("proofs/evt_none", "unknown_record"),
        ("proofs/99999", "unknown_record"),
        ("proofs/9999999999999999999999", "unknown_record"),
        ("proofs/some.subject", "bad_input"),
        ("export?x=1", "bad_input"),
    ],
)
async def test_what_is_not_in_the_log_is_refused_with_words(api: Api, path: str, code: str) -> None:
    await _get(api, "export")
    answer = await api.ask("auditor", "GET", f"/api/v1/audit/{path}")

    assert (answer.code, answer.status < 500) == (code, True), answer


async def test_a_stopped_signing_degrades_readiness_and_no_call(api: Api, tmp_path: Path) -> None:
    await _get(api, "export")
    (tmp_path / "state" / "audit.key").unlink()
    watchman = api.desks.audit._watchman
    await api.call("orders.read", "c2", order_id="8")
    await watchman.place()
    await watchman.sign()

    ready = await api.ask(None, "GET", "/readyz")
    assert (ready.status, ready.body) == (200, {"status": "degraded", "problems": ["audit_signing_stopped"]})
    assert (await api.call("orders.read", "c3", order_id="9")).status == 200


Audit = Callable[..., dict[str, Any]]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A deployment with one run."""
    folder = tmp_path / "desk"
    assert run(app, ["init", str(folder)], "interlock") == Exit.FINE
    asyncio.run(_make_a_call(folder, "emma"))
    return folder


@pytest.fixture
def audit(desk: Path, capsys: pytest.CaptureFixture[str]) -> Audit:
    """Run `interlock audit ...` on it, in this process; return what it prints as JSON."""

    def ask(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        ended = run(app, ["audit", *words, "--json", "-c", str(desk)], "interlock")
        said = capsys.readouterr()
        assert ended == code, said
        return dict(json.loads(said.out))

    return ask


async def _make_a_call(folder: Path, user: str) -> None:
    async with interlock.open_gate(folder) as gate, gate.run("refunds", user=user) as opened:
        await opened.call("find_order", {"order": "A-1001"})


def test_verify_prove_export_and_rotate_from_the_command_line(audit: Audit, desk: Path, tmp_path: Path) -> None:
    first = audit("checkpoint", "--out", str(tmp_path / "kept"))
    key = first["keys"][0]["key"]
    assert audit("verify")["records"] == {"checked": 2, "erased": 0, "waiting": 0, "findings": []}
    rotated = audit("rotate")
    assert rotated["key"] != key
    audit("export", str(tmp_path / "out.zip"))
    out = str(tmp_path / "out.zip")

    # Who holds the first key follows the log to the second one; what was kept agrees.
    assert audit("verify", out, "--key", key, "--kept", str(tmp_path / "kept"))["outcome"] == "intact"
    assert audit("verify", out, code=4)["outcome"] == "unproven"
    assert audit("verify", out, "--key", str(rotated["key"]))["outcome"] == "intact"
    stranger = str(audit("key", str(tmp_path / "other.key"))["key"])
    assert audit("verify", out, "--key", stranger, code=10)["outcome"] == "tampered"

    found = audit("search", "--kind", "run.opened", "--since", "1h")
    name = found["events"][0]["subject"]
    proved = audit("prove", name, "--out", str(tmp_path / "proofs"))
    assert len(proved["proofs"]) == 4
    one = str(tmp_path / "proofs" / f"{proved['proofs'][0]['index']}.tlog-proof")
    assert audit("verify", one, "--key", str(rotated["key"]))["outcome"] == "intact"
    assert audit("verify", one, "--key", stranger, code=10)["outcome"] == "tampered"


def test_an_edited_journal_row_is_found_and_an_edited_event_too(audit: Audit, desk: Path, tmp_path: Path) -> None:
    audit("checkpoint")
    with sqlite3.connect(desk / "interlock.db") as database:
        database.execute("UPDATE calls SET status = 'denied'")
    report = audit("verify", code=10)
    assert report["outcome"] == "intact", "the log itself is whole"
    (finding,) = report["records"]["findings"]
    assert "denied" in finding["what"]

    with sqlite3.connect(desk / "interlock.db") as database:
        database.execute("UPDATE calls SET status = 'succeeded'")
        database.execute("DROP TRIGGER audit_events_unchanged")
        database.execute("UPDATE audit_events SET leaf = replace(leaf, 'allow', 'denyy') WHERE kind = 'call.decided'")
    assert audit("verify", code=10)["outcome"] == "tampered"


def test_every_kind_of_record_that_was_edited_is_found(audit: Audit, desk: Path) -> None:
    pull = ["brake", "on", "--tool", "issue_refund", "--reason", "Drill.", "--for", "1h", "-c", str(desk)]
    assert run(app, pull, "interlock") == Exit.FINE
    assert run(app, ["keys", "create", "ben", "--role", "operator", "-c", str(desk)], "interlock") == Exit.FINE
    with sqlite3.connect(desk / "interlock.db") as database:
        ids = [row[0] for row in database.execute("SELECT id FROM api_keys")]
    database.close()
    assert run(app, ["keys", "revoke", ids[0], "-c", str(desk)], "interlock") == Exit.FINE
    audit("checkpoint")
    edits = {
        "UPDATE runs SET agent = 'other'": "agent",
        "UPDATE brakes SET reason = 'Because I said so.'": "reason",
        "UPDATE calls SET arguments = CAST('{}' AS blob)": "words no longer open",
        "UPDATE evidence SET body = CAST('{}' AS blob)": "words no longer open",
        "DELETE FROM calls": "gone",
        "UPDATE api_keys SET principal = CAST(replace(CAST(principal AS text), 'operator', 'admin') AS blob)": "roles",
        "UPDATE api_keys SET revoked_at = NULL": "revoked",
        "UPDATE audit_events SET tenant = 'nobody' WHERE kind = 'brake.set'": "files it under another",
        "UPDATE audit_events SET kind = 'key.created' WHERE kind = 'brake.set'": "files it under another",
        "UPDATE audit_events SET subject = 'elsewhere' WHERE kind = 'call.decided'": "files it under another",
        "UPDATE audit_events SET leaf = CAST('[1' AS blob) WHERE kind = 'brake.set'": "no event",
    }
    with sqlite3.connect(desk / "interlock.db", isolation_level=None) as database:
        database.execute("DROP TRIGGER audit_events_unchanged")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (desk / "interlock.db").read_bytes()
    for statement, word in edits.items():
        with sqlite3.connect(desk / "interlock.db", isolation_level=None) as database:
            assert database.execute(statement).rowcount > 0
        findings = audit("verify", code=10)["records"]["findings"]
        assert any(word in one["what"] for one in findings), (statement, findings)
        database.close()
        _restore(desk / "interlock.db", before)
    assert audit("verify")["records"]["findings"] == []


def test_events_that_nothing_vouches_for_yet_are_told(audit: Audit, desk: Path) -> None:
    audit("checkpoint")
    assert run(app, ["keys", "create", "ben", "--role", "operator", "-c", str(desk)], "interlock") == Exit.FINE
    assert audit("verify")["records"]["waiting"] == 1
    audit("checkpoint")
    assert audit("verify")["records"]["waiting"] == 0


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe" * 9])
def test_a_kept_checkpoint_that_cannot_be_read_stops_signing_and_says_which_file_it_is(
    audit: Audit, desk: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    audit("checkpoint")
    (desk / ".interlock" / "audit.checkpoint").write_bytes(content)
    for words in (["checkpoint"], ["verify"], ["resume", "--because", "it is broken"]):
        capsys.readouterr()
        assert run(app, ["audit", *words, "-c", str(desk)], "interlock") != Exit.FINE
        assert "audit.checkpoint was changed or cut" in capsys.readouterr().err


def test_what_was_erased_leaves_the_log_whole_and_every_proof_valid(audit: Audit, desk: Path, tmp_path: Path) -> None:
    audit("prove", "3", "--out", str(tmp_path))
    key = audit("checkpoint")["keys"][0]["key"]
    assert (
        run(app, ["erase", "--user", "emma", "--because", "asked", "--yes", "-c", str(desk)], "interlock") == Exit.FINE
    )

    report = audit("verify")
    assert (report["outcome"], report["records"]["findings"]) == ("intact", [])
    assert report["records"]["erased"] > 0
    assert audit("verify", str(tmp_path / "3.tlog-proof"), "--key", key)["outcome"] == "intact"


def _restore(database: Path, backup: bytes) -> None:
    for extra in database.parent.glob("interlock.db-*"):
        extra.unlink()
    database.write_bytes(backup)


def test_a_restored_backup_signs_nothing_until_the_break_is_on_the_record(
    audit: Audit, desk: Path, tmp_path: Path
) -> None:
    audit("checkpoint")
    database = desk / "interlock.db"
    backup = database.read_bytes()
    asyncio.run(_make_a_call(desk, "zoe"))
    before = audit("checkpoint")
    _restore(database, backup)

    assert audit("checkpoint", code=1)["code"] == "audit_signing_stopped"
    asyncio.run(_make_a_call(desk, "eve"))
    assert audit("checkpoint", code=1)["code"] == "audit_signing_stopped"

    resumed = audit("resume", "--because", "The disk died; Friday's backup was restored.")
    former = Path(str(resumed["former"]))
    assert former.read_text() == before["checkpoint"]
    found = audit("search", "--kind", "log.resumed")
    assert found["events"][0]["body"]["kept"]["size"] == before["size"]
    assert audit("verify")["outcome"] == "intact"
    (tmp_path / "kept").write_text(str(before["checkpoint"]))
    assert audit("verify", "--kept", str(tmp_path / "kept"), code=10)["outcome"] == "tampered"
    assert audit("resume", "--because", "Nothing.", code=1)["code"] == "conflict"
