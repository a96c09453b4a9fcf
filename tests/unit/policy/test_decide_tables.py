"""What each control asks for, one line for each case."""

from dataclasses import replace
from typing import Any

import pytest

from interlock.domain.agents import ApprovalRule, Phase, Stage
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.contracts import Constraint, Environment, Kind, Tier
from interlock.domain.decisions import Duty, Effect
from interlock.domain.ids import AgentId, PrincipalId, TenantId, ToolName
from interlock.domain.provenance import Verdict as Origin
from interlock.domain.runs import RunState
from interlock.policy.decide import decide, decide_result
from tests.kits.decisions import (
    AGENT,
    CALL,
    FACTS,
    NOW,
    TENANT,
    TOOL,
    UNTRUSTED,
    a_rule,
    cap,
    facts_with,
    judge,
    policies_for,
)

ALLOW, ASK, DRY, HAND, DENY = (
    Effect.ALLOW, Effect.REQUIRE_APPROVAL, Effect.DRY_RUN, Effect.ESCALATE, Effect.DENY,
)  # fmt: skip


def test_an_ordinary_call_is_allowed_and_says_under_which_versions() -> None:
    decision = judge()
    assert decision.effect is ALLOW
    assert decision.versions["agent"] == AGENT.version
    assert decision.versions["contract"] == "c" * 64
    assert len(decision.versions["policy"]) == 64


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"run_state": RunState.CLOSED}, "run_closed"),
        ({"run_state": RunState.STOPPED}, "run_closed"),
        ({"run_deadline": NOW}, "run_closed"),
        ({"run_agent": AgentId("other")}, "forbidden"),
        ({"run_tenant": TenantId("other")}, "not_allowed"),
        ({"agent_tools": frozenset()}, "unknown_tool"),
        ({"agent_tools": frozenset({ToolName("payments.refun")})}, "unknown_tool"),
        ({"contract": None}, "unknown_tool"),
        ({"contract_pinned_hash": "old", "contract_surface_hash": "new"}, "contract_quarantined"),
        ({"contract_name": ToolName("payments.payout")}, "policy_error"),
        ({"breaker_open": True}, "tool_unavailable"),
        ({"provenance": None}, "policy_error"),
        ({"contract_constraints": (cap(48),)}, "policy_denied"),
        ({"agent_constraints": {TOOL: (cap(48, "agent"),)}}, "policy_denied"),
    ],
)
def test_what_must_not_happen_is_denied_with_a_stable_code(changes: dict[str, Any], code: str) -> None:
    facts = facts_with(**changes)
    decision = decide(CALL, facts, policies_for(facts_with(**{**changes, "contract": FACTS.contract})))
    assert decision.effect is DENY
    assert code in {finding.code for finding in decision.deciding}


def test_a_run_before_its_deadline_may_call() -> None:
    assert judge(facts=facts_with(run_deadline=NOW + 1)).effect is ALLOW


@pytest.mark.parametrize(
    ("target", "name", "stopped"),
    [
        (BrakeTarget.ALL, "", True),
        (BrakeTarget.WRITES, "", True),
        (BrakeTarget.TOOL, "payments.refund", True),
        (BrakeTarget.TOOL, "payments.payout", False),
        (BrakeTarget.CATEGORY, "payments", True),
        (BrakeTarget.CATEGORY, "mail", False),
        (BrakeTarget.AGENT, "refunds", True),
        (BrakeTarget.AGENT, "other", False),
    ],
)
def test_a_brake_stops_what_it_covers_and_says_who_why_and_until_when(
    target: BrakeTarget, name: str, *, stopped: bool
) -> None:
    brake = Brake("b", TENANT, target, name, "double payouts", PrincipalId("olga"), NOW - 1, NOW + 1)
    decision = judge(facts=facts_with(brakes=(brake,)))
    assert decision.effect is (DENY if stopped else ALLOW)
    if stopped:
        assert decision.deciding[0].code == "braked"
        assert "olga" in decision.reasons[0]
        assert "double payouts" in decision.reasons[0]
        assert "2026-09-21" in decision.reasons[0]


@pytest.mark.parametrize("change", [{"expires_at": NOW}, {"lifted_at": NOW - 1}])
def test_a_brake_that_is_over_stops_nothing(change: dict[str, int]) -> None:
    brake = Brake("b", TENANT, BrakeTarget.ALL, "", "test", PrincipalId("olga"), NOW - 9, NOW + 9)
    assert judge(facts=facts_with(brakes=(replace(brake, **change),))).effect is ALLOW  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tier", "effect", "people"),
    [
        (Tier.READ_ONLY, ALLOW, 0),
        (Tier.LOW_IMPACT, ALLOW, 0),
        (Tier.REVERSIBLE, ALLOW, 0),
        (Tier.HIGH_IMPACT, ASK, 1),
        (Tier.IRREVERSIBLE, ASK, 2),
    ],
)
def test_each_tier_has_its_default_control(tier: Tier, effect: Effect, people: int) -> None:
    decision = judge(facts=facts_with(contract_tier=tier))
    assert (decision.effect, decision.approvers_needed) == (effect, people)


