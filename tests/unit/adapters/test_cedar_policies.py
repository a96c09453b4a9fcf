"""Cedar: policies are held against the contracts when they are published, and an error denies when they are asked."""

from dataclasses import replace
from typing import Any

import pytest

from interlock.adapters.cedar import CedarConditions, CedarPolicies
from interlock.domain.agents import Engine, Phase
from interlock.domain.contracts import Kind
from interlock.domain.decisions import Duty, Effect
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.domain.ids import ToolName
from interlock.policy.document import document_of
from interlock.policy.ports import Document
from tests.kits.decisions import CALL, CONTRACT, FACTS, SCHEMA, TOOL, a_rule, facts_with, judge

READ = replace(CONTRACT, name=ToolName("orders.read"), kind=Kind.READ, category="orders")
CONTRACTS = {TOOL: CONTRACT, READ.name: READ}
CAP = """@id("cap")
@effect("require_approval")
@reason("Refunds over 20 need a person.")
@alert
forbid(principal, action in Action::"category:payments", resource)
when { context.input.amount.greaterThan(decimal("20.0")) };

@id("count")
forbid(principal, action in Action::"writes", resource)
when { context.input has count && context.input.count > 3 };
"""
PERMIT = """@id("small")
permit(principal == Agent::"refunds", action == Action::"payments.refund", resource)
when { context.input.amount.lessThanOrEqual(decimal("50.0")) && context.call.tier <= 2 };
"""


def said_by(policies: CedarPolicies, arguments: dict[str, Any], **call: Any) -> dict[str, Effect]:
    asked = replace(CALL, arguments={"order": {"id": "o-7"}, **arguments}, **call)
    return {each.rule: each.effect for each in policies.evaluate(asked, FACTS)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount": 20}, {}),
        ({"amount": 20.01}, {"cedar:cap": Effect.REQUIRE_APPROVAL}),
        ({"amount": 5, "count": 4}, {"cedar:count": Effect.DENY}),
        ({"amount": 30, "count": 4}, {"cedar:cap": Effect.REQUIRE_APPROVAL, "cedar:count": Effect.DENY}),
        ({"amount": 5, "count": None}, {}),
        ({"amount": 5, "order": {"__entity": {"type": "Agent", "id": "x"}}}, {}),
        ({"amount": 1.00001}, {"cedar:error": Effect.DENY}),
        ({"amount": 1e300}, {"cedar:error": Effect.DENY}),
        ({"amount": "5"}, {"cedar:error": Effect.DENY}),
        ({"amount": True}, {"cedar:error": Effect.DENY}),
        ({}, {"cedar:error": Effect.DENY}),
    ],
)
def test_forbids_alone_only_take_away_and_an_error_denies(
    arguments: dict[str, Any], expected: dict[str, Effect]
) -> None:
    assert said_by(CedarPolicies({"a.cedar": CAP}, CONTRACTS), arguments) == expected


def test_where_permits_are_written_what_none_allows_is_denied() -> None:
    policies = CedarPolicies({"a.cedar": CAP, "b.cedar": PERMIT}, CONTRACTS)
    assert said_by(policies, {"amount": 10}) == {}
    assert said_by(policies, {"amount": 30}) == {"cedar:cap": Effect.REQUIRE_APPROVAL}
    assert said_by(policies, {"amount": 60}) == {"cedar:cap": Effect.REQUIRE_APPROVAL, "cedar:default": Effect.DENY}
    assert said_by(policies, {"amount": 10}, agent="other") == {"cedar:default": Effect.DENY}
    assert said_by(policies, {"amount": 10}, tool=READ.name) == {"cedar:default": Effect.DENY}
    assert said_by(policies, {"amount": 10}, tool="unknown") == {"cedar:error": Effect.DENY}


