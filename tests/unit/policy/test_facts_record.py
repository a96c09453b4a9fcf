"""The facts of a decision, recorded and given back: the same decision follows, byte for byte."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from interlock.domain.approvals import ApprovalState
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.errors import MalformedJson
from interlock.domain.ids import PrincipalId
from interlock.domain.runs import RunState
from interlock.policy.decide import decide
from interlock.policy.facts import Facts, facts_from_json, facts_json
from interlock.policy.record import decision_bytes
from tests.kits.decisions import CALL, FACTS, NOW, TENANT, UNTRUSTED, a_grant, facts_with, policies_for

BRAKE = Brake("brk", TENANT, BrakeTarget.WRITES, "", "drill", PrincipalId("olga"), NOW - 5, NOW + 50_000)
ASKED = facts_with(contract_tier=3)
CASES = {
    "plain": FACTS,
    "untrusted": replace(FACTS, provenance=UNTRUSTED),
    "uninstructed": replace(FACTS, provenance=UNTRUSTED, instructed=False, refused_writes=2),
    "braked": replace(FACTS, brakes=(BRAKE,)),
    "granted": replace(ASKED, grant=a_grant(CALL, ASKED, "anna")),
    "stopped": facts_with(run_state=RunState.STOPPED),
    "breaker": replace(FACTS, breaker_open=True, sample_roll=3),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_decision_follows_from_recorded_facts(name: str) -> None:
    facts = CASES[name]
    policies = policies_for(facts)
    record = json.loads(json.dumps(facts_json(facts)))
    # As the rows stand today: the brake was lifted, the grant used, the run ended.
    today = facts.grant and replace(facts.grant, state=ApprovalState.USED)
    lifted = {"brk": replace(BRAKE, lifted_at=NOW + 1, lifted_by=PrincipalId("olga"))}
    run = replace(facts.run, state=RunState.CLOSED, ended_at=NOW + 9)

    again = facts_from_json(record, facts.agent, facts.contract, run, lifted, today)

    assert decision_bytes(decide(CALL, again, policies)) == decision_bytes(decide(CALL, facts, policies))


def _read(facts: Facts, **changes: object) -> Facts:
    record = {**facts_json(facts), **changes}
    return facts_from_json(record, facts.agent, facts.contract, facts.run, {}, None)


@pytest.mark.parametrize(
    "changes", [{"brakes": ["gone"]}, {"grant": "apr_gone"}, {"proposed": "maybe"}, {"provenance": 7}]
)
def test_facts_that_name_what_is_gone_are_no_facts(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedJson):
        _read(FACTS, **changes)
