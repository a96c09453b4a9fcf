"""The past under other rules: what the live gate would have said, byte for byte, whoever counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.adapters.memory import MemoryStore
from interlock.domain.canonical import canonical_json
from interlock.domain.decisions import Effect
from interlock.domain.errors import BadInput, ConfigurationError
from interlock.domain.ids import RunId
from interlock.domain.runs import RunOutcome
from interlock.gateway.replay.counterfactual import draft_run, final
from interlock.gateway.replay.deriving import Rules
from interlock.gateway.replay.ledger import Ledger
from interlock.gateway.replay.past import recorded
from interlock.gateway.replay.tally import comparison
from interlock.gateway.replay.where import where
from interlock.gateway.steps import decided_steps
from interlock.policy.record import decision_bytes
from interlock.tools.schemas import CompiledSchemas
from interlock.wiring.backtesting import ask
from interlock.wiring.candidates import Question, candidate
from interlock.wiring.releases import archived
from tests.kits.gate import StillClock
from tests.kits.past import (
    BUSY,
    LARGE,
    MAIL,
    READ,
    REFUND,
    TENANT,
    Story,
    Told,
    a_shop,
    play,
    play_all,
    with_rules,
    write,
)

Change = Callable[[dict[str, Any]], object]


def _stricter(file: dict[str, Any]) -> None:
    file["policy"]["rules"][0]["on_fail"] = "deny"


def _fewer(file: dict[str, Any]) -> None:
    file["budgets"]["max_tool_calls"] = 4


def _escalating(file: dict[str, Any]) -> None:
    file["policy"]["rules"].append(
        {"id": "no-mail", "tool": "mail", "condition": "input.to == 'nobody'", "on_fail": "escalate_to_human"}
    )


def _lower_cap(file: dict[str, Any]) -> None:
    file["policy"]["rules"][0]["condition"] = "input.amount <= 10"


def _less_money(file: dict[str, Any]) -> None:
    file["limits"] = [
        {"id": "refunds", "at_most": "60 USD", "of": "money", "per": "run"},
        {"id": "daily", "at_most": "1000 USD", "of": "money", "per": "user", "every": "day"},
    ]


def _observed(file: dict[str, Any]) -> None:
    file["stage"] = "observe"


def _riskier(file: dict[str, Any]) -> None:
    file["tools"][1]["tier"] = 4


def _narrower(file: dict[str, Any]) -> None:
    file["tools"]["allowlist"] = ["read_order", "refund"]


OTHER_RULES: dict[str, dict[str, Change]] = {
    "the same": {},
    "a stricter refund rule": {"agents/refunds.yaml": _stricter},
    "fewer calls": {"agents/refunds.yaml": _fewer},
    "an escalation": {"agents/refunds.yaml": _escalating},
    "a lower cap": {"agents/refunds.yaml": _lower_cap},
    "less money": {"interlock.yaml": _less_money},
    "a stage below": {"agents/refunds.yaml": _observed},
    "a higher tier": {"contracts.yaml": _riskier},
    "a shorter allowlist": {"agents/refunds.yaml": _narrower},
}
STORIES = {
    "busy": BUSY,
    "dry": Story((READ, replace(REFUND, dry_run=True), REFUND)),
    "denied by a person": Story((READ, replace(LARGE, answer=None), READ)),
    "bad arguments": Story((Told("refund", {"order_id": 7, "amount": "x"}), Told("read_order", {}), REFUND, REFUND)),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("rules", OTHER_RULES)
async def test_the_past_is_decided_as_the_live_gate_would(tmp_path: Path, rules: str, story: str) -> None:
    """Recorded under A and held against B gives what a gate under B said, byte for byte."""
    told = STORIES[story]
    under_b = write(tmp_path / "b", with_rules(OTHER_RULES[rules]))
    clock = StillClock()
    async with a_shop(under_b, clock, MemoryStore()) as live:
        lived = {str(one.call.key.call): decided_steps(one) for one in await play(live, clock, "r1", told)}
    clock = StillClock()
    async with a_shop(write(tmp_path / "a"), clock, MemoryStore()) as shop:
        await play(shop, clock, "r1", told)
        past = await archived(shop.store, TENANT)
        release = candidate(past, Question(tmp_path / "a", policy=under_b))
        run = await shop.store.read(lambda tx: recorded(tx, TENANT, (RunId("r1"),))[0])
    draft = draft_run(run, 0, lambda _: Rules(release, CompiledSchemas()))
    ledger = Ledger()

    assert draft.left == ()
    assert len(draft.entries) == len(lived)
    for entry in draft.entries:
        decision = final(entry, ledger)
        assert decision is not None
        # Where other people would have been asked, or other things, nobody knows what they would have said.
        answered = entry.last is not entry.first
        expected = lived[entry.call][-1 if answered else 0].decision
        assert decision_bytes(decision) == canonical_json(expected), entry.call


async def test_fewer_calls_stop_runs_and_the_report_names_them(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [BUSY, replace(BUSY, outcome=RunOutcome.FAILED), Story((READ, REFUND))])

    found = comparison(await ask(Question(tmp_path, edits=(("budgets.max_tool_calls", "4"),))))

    assert (found["runs"], found["calls"], found["changed"]) == (3, 20, 6)
    assert found["by_rule"] == [
        {
            "rule": "budget.max_tool_calls",
            "from": "allow",
            "to": "deny",
            "calls": 6,
            "runs": 2,
            "examples": [{"run": "r0", "call": call} for call in ("c7", "c8", "c9")],
        }
    ]
    stopped = {one["outcome"]: (one["runs"], one["stopped"]) for one in found["outcomes"]}
    assert stopped == {"succeeded": (2, 1), "failed": (1, 1)}
    assert found["outcomes"][0]["examples"][0]["run"] == "r0"


async def test_the_answer_is_the_same_bytes_on_any_number_of_processes(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [BUSY, Story((READ, REFUND)), BUSY, Story((REFUND, MAIL))])
    for edits in ((("budgets.max_tool_calls", "4"),), (("limits.refunds", "60 USD"), ("tools.refund.tier", "3"))):
        question = Question(tmp_path, edits=edits)
        alone, again, shared = [json.dumps(comparison(await ask(question, many))) for many in (1, 1, 2)]
        assert alone == again == shared


async def test_a_limit_of_a_user_is_counted_over_all_runs_in_the_order_of_time(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [Story((REFUND,)), Story((REFUND,)), Story((REFUND,), user="u2")])
    other = with_rules({"interlock.yaml": _daily})
    folder = write(tmp_path / "other", other)

    for processes in (1, 2):
        found = comparison(await ask(Question(tmp_path, policy=folder), processes))
        assert [(one["rule"], one["examples"]) for one in found["by_rule"]] == [
            ("budget.daily", [{"run": "r1", "call": "c1"}])
        ]


def _daily(file: dict[str, Any]) -> None:
    file["limits"] = [{"id": "daily", "at_most": "60 USD", "of": "money", "per": "user", "every": "day"}]


async def test_files_in_a_folder_take_the_place_of_the_deployments_own(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [BUSY])
    (tmp_path / "new" / "agents").mkdir(parents=True)
    stricter = with_rules({"agents/refunds.yaml": _stricter})["agents/refunds.yaml"]
    (tmp_path / "new" / "agents" / "refunds.yaml").write_text(json.dumps(stricter))

    found = comparison(await ask(Question(tmp_path, policy=tmp_path / "new")))

    assert [(one["rule"], one["from"], one["to"]) for one in found["by_rule"]] == [
        ("config:cap", "require_approval", "deny")
    ]
    (tmp_path / "new" / "notes.yaml").write_text("{}")
    with pytest.raises(BadInput, match="does not read"):
        await ask(Question(tmp_path, policy=tmp_path / "new"))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("budgets.max_tol_calls", "3", "budgets.max_tool_calls"),
        ("tools.refund.teir", "3", "tools.refund.tier"),
        ("limits.refnds", "1 USD", "limits.refunds"),
        ("agents.refund.stage", "observe", "agents.refunds"),
        ("budgts.max_tool_calls", "3", "budgets.max_tool_calls"),
        ("tools.refnd.tier", "3", "does not fit"),
        ("stage", "act", "does not fit"),
        ("budgets.max_tool_calls", "many", "does not fit"),
    ],
)
async def test_a_setting_that_leads_nowhere_names_the_nearest(tmp_path: Path, path: str, value: str, says: str) -> None:
    write(tmp_path)
    await play_all(tmp_path, [Story((READ,))])

    with pytest.raises(BadInput) as refused:
        await ask(Question(tmp_path, edits=((path, value),)))

    assert says in f"{refused.value.what} {refused.value.do}"
    assert "/interlock-release-" not in str(refused.value)


async def test_conditions_choose_runs(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [Story((READ,), labels={"case": "7"}), Story((READ,), outcome=RunOutcome.FAILED)])
    edits = (("budgets.max_tool_calls", "0"),)

    async def runs(text: str) -> int:
        return int(comparison(await ask(Question(tmp_path, where(text), edits=edits)))["runs"])

    assert await runs("agent=refunds") == 2
    assert await runs("label.case=7") == await runs("outcome=failed") == await runs("run=r1") == 1
    assert await runs("outcome=failed label.case=7") == await runs("agent=other") == 0
    with pytest.raises(BadInput, match="no condition"):
        where("tier=3")


async def test_rules_that_do_not_fit_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [Story((READ,))])
    wrong = with_rules(
        {"agents/refunds.yaml": lambda file: file["policy"]["rules"][0].update(condition="input.amont <= 5")}
    )
    folder = write(tmp_path / "wrong", wrong)

    with pytest.raises(ConfigurationError) as refused:
        await ask(Question(tmp_path, policy=folder))

    assert "amont" in str(refused.value)


async def test_a_held_call_is_compared_as_held_whatever_people_said(tmp_path: Path) -> None:
    write(tmp_path)
    await play_all(tmp_path, [Story((LARGE, MAIL))])

    found = comparison(await ask(Question(tmp_path, edits=(("sampling.tier_2", "5 %"),))))

    assert found["changed"] == 0
    assert found["held"]["before"] == found["held"]["after"] == 2
    looser = write(tmp_path / "looser", with_rules({"agents/refunds.yaml": lambda file: file.pop("policy")}))
    found = comparison(await ask(Question(tmp_path, policy=looser)))
    assert [(one["rule"], one["from"], one["to"]) for one in found["by_rule"]] == [
        ("config:cap", Effect.REQUIRE_APPROVAL, Effect.ALLOW)
    ]
