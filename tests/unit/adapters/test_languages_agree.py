"""One cap in three languages: whatever value comes, it holds for numbers up to 50 and for nothing else."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.adapters.cedar import CedarConditions, CedarPolicies
from interlock.adapters.cel import CelConditions
from interlock.adapters.rego import RegoConditions, RegoPolicies
from interlock.domain.agents import Engine
from interlock.domain.decisions import Effect
from interlock.domain.errors import PolicyError
from interlock.policy.decide import decide
from interlock.policy.document import document_of
from tests.kits.decisions import CALL, CONTRACT, FACTS, TOOL, a_rule, policies_for

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
NUMBERS = (
    st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([50, 50.0001, 49.99])
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | TEXT
    | st.sampled_from(["9999", "49", "$interlock", "__extn", '"', "\\", "a\nb"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("__entity"), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(TEXT, VALUES, max_size=3).flatmap(
    lambda others: st.just(others) | VALUES.map(lambda value: {**others, "amount": value})
)
CONDITIONS = {
    Engine.CEL: CelConditions().compile(a_rule("input.amount <= 50"), None),
    Engine.OPA: RegoConditions().compile(a_rule("input.amount <= 50", Engine.OPA), None),
    Engine.CEDAR: CedarConditions().compile(
        a_rule('context.input.amount.lessThanOrEqual(decimal("50.0"))', Engine.CEDAR), CONTRACT.input_schema
    ),
}
ENGINES = {
    "cedar": CedarPolicies(
        {
            "a": '@id("cap") forbid(principal, action, resource) when { context.input.amount.greaterThan(decimal("50.0")) };'
        },
        {TOOL: CONTRACT},
    ),
    "rego": RegoPolicies({"a": 'package interlock\n\ndeny contains "cap" if input.arguments.amount > 50\n'}),
}


def within_cap(arguments: dict[str, Any]) -> bool:
    amount = arguments.get("amount")
    return isinstance(amount, int | float) and not isinstance(amount, bool) and amount <= 50


@pytest.mark.parametrize("engine", list(CONDITIONS))
@given(arguments=ARGUMENTS)
@example(arguments={"amount": "9999"})
@example(arguments={"amount": None, "$interlock": {"amount": 1}})
def test_a_condition_holds_only_for_what_it_says(engine: Engine, arguments: dict[str, Any]) -> None:
    document = document_of(replace(CALL, arguments=arguments), FACTS)
    try:
        held = CONDITIONS[engine].holds(document)
    except PolicyError:
        held = False
        # Cedar has four decimal places and a largest decimal; the others must answer for every number.
        assert engine is Engine.CEDAR or not within_cap(arguments)
    assert not held or within_cap(arguments)


@pytest.mark.parametrize("name", list(ENGINES))
@given(arguments=ARGUMENTS)
def test_a_policy_that_forbids_is_silent_only_for_what_it_allows(name: str, arguments: dict[str, Any]) -> None:
    found = ENGINES[name].evaluate(replace(CALL, arguments=arguments), FACTS)
    assert found or within_cap(arguments)
    assert all(each.effect is Effect.DENY for each in found)


@given(arguments=ARGUMENTS)
def test_no_arguments_at_all_make_a_decision_raise_or_slip_through(arguments: dict[str, Any]) -> None:
    policies = policies_for(engines=tuple(ENGINES.values()))
    decision = decide(replace(CALL, arguments=arguments), FACTS, policies)
    assert decision.effect is not Effect.ALLOW or within_cap(arguments)
