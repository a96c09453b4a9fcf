"""A grant lowers REQUIRE_APPROVAL to ALLOW for exactly the call that people saw, and nothing else ever."""

from dataclasses import fields, replace
from typing import Any

import pytest

from interlock.domain.approvals import ApprovalState, Binding, Verdict, Vote
from interlock.domain.calls import CallKey
from interlock.domain.contracts import Tier
from interlock.domain.decisions import Effect
from interlock.domain.ids import CallId, PrincipalId
from interlock.domain.runs import RunState
from interlock.policy.decide import decide
from tests.kits.decisions import BOT, CALL, FACTS, NOW, RUN, TENANT, a_grant, a_rule, facts_with, judge, policies_for

HIGH = facts_with(contract_tier=Tier.HIGH_IMPACT)
FINAL = facts_with(contract_tier=Tier.IRREVERSIBLE)


def effect_of(grant: Any, facts: Any = HIGH) -> Effect:
    return judge(CALL, replace(facts, grant=grant)).effect


def test_a_matching_grant_allows_the_call_and_says_who_approved() -> None:
    decision = judge(CALL, replace(HIGH, grant=a_grant(CALL, HIGH, "anna")))
    assert decision.effect is Effect.ALLOW
    assert decision.approvers_needed == 0
    assert any(each.rule == "approval.granted" and "anna" in each.reason for each in decision.findings)
    assert any(each.rule == "tier.3" for each in decision.findings)


@pytest.mark.parametrize("field", [each.name for each in fields(Binding) if each.name not in {"key", "nonce"}])
def test_one_byte_of_difference_in_what_was_approved_voids_the_grant(field: str) -> None:
    grant = a_grant(CALL, HIGH, "anna")
    value = str(getattr(grant.binding, field))
    for changed in (value[:-1] + chr(ord(value[-1]) ^ 1), value + " ", value[:-1], ""):
        difference: dict[str, Any] = {field: changed}
        other = replace(grant, binding=replace(grant.binding, **difference))
        assert effect_of(other) is Effect.REQUIRE_APPROVAL


def test_a_grant_for_another_call_id_is_void() -> None:
    grant = a_grant(CALL, HIGH, "anna")
    key = CallKey(TENANT, RUN, CallId("call-2"))
    assert effect_of(replace(grant, binding=replace(grant.binding, key=key))) is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize(
    "arguments",
    [{**CALL.arguments, "amount": 49.01}, {**CALL.arguments, "reason": "duplicate "}, {**CALL.arguments, "to": []}, {}],
)
def test_other_arguments_than_those_approved_need_approval_anew(arguments: dict[str, Any]) -> None:
    grant = a_grant(CALL, HIGH, "anna")
    decision = judge(replace(CALL, arguments=arguments), replace(HIGH, grant=grant))
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert "not those that were approved" in " ".join(decision.reasons)


def test_another_spelling_of_the_same_arguments_is_the_same_call() -> None:
    same = replace(CALL, arguments={"order": {"id": "o-7"}, "reason": "duplicate", "amount": 49})
    assert judge(same, replace(HIGH, grant=a_grant(CALL, HIGH, "anna"))).effect is Effect.ALLOW


def test_a_policy_that_changed_since_voids_the_grant() -> None:
    grant = a_grant(CALL, HIGH, "anna")
    changed = facts_with(HIGH, agent_version="b" * 64, grant=grant)
    assert judge(CALL, changed).effect is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize(("expires", "effect"), [(NOW + 1, Effect.ALLOW), (NOW, Effect.REQUIRE_APPROVAL)])
def test_a_grant_is_good_until_it_expires(expires: int, effect: Effect) -> None:
    assert effect_of(a_grant(CALL, HIGH, "anna", expires_at=expires)) is effect


@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.GRANTED])
def test_only_the_state_granted_grants(state: ApprovalState) -> None:
    expected = Effect.DENY if state is ApprovalState.DENIED else Effect.REQUIRE_APPROVAL
    assert effect_of(a_grant(CALL, HIGH, "anna", state=state)) is expected


def test_a_refusal_denies_even_a_call_that_needs_no_approval_any_more() -> None:
    decision = judge(CALL, replace(FACTS, grant=a_grant(CALL, FACTS, "anna", state=ApprovalState.DENIED)))
    assert decision.effect is Effect.DENY
    assert decision.deciding[0].code == "approval_denied"


@pytest.mark.parametrize(
    ("voters", "effect"),
    [
        ((), Effect.REQUIRE_APPROVAL),
        (("anna",), Effect.REQUIRE_APPROVAL),
        (("anna", "anna"), Effect.REQUIRE_APPROVAL),
        (("anna", str(BOT)), Effect.REQUIRE_APPROVAL),
        (("anna", "ben"), Effect.ALLOW),
    ],
)
def test_tier_4_wants_two_different_people_who_did_not_ask(voters: tuple[str, ...], effect: Effect) -> None:
    assert effect_of(a_grant(CALL, FINAL, *voters, needed=1), FINAL) is effect


def test_tier_4_wants_written_reasons() -> None:
    grant = a_grant(CALL, FINAL, "anna", "ben")
    silent = replace(grant, votes=(grant.votes[0], replace(grant.votes[1], reason=" ")))
    assert effect_of(silent, FINAL) is Effect.REQUIRE_APPROVAL


def test_how_many_people_are_needed_is_counted_now_and_not_when_it_was_asked() -> None:
    assert effect_of(a_grant(CALL, FINAL, "anna", needed=1), FINAL) is Effect.REQUIRE_APPROVAL
    assert effect_of(a_grant(CALL, HIGH, "anna", needed=2), HIGH) is Effect.REQUIRE_APPROVAL


def test_whoever_asked_cannot_approve() -> None:
    assert effect_of(a_grant(CALL, HIGH, str(BOT))) is Effect.REQUIRE_APPROVAL
    assert effect_of(a_grant(CALL, HIGH, "anna", requested_by=PrincipalId("anna"))) is Effect.REQUIRE_APPROVAL


def test_one_no_among_the_votes_is_not_outvoted() -> None:
    grant = a_grant(CALL, HIGH, "anna")
    no = Vote(PrincipalId("ben"), Verdict.DENY, "no", NOW)
    assert effect_of(replace(grant, votes=(*grant.votes, no))) is Effect.REQUIRE_APPROVAL


@pytest.mark.parametrize(
    "facts",
    [
        facts_with(HIGH, run_state=RunState.CLOSED),
        facts_with(HIGH, breaker_open=True),
        facts_with(HIGH, agent_rules=(a_rule("input.amount < 3"),)),
        facts_with(HIGH, agent_rules=(a_rule("input.amount < 3", on_fail=Effect.ESCALATE),)),
        facts_with(HIGH, agent_rules=(a_rule("input.amount < 3", on_fail=Effect.DRY_RUN),)),
    ],
)
def test_a_grant_lifts_nothing_but_the_need_for_approval(facts: Any) -> None:
    without = judge(CALL, facts)
    granted = judge(CALL, replace(facts, grant=a_grant(CALL, facts, "anna")))
    assert granted.effect is without.effect is not Effect.ALLOW


def test_a_broken_grant_denies() -> None:
    for wrong in ("yes", 7, object()):
        assert decide(CALL, replace(HIGH, grant=wrong), policies_for(HIGH)).effect is Effect.DENY  # type: ignore[arg-type]
