"""A decision can be written down and read back, byte for byte the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.canonical import parse_json
from interlock.domain.decisions import Decision, Duty, Effect, Finding, Obligation, combine
from interlock.domain.errors import MalformedJson
from interlock.policy.record import decision_bytes, decision_from_json, decision_json
from tests.kits.decisions import UNTRUSTED, facts_with, judge

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
OBLIGATIONS = st.builds(Obligation, st.sampled_from(Duty), TEXT, TEXT)
FINDINGS = st.builds(
    Finding, TEXT, st.sampled_from(Effect), TEXT, TEXT, TEXT, st.lists(OBLIGATIONS, max_size=2).map(tuple)
)


@given(st.lists(FINDINGS, max_size=4), st.dictionaries(TEXT, TEXT, max_size=3))
def test_what_is_recorded_gives_the_same_decision_back(findings: list[Finding], versions: dict[str, str]) -> None:
    decision = combine(tuple(findings), versions)
    again = decision_from_json(parse_json(decision_bytes(decision)))
    assert again == decision
    assert decision_bytes(again) == decision_bytes(decision)


def test_a_real_decision_survives_the_record() -> None:
    decision = judge(facts=facts_with(provenance=UNTRUSTED, agent_redact=True))
    assert decision_from_json(decision_json(decision)) == decision


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"effect": "allow"},
        {"effect": "perhaps", "findings": [], "obligations": [], "versions": {}, "approvers_needed": 0},
    ],
)
def test_a_record_that_holds_no_decision_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(MalformedJson):
        decision_from_json(record)


def test_empty_parts_are_left_out() -> None:
    plain = Decision(Effect.ALLOW, (Finding("a", Effect.ALLOW, "b"),))
    assert decision_json(plain)["findings"] == [{"rule": "a", "effect": "allow", "reason": "b"}]