@pytest.mark.parametrize("tier", list(Tier))
def test_writes_in_staging_are_free_of_their_tiers_approval(tier: Tier) -> None:
    assert judge(facts=facts_with(contract_tier=tier, contract_environment=Environment.STAGING)).effect is ALLOW


def test_staging_does_not_lift_what_others_ask() -> None:
    facts = facts_with(contract_environment=Environment.STAGING, provenance=UNTRUSTED)
    assert judge(facts=facts).effect is ASK


def test_a_tier_that_does_not_exist_denies() -> None:
    assert judge(facts=facts_with(contract_tier=7)).effect is DENY


@pytest.mark.parametrize(("roll", "sampled"), [(0, True), (199, True), (200, False), (9_999, False)])
def test_two_in_a_hundred_calls_of_tier_2_are_sampled_for_review(roll: int, *, sampled: bool) -> None:
    decision = judge(facts=facts_with(sample_roll=roll))
    assert decision.effect is ALLOW
    assert (Duty.SAMPLE in {each.duty for each in decision.obligations}) is sampled


STAGES = {
    Stage.OBSERVE: (DRY, DRY),
    Stage.SUGGEST: (HAND, HAND),
    Stage.DRAFT: (ALLOW, ASK),
    Stage.APPROVAL: (ASK, ASK),
    Stage.LIMITS: (ALLOW, ALLOW),
}


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("tier", [Tier.LOW_IMPACT, Tier.REVERSIBLE])
def test_each_stage_holds_writes_back_as_far_as_it_says(stage: Stage, tier: Tier) -> None:
    expected = STAGES[stage][tier is Tier.REVERSIBLE]
    assert judge(facts=facts_with(agent_stage=stage, contract_tier=tier)).effect is expected
    assert judge(facts=facts_with(agent_stages={TOOL: stage}, contract_tier=tier)).effect is expected
    read = facts_with(agent_stage=stage, contract_tier=Tier.READ_ONLY, contract_kind=Kind.READ, provenance=None)
    assert judge(facts=read).effect is ALLOW


def test_the_lower_of_the_two_stages_holds() -> None:
    facts = facts_with(agent_stage=Stage.OBSERVE, agent_stages={TOOL: Stage.LIMITS})
    assert judge(facts=facts).effect is DRY


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        ({"channel": "#announcements"}, True),
        ({"channel": "#random"}, False),
        ({"channel": ["#random", "#announcements"]}, True),
        ({"channel": ["#random"]}, False),
        ({"channel": []}, True),
        ({}, True),
        ({"channel": None}, True),
        ({"channel": 7}, True),
        ({"channel": {"name": "#random"}}, True),
        ({"channel": "#Announcements "}, True),
        ({"channel": "#announ\u200bcements"}, True),
    ],
)
def test_an_approval_rule_asks_for_its_values_and_for_all_that_it_cannot_tell_from_them(
    arguments: dict[str, Any], *, asks: bool
) -> None:
    rule = ApprovalRule(TOOL, (("channel", ("#announcements", "#customers")),))
    decision = judge(replace(CALL, arguments=arguments), facts_with(agent_approvals=(rule,)))
    assert decision.effect is (ASK if asks else ALLOW)


@pytest.mark.parametrize(("given", "asks"), [(1, True), (1.0, True), (True, True), ("1", True), (2, False)])
def test_an_approval_rule_compares_numbers_as_numbers(given: object, *, asks: bool) -> None:
    rule = ApprovalRule(TOOL, (("level", (1,)),))
    decision = judge(replace(CALL, arguments={"level": given}), facts_with(agent_approvals=(rule,)))
    assert decision.effect is (ASK if asks else ALLOW)


def test_an_approval_rule_without_values_asks_always() -> None:
    assert judge(facts=facts_with(agent_approvals=(ApprovalRule(TOOL),))).effect is ASK


def test_a_call_may_ask_for_approval_and_for_a_dry_run_and_never_lift_one() -> None:
    assert judge(replace(CALL, requires_approval=True)).effect is ASK
    assert judge(replace(CALL, dry_run=True)).effect is DRY
    assert judge(replace(CALL, requires_approval=False), facts_with(contract_tier=Tier.HIGH_IMPACT)).effect is ASK


def test_a_write_that_comes_from_untrusted_text_needs_a_person_who_is_told_which_value_and_where() -> None:
    decision = judge(facts=facts_with(provenance=UNTRUSTED))
    assert decision.effect is ASK
    assert "/order/id" in decision.reasons[0]
    assert "the result of mail" in decision.reasons[0]


