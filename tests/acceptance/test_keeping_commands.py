"""Erasure, holds, retention and keys, as operators meet them on the command line."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from tests.kits.console import Console, a_console


async def _a_run_of_mira(console: Console) -> str:
    """Serve, have an agent do something for a user, and return the run, which has ended."""
    bearer = {"Authorization": f"Bearer {await console.key('bot', 'agent', '--agent', 'refunds')}"}
    async with console.served() as (url, _), aiohttp.ClientSession(url, headers=bearer) as http:
        opening = {"user": {"id": "mira", "mail": "mira@example.org"}, "instruction": "Where is my parcel?"}
        async with http.post("/api/v1/runs", json=opening) as answer:
            opened = await answer.json()
            assert answer.status == 201, opened
        call = {"tool": "find_order", "arguments": {"order": "o-12"}, "call_id": "c1"}
        token = {"Authorization": f"Bearer {opened['token']}"}
        async with http.post("/v1/tool-calls", json=call, headers=token) as answer:
            assert answer.status == 200, await answer.text()
        async with http.post(f"/api/v1/runs/{opened['run']}/close", json={"outcome": "succeeded"}) as answer:
            assert answer.status < 300, await answer.text()
    return str(opened["run"])


def _kept(folder: Path) -> str:
    """Return every byte of the databases."""
    return "".join(file.read_bytes().decode("latin-1") for file in folder.glob("gate*"))


async def test_a_user_is_held_then_erased_and_the_log_still_verifies(tmp_path: Path) -> None:
    console = a_console(tmp_path)
    run = await _a_run_of_mira(console)
    hold = await console.run("holds", "place", "--user", "mira", "--because", "matter 4711", "--json")
    assert hold.code == 0, hold
    refused = await console.run("erase", "--user", "mira", "--yes")
    assert (refused.code, "on_hold" in refused.err) == (1, True), refused
    assert (await console.run("erase", "--user", "mira")).code == 2
    assert (await console.run("holds", "lift", hold.json["hold"]["id"])).code == 0
    erased = await console.run("erase", "--user", "mira", "--because", "asked", "--yes", "--json")
    assert erased.code == 0, erased
    assert erased.json["runs"] == [run]
    assert (erased.json["erased"]["calls"], erased.json["erased"]["texts"] > 0) == (1, True)
    calls = await console.run("runs", "calls", run, "--json")
    assert [(call["erased"], call["status"], call["arguments"]) for call in calls.json["calls"]] == [
        (True, "succeeded", {})
    ]
    assert (await console.run("retention", "compact")).code == 0
    assert "mira" not in _kept(tmp_path)
    trail = await console.run("audit", "search", run, "--json")
    assert "data.erased" in [event["kind"] for event in trail.json["events"]]
    assert "mira" not in trail.out
    verified = await console.run("audit", "verify")
    assert verified.code == 0, verified


async def test_without_its_key_nothing_starts_and_nothing_is_made(tmp_path: Path) -> None:
    console = a_console(tmp_path)
    await _a_run_of_mira(console)
    key = tmp_path / ".interlock" / "encryption.key"
    text = key.read_text()
    key.unlink()
    for command in (("runs", "list"), ("serve", "--port", "0")):
        ended = await console.run(*command)
        assert ended.code == 2, ended
        assert all(word in ended.err for word in ("encryption key is missing", "why:", "do:")), ended
    assert not key.exists()
    key.write_text(text)
    key.chmod(0o600)
    assert (await console.run("runs", "list")).code == 0


async def test_keys_change_while_everything_stays_readable(tmp_path: Path) -> None:
    console = a_console(tmp_path)
    run = await _a_run_of_mira(console)
    assert (await console.run("encryption", "rotate")).code == 0
    keys = (await console.run("encryption", "show", "--json")).json["keys"]
    assert [key["id"] for key in keys] == [1, 2]
    new = tmp_path / "new.key"
    new.write_text("bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleSE=")
    new.chmod(0o600)
    assert (await console.run("encryption", "rewrap", "file:new.key")).code == 0
    assert (await console.run("runs", "list")).code == 2
    settings = tmp_path / "interlock.yaml"
    settings.write_text(settings.read_text() + "encryption: {key: 'file:new.key'}\n")
    calls = await console.run("runs", "calls", run, "--json")
    assert calls.json["calls"][0]["arguments"] == {"order": "o-12"}
    destroyed = await console.run("encryption", "destroy", "acme", "--because", "the contract ended", "--yes")
    assert destroyed.code == 0, destroyed
    calls = await console.run("runs", "calls", run, "--json")
    assert (calls.json["calls"][0]["erased"], calls.json["calls"][0]["arguments"]) == (True, {})
    assert (await console.run("audit", "verify")).code == 0
