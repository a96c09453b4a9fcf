"""The past from the command line: what is printed, and how the commands end."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.cli.app import app
from interlock.cli.exits import Exit, run
from interlock.domain.canonical import Json
from interlock.domain.runs import RunOutcome
from tests.kits.past import BUSY, LARGE, Story, play_all, with_rules, write


@pytest.fixture
def past(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    asyncio.run(play_all(write(tmp_path), [BUSY, replace(BUSY, outcome=RunOutcome.FAILED), Story((LARGE,))]))
    capsys.readouterr()
    return tmp_path


def _told(past: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run(app, [*words, "-c", str(past)], "interlock")
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_run_is_replayed_byte_for_byte_and_a_forged_record_is_found(
    past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = _told(past, capsys, "runs", "replay", "r0")
    assert (code, "byte for byte" in text) == (Exit.FINE, True)
    document: Json = json.loads(_told(past, capsys, "runs", "replay", "r0", "--json")[1])
    assert (document["same"], document["different"], document["unknown"]) == (11, 0, 0)
    # Somebody with the database changes what the archive says of a release: its calls cannot be derived from that.
    with sqlite3.connect(past / "interlock.db") as database:
        database.execute("UPDATE release_parts SET body = CAST(replace(body, '<= 50', '<= 90') AS BLOB)")
    code, text = _told(past, capsys, "runs", "replay", "r0")
    assert code == Exit.INCONCLUSIVE
    assert "missing or changed" in text


def test_the_same_question_gives_the_same_bytes(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stricter = with_rules({"agents/refunds.yaml": lambda file: file["policy"]["rules"][0].update(on_fail="deny")})
    folder = write(past / "stricter", stricter)
    asked = ("policy", "backtest", str(folder), "--since", "", "--json")

    first, again = _told(past, capsys, *asked), _told(past, capsys, *asked)

    assert first == again
    found = json.loads(first[1])
    assert [(one["rule"], one["calls"], one["runs"]) for one in found["by_rule"]] == [("config:cap", 3, 3)]
    assert found["limits"][0].startswith("A recorded agent cannot react")


def test_people_read_which_runs_would_have_been_stopped(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = _told(past, capsys, "runs", "replay", "--set", "budgets.max_tool_calls=4")

    assert code == Exit.FINE
    assert "Back-test: 19 calls in 3 runs, 6 decided otherwise." in text
    assert "r0 at read_order (budget.max_tool_calls)" in text
    assert "Next: interlock runs show r0" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("runs", "replay"), "Nothing would differ"),
        (("runs", "replay", "r0", "--set", "stage=observe"), "--where run=r0"),
        (("runs", "replay", "--set", "budgets.max_tool_cals=4"), "budgets.max_tool_calls"),
        (("runs", "replay", "--set", "stage"), "PATH=VALUE"),
        (("runs", "replay", "--set", "stage=observe", "--where", "colour=red"), "no condition"),
        (("runs", "replay", "nope"), "no run nope"),
        (("runs", "fork", "r0", "--at", "99"), "no step"),
        (("policy", "backtest", "nowhere"), "no folder"),
        (("policy", "backtest", ".", "--since", "soon"), "--since is not a duration"),
    ],
)
def test_what_leads_nowhere_is_wrong_usage(
    past: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, text = _told(past, capsys, *words)

    assert code == Exit.USAGE, text
    assert says in text
    assert "Traceback" not in text


def test_a_fork_and_near_misses(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = json.loads(_told(past, capsys, "runs", "fork", "r0", "--at", "3", "--json")[1])
    shown = json.loads(_told(past, capsys, "runs", "show", opened["run"], "--json")[1])
    assert [one["call_id"] for one in reversed(shown["calls"])] == ["c1", "c2"]
    assert shown["run"]["labels"] == {"interlock.forked_from": "r0"}

    near = json.loads(_told(past, capsys, "runs", "near-misses", "--since", "", "--json")[1])["near_misses"]
    assert {(one["run"], one["call"], one["near"][0]["rule"]) for one in near} >= {
        ("r0", "c2", "config:cap"),
        ("r0", "c3", "config:cap"),
    }
