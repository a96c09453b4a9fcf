"""I1: the most restrictive rule wins, whatever the order. I2: whatever fails, the answer is never ALLOW."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.domain.agents import ApprovalRule, Stage
from interlock.domain.approvals import ApprovalState
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Tier
from interlock.domain.decisions import Decision, Effect, Finding, combine
from interlock.domain.ids import PrincipalId
from interlock.domain.runs import RunState
from interlock.policy import decide as decision_module
from interlock.policy.decide import CHECKS, decide
from interlock.policy.facts import Facts
from tests.kits.decisions import CALL, FACTS, NOW, TENANT, UNTRUSTED, a_grant, a_rule, cap, facts_with, policies_for

FINDINGS = st.lists(
    st.builds(Finding, st.sampled_from(["a", "b", "c"]), st.sampled_from(Effect), st.sampled_from(["x", "y"])),
    max_size=6,
)
Combine = Callable[[tuple[Finding, ...], Mapping[str, str]], Decision]


def most_restrictive_wins(merge: Combine, findings: list[Finding], order: list[Finding], more: Finding) -> None:
    decision = merge(tuple(findings), {})
    strictest = max((each.effect.severity for each in findings), default=Effect.DENY.severity)
    assert decision.effect.severity == strictest
    assert merge(tuple(order), {}) == decision
    if findings:
        assert merge((*findings, more), {}).effect.severity >= decision.effect.severity


@given(st.data())
def test_i1_no_order_and_no_further_finding_makes_a_decision_milder(data: st.DataObject) -> None:
    findings = data.draw(FINDINGS)
    more = data.draw(FINDINGS.filter(bool))[0]
    most_restrictive_wins(combine, findings, data.draw(st.permutations(findings)), more)


def last_wins(findings: tuple[Finding, ...], versions: Mapping[str, str]) -> Decision:
    decision = combine(findings, versions)
    return replace(decision, effect=findings[-1].effect) if findings else decision


def test_i1_a_combination_in_which_the_last_wins_is_caught() -> None:
    @settings(database=None, max_examples=200, report_multiple_bugs=False)
    @given(st.data())
    def attempt(data: st.DataObject) -> None:
        findings = data.draw(FINDINGS)
        more = data.draw(FINDINGS.filter(bool))[0]
        most_restrictive_wins(last_wins, findings, data.draw(st.permutations(findings)), more)

    with pytest.raises(AssertionError):
        attempt()


SCENARIOS: dict[str, tuple[ToolCall, Facts]] = {
    "tier 3": (CALL, facts_with(contract_tier=Tier.HIGH_IMPACT)),
    "tier 4": (CALL, facts_with(contract_tier=Tier.IRREVERSIBLE)),
    "untrusted": (CALL, facts_with(provenance=UNTRUSTED)),
    "stage observe": (CALL, facts_with(agent_stage=Stage.OBSERVE)),
    "stage suggest": (CALL, facts_with(agent_stage=Stage.SUGGEST)),
    "asked by the agent": (CALL, facts_with(agent_approvals=(ApprovalRule(CALL.tool),))),
    "asked by the caller": (replace(CALL, requires_approval=True), FACTS),
    "dry run": (replace(CALL, dry_run=True), FACTS),
    "closed": (CALL, facts_with(run_state=RunState.CLOSED)),
    "late": (CALL, facts_with(run_deadline=NOW)),
    "not on the list": (CALL, facts_with(agent_tools=frozenset())),
    "quarantined": (CALL, facts_with(contract_pinned_hash="a", contract_surface_hash="b")),
    "breaker": (CALL, facts_with(breaker_open=True)),
    "bound": (CALL, facts_with(contract_constraints=(cap(48),))),
    "rule": (CALL, facts_with(agent_rules=(a_rule("input.amount <= 48", on_fail=Effect.REQUIRE_APPROVAL),))),
    "brake": (
        CALL,
        facts_with(brakes=(Brake("b", TENANT, BrakeTarget.ALL, "", "", PrincipalId("o"), NOW, NOW + 9),)),
    ),
    "refused": (CALL, facts_with(grant=a_grant(CALL, FACTS, "anna", state=ApprovalState.DENIED))),
    "late grant": (
        CALL,
        facts_with(
            contract_tier=Tier.HIGH_IMPACT,
            grant=a_grant(CALL, facts_with(contract_tier=Tier.HIGH_IMPACT), "anna", expires_at=NOW),
        ),
    ),
}


@given(order=st.permutations(CHECKS), scenario=st.sampled_from(sorted(SCENARIOS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_i1_the_order_of_the_checks_changes_nothing(
    order: list[tuple[str, decision_module.Check]], scenario: str
) -> None:
    call, facts = SCENARIOS[scenario]
    policies = policies_for(facts)
    expected = decide(call, facts, policies)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision_module, "CHECKS", tuple(order))
        assert decide(call, facts, policies) == expected
    assert expected.effect is not Effect.ALLOW


def paths(value: object, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not is_dataclass(value):
        return
    for each in fields(value):
        yield (*prefix, each.name)
        yield from paths(getattr(value, each.name), (*prefix, each.name))


def damaged(value: Any, path: tuple[str, ...], wrong: object) -> Any:
    """Return a copy of `value` whose attribute at `path` is gone (`wrong` is MISSING) or is `wrong`."""
    twin = copy.copy(value)
    if len(path) > 1:
        object.__setattr__(twin, path[0], damaged(getattr(value, path[0]), path[1:], wrong))
    elif wrong is MISSING:
        object.__delattr__(twin, path[0])
    else:
        object.__setattr__(twin, path[0], wrong)
    return twin


MISSING = object()
WRONG = (MISSING, object(), float("nan"), b"\x00")


def damages() -> Iterator[tuple[str, str, ToolCall, Facts]]:
    for scenario, (call, facts) in SCENARIOS.items():
        for wrong in WRONG:
            for path in paths(facts):
                yield scenario, f"facts.{'.'.join(path)}", call, damaged(facts, path, wrong)
            for path in paths(call):
                yield scenario, f"call.{'.'.join(path)}", damaged(call, path, wrong), facts


def check_no_damage_allows() -> None:
    policies = {scenario: policies_for(facts) for scenario, (_, facts) in SCENARIOS.items()}
    for scenario, path, call, facts in damages():
        assert decide(call, facts, policies[scenario]).effect is not Effect.ALLOW, f"{scenario}: {path}"


def test_i2_no_attribute_that_is_missing_or_wrong_lifts_a_restriction() -> None:
    check_no_damage_allows()


@pytest.mark.parametrize("failing", [name for name, _ in CHECKS])
@pytest.mark.parametrize("error", [ValueError("secret-token"), RecursionError(), AttributeError("x"), MemoryError()])
def test_i2_a_check_that_raises_denies_and_tells_no_secret(
    failing: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> tuple[Finding, ...]:
        raise error

    replaced = tuple((name, broken if name == failing else check) for name, check in CHECKS)
    monkeypatch.setattr(decision_module, "CHECKS", replaced)
    decision = decide(CALL, FACTS, policies_for())
    assert decision.effect is Effect.DENY
    assert decision.deciding[0].code == "policy_error"
    assert "secret-token" not in str(decision)


@pytest.mark.parametrize("answer", [None, (None,), ("allow",), (Finding("x", "allow", ""),), 7])  # type: ignore[arg-type]
@pytest.mark.parametrize("failing", [name for name, _ in CHECKS])
def test_i2_a_check_that_answers_nonsense_denies(failing: str, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced = tuple((name, (lambda *_: answer) if name == failing else check) for name, check in CHECKS)
    monkeypatch.setattr(decision_module, "CHECKS", replaced)
    assert decide(CALL, FACTS, policies_for()).effect is Effect.DENY


@pytest.mark.parametrize("part", ["agent", "contract", "run", "provenance", "brakes", "now", "breaker_open", "grant"])
@pytest.mark.parametrize("wrong", WRONG)
def test_i2_an_ordinary_call_is_not_allowed_when_a_fact_that_matters_is_broken(part: str, wrong: object) -> None:
    assert decide(CALL, damaged(FACTS, (part,), wrong), policies_for()).effect is not Effect.ALLOW


@pytest.mark.parametrize("wrong", [None, object(), 7, "policies"])
def test_i2_no_policies_at_all_deny(wrong: Any) -> None:
    assert decide(CALL, FACTS, wrong).effect is Effect.DENY
    assert decide(wrong, FACTS, policies_for()).effect is Effect.DENY
    assert decide(CALL, wrong, policies_for()).effect is Effect.DENY


def test_i2_a_decision_that_passes_over_failing_checks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(_name: str, check: decision_module.Check, *arguments: Any) -> tuple[Finding, ...]:
        try:
            return check(*arguments)
        except Exception:  # noqa: BLE001 - the defect
            return ()

    monkeypatch.setattr(decision_module, "_ask", lenient)
    with pytest.raises(AssertionError):
        check_no_damage_allows()
