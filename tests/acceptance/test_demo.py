"""`interlock demo` plays a whole day through a real gate, checks itself, and is quick about it."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from interlock.cli.demo import app
from interlock.demo.day import Played, Step
from interlock.demo.reckoning import all_proposed, nothing_left
from interlock.demo.story import load_story
from interlock.domain.calls import CallKey, CallRecord, CallStatus, ToolCall
from interlock.domain.errors import BudgetExceeded
from interlock.domain.ids import AgentId, CallId, ModelCallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.models import Dialect, ModelCall, ModelCallRecord, ModelCallStatus, ProposedCall

TENANT, AGENT, BOT = TenantId("corner-shop"), AgentId("support"), PrincipalId("bot")


@pytest.fixture(scope="module")
def page() -> dict[str, object]:
    started = time.monotonic()
    ran = CliRunner().invoke(app, ["--json"])
    assert ran.exit_code == 0, ran.output
    assert time.monotonic() - started < 15  # on a busy machine; 3 s on a quiet one
    answer: dict[str, object] = json.loads(ran.stdout)
    return answer


def test_every_ticket_ends_as_its_author_says(page: dict[str, list[dict[str, object]]]) -> None:
    assert len(page["tickets"]) >= 24
    assert [one["title"] for one in page["tickets"] if not one["as_told"]] == []


def test_the_ledger_and_the_books_agree(page: dict[str, dict[str, int]]) -> None:
    totals = page["totals"]
    assert totals["settled"] == totals["moved"] > 0
    assert totals["held"] > 0


def test_every_promise_is_kept(page: dict[str, list[dict[str, object]]]) -> None:
    assert len(page["checks"]) >= 9
    assert all(check["kept"] for check in page["checks"])


def test_the_models_of_the_day_are_counted_and_paid_for(page: dict[str, Any]) -> None:
    totals, tickets = page["totals"], page["tickets"]
    assert all(one["model_calls"] >= 1 and one["tokens"] > 0 for one in tickets)
    assert totals["tokens"] == sum(one["tokens"] for one in tickets)
    assert totals["models_nano_usd"] == sum(one["models_nano_usd"] for one in tickets) > 0
    assert totals["tickets_done"] == sum(one["outcome_of_run"] == "succeeded" for one in tickets)


def test_a_loop_of_a_model_ends_at_the_budget_of_its_run(page: dict[str, Any]) -> None:
    (ticket,) = (one for one in page["tickets"] if one["ended"] == "stopped")
    assert "max_total_tokens" in ticket["stopped"]
    assert ticket["tokens"] <= 20_000
    assert {call["status"] for call in ticket["calls"]} == {"denied"}


def test_a_call_that_no_model_proposed_is_refused(page: dict[str, Any]) -> None:
    refused = [call for one in page["tickets"] for call in one["calls"] if "No reply of a model" in call["why"]]
    assert [(call["tool"], call["status"]) for call in refused] == [("refund_order", "denied")]


def test_another_vendor_answers_for_one_that_is_down(page: dict[str, Any]) -> None:
    assert page["totals"]["fallbacks"] > 0


def test_an_address_that_no_vendor_saw_arrives_in_the_call(page: dict[str, Any]) -> None:
    mail = [call for one in page["tickets"] for call in one["calls"] if call["tool"] == "send_mail"]
    assert [call["arguments"]["to"] for call in mail if call["status"] == "succeeded"] == ["omar.haddad@example.com"]


@pytest.mark.parametrize(
    "body", ["Write to omar.haddad@example.com", "Pay GB29NWBK60161331926819", "[email#2222222222222222]"]
)
def test_an_address_that_left_is_noticed(body: str) -> None:
    hidden = "Write to [email#abcdefgh22345672]"
    assert nothing_left([hidden])
    assert nothing_left([hidden, body]) is ("[" in body)
    assert not nothing_left(["nothing was hidden at all"])


def test_a_call_that_was_executed_without_a_proposal_is_noticed() -> None:
    model = ModelCall(ModelCallId("mc-1"), TENANT, AGENT, BOT, "auto", Dialect.OPENAI_CHAT, run=RunId("r-1"))
    call = ToolCall(CallKey(TENANT, RunId("r-1"), CallId("c-1")), AGENT, BOT, ToolName("pay"), {"amount": 1})
    executed = CallRecord(call, call.arguments_hash, CallStatus.SUCCEEDED, {}, "", 0, 0)
    reply = ModelCallRecord(model, ModelCallStatus.SUCCEEDED, 0, 0, 0, ())
    proposed = replace(reply, proposals=(ProposedCall("call_1", "pay", call.arguments_hash),))
    assert all_proposed((executed,), (proposed,))
    assert not all_proposed((executed,), (reply,))
    assert not all_proposed((replace(executed, arguments_hash="another"),), (proposed,))
    assert all_proposed((executed, replace(executed, status=CallStatus.DENIED, arguments_hash="x")), (proposed,))


def test_the_page_for_people_says_why_and_what_next(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--keep", str(tmp_path / "kept")])
    assert ran.exit_code == 0
    for words in (
        "stopped: model budget",
        "so claude-sonnet-4-5 of second-vendor answered",
        "looks like a trusted value",
        "more than the agent's maximum",
        "interlock init",
        "\nIts models\n",
        "\nNext\n",
    ):
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
    assert not Played(ticket, (replace(step, status="succeeded"),), error=BudgetExceeded("No budget is left")).as_told
