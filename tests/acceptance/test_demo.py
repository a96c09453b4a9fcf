"""`interlock demo` plays a whole day through a real gate, checks itself, and is quick about it."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from interlock.cli.demo import app
from interlock.demo.day import Played, Step
from interlock.demo.story import load_story


@pytest.fixture(scope="module")
def page() -> dict[str, object]:
    started = time.monotonic()
    ran = CliRunner().invoke(app, ["--json"])
    assert ran.exit_code == 0, ran.output
    assert time.monotonic() - started < 15
    answer: dict[str, object] = json.loads(ran.stdout)
    return answer


def test_every_ticket_ends_as_its_author_says(page: dict[str, list[dict[str, object]]]) -> None:
    assert len(page["tickets"]) >= 20
    assert [one["title"] for one in page["tickets"] if not one["as_told"]] == []


def test_the_ledger_and_the_books_agree(page: dict[str, dict[str, int]]) -> None:
    totals = page["totals"]
    assert totals["settled"] == totals["moved"] > 0
    assert totals["held"] > 0


def test_every_promise_is_kept(page: dict[str, list[dict[str, object]]]) -> None:
    assert all(check["kept"] for check in page["checks"])


def test_the_page_for_people_says_why_and_what_next(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--keep", str(tmp_path / "kept")])
    assert ran.exit_code == 0
    for words in ("looks like a trusted value", "more than the agent's maximum", "interlock init", "\nNext\n"):
        assert words in " ".join(ran.stdout.split()) or words in ran.stdout
    assert (tmp_path / "kept" / "interlock.db").exists()


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["--keep", str(tmp_path)]).exit_code == 2


def test_a_ticket_that_ends_otherwise_is_noticed() -> None:
    ticket = load_story().tickets[0]
    step = Step("read_order", {}, "denied", "", read=True)
    assert not Played(ticket, (step,)).as_told
    assert not Played(ticket, ()).as_told
    assert Played(ticket, (replace(step, status="succeeded"),)).as_told