@pytest.mark.parametrize(
    ("tier", "guessed", "effect"),
    [
        (Tier.LOW_IMPACT, frozenset(), ALLOW),
        (Tier.LOW_IMPACT, frozenset({"tier"}), ASK),
        (Tier.REVERSIBLE, frozenset(), ASK),
        (Tier.HIGH_IMPACT, frozenset(), ASK),
    ],
)
def test_a_write_that_comes_from_untrusted_text_is_limited_to_low_risk_as_a_reviewer_rated_it(
    tier: Tier, guessed: frozenset[str], effect: Effect
) -> None:
    facts = facts_with(contract_tier=tier, contract_guessed=guessed, provenance=UNTRUSTED)
    assert judge(facts=facts).effect is effect


@pytest.mark.parametrize(("instructed", "effect"), [(True, ASK), (False, ALLOW)])
def test_values_that_the_model_made_up_are_held_where_the_users_wish_is_known(
    *, instructed: bool, effect: Effect
) -> None:
    made_up = replace(UNTRUSTED, verdict=Origin.UNSUPPORTED)
    assert judge(facts=facts_with(provenance=made_up, instructed=instructed)).effect is effect


def test_values_from_untrusted_text_are_held_whether_or_not_the_users_wish_is_known() -> None:
    assert judge(facts=facts_with(provenance=UNTRUSTED, instructed=False)).effect is ASK


def test_reads_need_no_provenance() -> None:
    assert judge(facts=facts_with(contract_kind=Kind.READ, provenance=None)).effect is ALLOW


def test_an_agent_that_redacts_obliges_the_gate() -> None:
    assert {each.duty for each in judge(facts=facts_with(agent_redact=True)).obligations} == {Duty.REDACT}


@pytest.mark.parametrize(
    ("facts", "effect"),
    [
        (facts_with(contract_constraints=(cap(48),)), HAND),
        (facts_with(agent_rules=(a_rule("input.amount < 48"),)), HAND),
        (facts_with(agent_rules=(a_rule("input.count < 48"),)), DENY),
        (facts_with(breaker_open=True), DENY),
        (facts_with(contract_pinned_hash="a", contract_surface_hash="b"), DENY),
        (facts_with(run_state=RunState.CLOSED), DENY),
    ],
)
def test_an_agent_may_have_its_violations_escalated_but_no_other_denial(facts: Any, effect: Effect) -> None:
    assert judge(facts=facts_with(facts, agent_on_violation=HAND)).effect is effect


def test_bounds_that_travel_with_a_call_tighten_those_of_the_contract_and_never_widen_them() -> None:
    assert judge(replace(CALL, constraints=(cap(48, "call"),))).effect is DENY
    wide = replace(CALL, constraints=(cap(1_000, "call"),))
    assert judge(wide, facts_with(contract_constraints=(cap(48),))).effect is DENY


@pytest.mark.parametrize("on_fail", [ASK, DRY, HAND, DENY])
def test_a_rule_that_does_not_hold_has_the_effect_that_it_declares(on_fail: Effect) -> None:
    decision = judge(facts=facts_with(agent_rules=(a_rule("input.amount <= 48", on_fail=on_fail),)))
    assert decision.effect is on_fail
    assert decision.deciding[0].rule == "config:cap"


def test_a_rule_may_only_alert() -> None:
    decision = judge(facts=facts_with(agent_rules=(a_rule("input.amount <= 48", on_fail=ALLOW, alert=True),)))
    assert decision.effect is ALLOW
    assert {each.duty for each in decision.obligations} == {Duty.ALERT}


def test_a_rule_that_cannot_be_evaluated_denies_even_if_it_would_only_alert() -> None:
    rule = a_rule("input.count <= 48", on_fail=ALLOW, alert=True)
    assert judge(facts=facts_with(agent_rules=(rule,))).effect is DENY


def test_rules_about_results_withhold_what_they_are_about_and_nothing_else() -> None:
    facts = facts_with(agent_rules=(a_rule("output.contains_pii == false", phase=Phase.AFTER, tool=None),))
    policies = policies_for(facts)
    clean = {"content": {}, "is_error": False, "contains_pii": False}
    assert decide(CALL, facts, policies).effect is ALLOW
    assert decide_result(CALL, facts, policies, clean).effect is ALLOW
    assert decide_result(CALL, facts, policies, {**clean, "contains_pii": True}).effect is DENY
    assert decide_result(CALL, facts, policies, {}).effect is DENY


def test_rules_of_another_version_of_the_agent_deny() -> None:
    assert decide(CALL, FACTS, policies_for(facts_with(agent_version="b" * 64))).effect is DENY


def test_a_bound_on_every_element_is_asked_of_every_element() -> None:
    bound = Constraint("/to/*", domains=("example.com",))
    facts = facts_with(contract_constraints=(bound,))
    fine = {**CALL.arguments, "to": ["a@example.com", "b@mail.example.com"]}
    assert judge(replace(CALL, arguments=fine), facts).effect is ALLOW
    foul = {**CALL.arguments, "to": ["a@example.com", "b@example.com.evil.net"]}
    assert judge(replace(CALL, arguments=foul), facts).effect is DENY