def test_a_finding_carries_the_sentence_the_version_and_the_alert_of_its_policy() -> None:
    policies = CedarPolicies({"a.cedar": CAP}, CONTRACTS)
    decision = judge(engines=(policies,))
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.reasons == ("Refunds over 20 need a person.",)
    assert decision.deciding[0].version == policies.version == decision.versions["cedar"]
    assert {each.duty for each in decision.obligations} == {Duty.ALERT}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("forbid(principal, action, resource);", "@id"),
        (
            '@id("a") forbid(principal, action, resource);\n@id("a") forbid(principal, action, resource);',
            "two policies",
        ),
        ('@id("a") @efect("escalate") forbid(principal, action, resource);', "@effect"),
        ('@id("a") @effect("block") forbid(principal, action, resource);', "block"),
        ('@id("a") @effect("deny") permit(principal, action, resource);', "permit"),
        ('@id("a") forbid(principal, action == Action::"payments.refnud", resource);', "refnud"),
        ('@id("a") forbid(principal, action in Action::"category:payment", resource);', "category:payment"),
        ('@id("a") forbid(principal, action, resource) when { context.input.count > 3 };', "optional"),
        ('@id("a") forbid(principal, action, resource) when { context.input.amonut == 3 };', "amonut"),
        ('@id("a") forbid(principal, action, resource) when { context.input.amount > 3 };', "'a'"),
        ('@id("a") forbid(principal == ?principal, action, resource);', "slots"),
        ("forbid(", "not Cedar"),
    ],
)
def test_what_could_err_or_never_apply_is_not_published(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CedarPolicies({"a.cedar": text}, CONTRACTS)
    assert said in str(caught.value)


def test_money_of_four_decimal_places_is_compared_exactly() -> None:
    policies = CedarPolicies({"b.cedar": PERMIT}, CONTRACTS)
    assert said_by(policies, {"amount": 50.0}) == {}
    assert said_by(policies, {"amount": 50.0001}) == {"cedar:default": Effect.DENY}


def condition(text: str, arguments: dict[str, Any], schema: dict[str, Any] | None = None, **rule: Any) -> bool:
    compiled = CedarConditions().compile(a_rule(text, Engine.CEDAR, **rule), schema)
    return compiled.holds(document_of(replace(CALL, arguments=arguments), facts_with()))


def test_a_condition_is_what_stands_between_the_braces_of_a_when() -> None:
    text = 'context.input.amount.lessThanOrEqual(decimal("50.0")) && context.call.kind == "write"'
    assert condition(text, {"amount": 50}, SCHEMA)
    assert not condition(text, {"amount": 50.5}, SCHEMA)
    with pytest.raises(PolicyError):
        condition(text, {}, SCHEMA)


def test_a_condition_for_every_tool_takes_values_as_they_are() -> None:
    assert condition("context.input.count < 3", {"count": 2}, tool=None)
    for missing in ({}, {"count": None}, {"count": "2"}, {"count": 2.5}):
        with pytest.raises(PolicyError):
            condition("context.input.count < 3", missing, tool=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("context.input.count < 3", "has"),
        ("context.input.amonut == 3", "amount"),
        ("true }; permit(principal, action, resource) when { true", "more than one"),
        ("context.input.amount <", "not a Cedar expression"),
        ("context.output.is_error == false", "after"),
    ],
)
def test_a_condition_that_could_err_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"agents/refunds\.yaml:7") as caught:
        CedarConditions().compile(a_rule(text, Engine.CEDAR), SCHEMA)
    assert said in str(caught.value)


def test_a_condition_on_the_result() -> None:
    rule = a_rule("!context.output.contains_pii", Engine.CEDAR, phase=Phase.AFTER)
    compiled = CedarConditions().compile(rule, SCHEMA)
    values = dict(document_of(CALL, FACTS).values)
    for found in (True, False):
        output = {"contains_pii": found, "is_error": False, "content": {"any": None}}
        assert compiled.holds(Document({**values, "output": output})) is not found


def test_the_version_follows_the_text_and_not_the_folder() -> None:
    here, there = CedarPolicies({"a/x.cedar": CAP}, CONTRACTS), CedarPolicies({"b/x.cedar": CAP}, CONTRACTS)
    assert here.version == there.version
    assert CedarPolicies({"a/x.cedar": CAP + PERMIT}, CONTRACTS).version != here.version
