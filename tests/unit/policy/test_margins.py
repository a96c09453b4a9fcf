"""Near misses: by how little a call was allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.domain.agents import Engine
from interlock.domain.budgets import Balance
from interlock.domain.contracts import Tier
from interlock.domain.decisions import Effect
from interlock.domain.models import Proposed
from interlock.domain.provenance import LeafOrigin, Provenance, Role, Seen
from interlock.domain.provenance import Verdict as Origin
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.policy.margins import Closeness, NearMiss, caps_in, margin, near_json, near_misses
from tests.kits.decisions import CALL, FACTS, UNTRUSTED, a_grant, a_rule, cap, facts_with, policies_for


def found(facts: Facts = FACTS, amount: float = 49.0, *room: Balance) -> dict[str, NearMiss]:
    call = replace(CALL, arguments={**CALL.arguments, "amount": amount})
    policies = policies_for(facts)
    return {one.rule: one for one in near_misses(call, facts, policies, decide(call, facts, policies), room)}


@pytest.mark.parametrize(
    ("value", "maximum", "left"),
    [
        (50, 50, 0),
        (49, 50, 2),
        (45, 50, 10),
        (44.9, 50, None),
        (51, 50, None),
        (True, 1, None),
        ("50", 50, None),
        (0, 0, None),
    ],
)
def test_a_tenth_of_the_cap_or_less_is_little(value: object, maximum: float, left: int | None) -> None:
    assert margin(value, maximum) == left


def test_an_argument_close_to_any_bound_is_near() -> None:
    bounded = facts_with(contract_constraints=(cap(50),), agent_constraints={CALL.tool: (cap(100, "agent"),)})

    assert found(bounded) == {"bound.contract:/amount": NearMiss("bound.contract:/amount", Closeness.CAP, 2)}
    assert found(bounded, 10.0) == {}


def test_a_condition_that_plainly_states_a_cap_is_one() -> None:
    assert found(facts_with(agent_rules=(a_rule("input.amount <= 50"),)))["config:cap"].margin == 2
    assert caps_in("input.amount <= 50 && input.order.total < 7.5", Engine.CEL) == (
        (("amount",), 50.0),
        (("order", "total"), 7.5),
    )
    for condition in (
        "input.amount <= 50 || call.dry_run",
        "!(input.amount <= 50)",
        "call.tier <= 3",
        "input.x[0] <= 5",
    ):
        assert caps_in(condition, Engine.CEL) == ()


def test_a_budget_that_is_nearly_used_up_is_near() -> None:
    budgets = [
        Balance("acme|agent:refunds/max_tool_calls|run=r|ever", 10, 8, 1),
        Balance("acme|deployment/daily|user=u|2026-11-20", 1000, 100, 0),
    ]

    assert found(FACTS, 49.0, *budgets) == {
        "budget.max_tool_calls": NearMiss("budget.max_tool_calls", Closeness.BUDGET, 10)
    }


def test_weak_support_is_near_and_strong_support_is_not() -> None:
    leaf = LeafOrigin("/order/id", Role.ID, guessed=False, seen=Seen.DELEGATED, supported=True, value="o-7")
    weak = Provenance(Origin.SUPPORTED, (leaf,))
    strong = Provenance(Origin.SUPPORTED, (replace(leaf, seen=Seen.USER),))

    assert list(found(replace(FACTS, provenance=weak))) == ["provenance.weak"]
    assert found(replace(FACTS, provenance=strong)) == {}
    low_risk = facts_with(contract_tier=Tier.LOW_IMPACT, provenance=UNTRUSTED)
    assert list(found(low_risk)) == ["provenance.low_risk"]


def test_what_a_person_let_through_is_near_unless_people_are_always_asked() -> None:
    ruled = facts_with(agent_rules=(a_rule("input.amount <= 5", on_fail=Effect.REQUIRE_APPROVAL),))
    approved = replace(ruled, grant=a_grant(CALL, ruled, "anna"))
    routine = facts_with(contract_tier=Tier.HIGH_IMPACT)

    assert list(found(approved)) == ["config:cap"]
    assert found(approved)["config:cap"].kind is Closeness.APPROVED
    assert found(replace(routine, grant=a_grant(CALL, routine, "anna"))) == {}
    assert list(found(replace(FACTS, proposed=Proposed.PERSON))) == ["approval.edited"]


def test_a_call_that_is_not_allowed_is_no_near_miss() -> None:
    assert found(facts_with(contract_constraints=(cap(10),))) == {}


def test_near_misses_are_recorded_as_plain_values() -> None:
    assert near_json([NearMiss("r", Closeness.CAP, 2)]) == [{"rule": "r", "kind": "cap", "margin": 2}]
