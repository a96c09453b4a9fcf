"""What `interlock check` notices about rules before anybody is hurt by them."""

from dataclasses import replace
from typing import Any

import pytest

from interlock.domain.agents import ApprovalRule, Engine
from interlock.domain.contracts import Constraint, Kind, Tier
from interlock.domain.decisions import Effect
from interlock.domain.ids import ToolName
from interlock.policy.coverage import Severity, coverage
from tests.kits.decisions import AGENT, CONTRACT, TOOL, a_rule

OTHER = ToolName("mail.send")
MAIL = replace(CONTRACT, name=OTHER, input_schema={"type": "object", "properties": {"body": {"type": "string"}}})
CONTRACTS = {TOOL: CONTRACT, OTHER: MAIL}
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def remarks(*rules: Any, contracts: Any = CONTRACTS, **changes: Any) -> list[tuple[Severity, str]]:
    agent = replace(AGENT, rules=rules, **changes)
    return [(each.severity, each.text) for each in coverage(agent, contracts)]


@pytest.mark.parametrize(
    ("rule", "severity", "said"),
    [
        (a_rule("input.amount < 5", tool=ToolName("payments.refnud")), ERROR, "'payments.refund'"),
        (a_rule("true"), ERROR, "always the same"),
        (a_rule("1 < 2"), ERROR, "always the same"),
        (a_rule("input.amount == input.amount"), ERROR, "with itself"),
        (a_rule("input.amonut < 5"), ERROR, "'amount'"),
        (a_rule("input.amonut < 5", Engine.OPA), ERROR, "'amount'"),
        (a_rule("context.input.amonut < 5", Engine.CEDAR), ERROR, "'amount'"),
        (a_rule("input.count < 5"), WARNING, "optional"),
        (a_rule("input.count < 5", Engine.OPA), WARNING, "object.get"),
        (a_rule("input.reason < 5"), ERROR, "no number"),
    ],
)
def test_each_kind_of_mistake_is_noticed(rule: Any, severity: Severity, said: str) -> None:
    assert any(each == severity and said in text for each, text in remarks(rule))


@pytest.mark.parametrize(
    ("condition", "engine"),
    [
        ("input.amount < 5", Engine.CEL),
        ("input.order.id != ''", Engine.CEL),
        ("!has(input.count) || input.count < 5", Engine.CEL),
        ('object.get(input, "count", 0) < 5', Engine.OPA),
        ("context.input has count && context.input.count < 5", Engine.CEDAR),
        ('principal == Agent::"refunds"', Engine.CEDAR),
        ("call.tier < 3", Engine.CEL),
    ],
)
def test_a_sound_rule_draws_no_remark(condition: str, engine: Engine) -> None:
    assert remarks(a_rule(condition, engine)) == []


def test_a_rule_for_every_tool_names_those_whose_every_call_it_denies() -> None:
    found = remarks(a_rule("input.amount < 5", tool=None), tools=frozenset({TOOL, OTHER}))
    assert found == [
        (WARNING, "It denies every call of 'mail.send': they have no `input.amount`. Name a tool, or ask for it first.")
    ]


def test_a_rule_that_another_makes_idle_is_noticed_once() -> None:
    mild = a_rule("input.amount < 5", on_fail=Effect.REQUIRE_APPROVAL, id="mild")
    strict = a_rule("input.amount  <  5", on_fail=Effect.DENY, id="strict", tool=None)
    assert [text for _, text in remarks(mild, strict)] == ["It changes nothing: 'strict' asks the same with 'deny'."]
    twin = a_rule("input.amount < 5", id="twin")
    assert len(remarks(a_rule("input.amount < 5"), twin)) == 1


def test_a_write_that_no_rule_looks_at_is_noted() -> None:
    assert [each for each, _ in remarks()] == [NOTE]
    assert remarks(contracts={TOOL: replace(CONTRACT, tier=Tier.HIGH_IMPACT)}) == []
    assert remarks(contracts={TOOL: replace(CONTRACT, kind=Kind.READ)}) == []
    assert remarks(approvals=(ApprovalRule(TOOL),)) == []


def test_an_approval_rule_and_a_bound_on_an_argument_that_there_is_not_are_noticed() -> None:
    approval = ApprovalRule(TOOL, (("amounts", (1,)),))
    assert any("'amount'" in text for _, text in remarks(approvals=(approval,)))
    bound = {TOOL: (Constraint("/ammount", maximum=5),)}
    assert any(each is ERROR and "never binds" in text for each, text in remarks(constraints=bound))


def test_tools_that_do_not_exist_or_are_held_are_noticed() -> None:
    held = replace(CONTRACT, pinned_hash="a", surface_hash="b")
    assert any("held" in text for _, text in remarks(contracts={TOOL: held}))
    assert any("'payments.refund'" in text for _, text in remarks(tools=frozenset({ToolName("payments.refunds")})))


def test_without_contracts_only_the_declaration_is_looked_at() -> None:
    assert remarks(a_rule("input.amonut < 5"), contracts=None) == []
    assert remarks(a_rule("false"), contracts=None) != []
