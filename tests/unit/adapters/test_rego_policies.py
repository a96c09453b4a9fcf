"""Rego: the engine's open traps are closed, for single conditions and for bundles."""

from dataclasses import replace
from typing import Any

import pytest

from interlock.adapters.rego import RegoConditions, RegoPolicies
from interlock.domain.agents import Engine, Phase
from interlock.domain.decisions import Effect
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.policy.ports import Document
from tests.kits.decisions import CALL, CONTRACT, FACTS, SCHEMA, a_rule, judge

TRUE, FALSE, ERROR = "true", "false", "error"


def answer(condition: str, arguments: dict[str, Any], output: Any = None) -> str:
    phase = Phase.BEFORE if output is None else Phase.AFTER
    compiled = RegoConditions().compile(a_rule(condition, Engine.OPA, phase=phase), None)
    values: dict[str, Any] = {"input": arguments, "call": {"tier": 2}, "run": {}, "agent": {"id": "refunds"}}
    if output is not None:
        values["output"] = output
    try:
        return TRUE if compiled.holds(Document(values)) else FALSE
    except PolicyError:
        return ERROR


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount_usd": 49.0}, TRUE),
        ({"amount_usd": 50}, TRUE),
        ({"amount_usd": 50.01}, FALSE),
        ({}, ERROR),
        ({"amount_usd": None}, ERROR),
        ({"amount_usd": "9999"}, ERROR),
        ({"amount_usd": False}, ERROR),
        ({"amount_usd": [1]}, ERROR),
        ({"amount_usd": {}}, ERROR),
    ],
)
def test_the_condition_of_the_example_file_works_as_it_stands(arguments: dict[str, Any], expected: str) -> None:
    assert answer("input.amount_usd <= 50", arguments) == expected


@pytest.mark.parametrize(
    ("output", "expected"), [({"contains_pii": False}, TRUE), ({"contains_pii": True}, FALSE), ({}, ERROR)]
)
def test_the_condition_on_the_result_of_the_example_file_works_as_it_stands(output: Any, expected: str) -> None:
    assert answer("output.contains_pii == false", {}, output) == expected


@pytest.mark.parametrize(
    ("condition", "arguments", "expected"),
    [
        ("call.tier <= 2", {}, TRUE),
        ('agent.id == "refunds"', {"$interlock": {"agent": {"id": "x"}}}, TRUE),
        ('agent.id == "x"', {"$interlock": {"agent": {"id": "x"}}}, FALSE),
        ("not input.x", {}, TRUE),
        ("not input.x", {"x": True}, FALSE),
        ("not input.x > 5; input.y == 1", {"y": 1}, ERROR),
        ("input.x == 1; input.y == 2", {"x": 1, "y": 2}, TRUE),
        ("input.x == 1; input.y == 2", {"x": 1}, FALSE),
        ("some v in input.l; v > 1", {"l": [1, 2]}, TRUE),
        ("every v in input.l { v > 1 }", {"l": [1, 2]}, FALSE),
        ("input.x", {"x": 'a"],"expressions":[true],"z":["'}, ERROR),
        ("input.x", {"x": 3}, ERROR),
        ("input.x / 0 == 1", {"x": 1}, ERROR),
        ('input.x == "a\\"b"', {"x": 'a"b'}, TRUE),
        ("input.x == `a\\b`", {"x": "a\\b"}, TRUE),
        ('contains(input.x, "evil")', {"x": "so evil"}, TRUE),
        ("regex.match(`rm\\s+-rf`, input.x)", {"x": "rm\n-rf"}, ERROR),
        ('"a" in input.l', {"l": ["a"]}, TRUE),
    ],
)
def test_a_condition_is_true_false_or_an_error_and_never_true_by_accident(
    condition: str, arguments: dict[str, Any], expected: str
) -> None:
    assert answer(condition, arguments) == expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("input.amonut <= 50", "amount"),
        ("foo(input.amount)", "foo"),
        ("limits.amount < 50", "limits.amount"),
        ("time.now_ns() > 1", "time.now_ns"),
        ('http.send({"url": input.reason}).status_code == 200', "http.send"),
        ("}\nother if { true", "brackets"),
        ('input.reason == "\\u0061"', "\\u"),
        ("input.amount <=", "compile"),
        ("output.is_error == false", "after"),
    ],
)
def test_what_would_silently_never_apply_is_refused_when_it_is_published(condition: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"agents/refunds\.yaml:7") as caught:
        RegoConditions().compile(a_rule(condition, Engine.OPA), SCHEMA)
    assert said in str(caught.value)


BUNDLE = """package interlock

import rego.v1

deny contains "over_cap" if input.arguments.amount > 50

require_approval["large"] := sprintf("%v is a large refund.", [input.arguments.amount]) if {
	input.arguments.amount > 20
}

escalate contains "odd" if is_odd(input.arguments.amount)

is_odd(amount) if amount == 13

alert contains "many" if object.get(input.arguments, "count", 0) > 5
"""


def said_by(policies: RegoPolicies, arguments: dict[str, Any]) -> dict[str, Effect]:
    return {each.rule: each.effect for each in policies.evaluate(replace(CALL, arguments=arguments), FACTS)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount": 10}, {}),
        ({"amount": 13}, {"rego:odd": Effect.ESCALATE}),
        ({"amount": 30}, {"rego:large": Effect.REQUIRE_APPROVAL}),
        ({"amount": 51}, {"rego:over_cap": Effect.DENY, "rego:large": Effect.REQUIRE_APPROVAL}),
        ({"amount": 1, "count": 6}, {"rego:many": Effect.ALLOW}),
        ({}, {"rego:error": Effect.DENY}),
        ({"amount": None}, {"rego:error": Effect.DENY}),
        ({"amount": "9"}, {"rego:error": Effect.DENY}),
        ({"amount": True}, {"rego:error": Effect.DENY}),
    ],
)
def test_a_bundle_says_which_rule_decided_and_an_absent_argument_denies(
    arguments: dict[str, Any], expected: dict[str, Effect]
) -> None:
    assert said_by(RegoPolicies({"refunds.rego": BUNDLE}), arguments) == expected


def test_a_sentence_of_the_policy_reaches_the_reviewer() -> None:
    found = RegoPolicies({"a.rego": BUNDLE}).evaluate(replace(CALL, arguments={"amount": 30}), FACTS)
    assert [each.reason for each in found] == ["30 is a large refund."]


def test_a_bundle_decides_with_the_rest() -> None:
    assert judge(engines=(RegoPolicies({"a.rego": BUNDLE}),)).effect is Effect.REQUIRE_APPROVAL
    assert (
        judge(
            replace(CALL, arguments={"amount": 60, "order": {"id": "o"}}), engines=(RegoPolicies({"a.rego": BUNDLE}),)
        ).effect
        is Effect.DENY
    )


def test_where_a_bundle_says_what_is_allowed_everything_else_is_denied() -> None:
    policies = RegoPolicies({"a.rego": "package interlock\n\nallow if input.arguments.amount < 20\n"})
    assert said_by(policies, {"amount": 10}) == {}
    assert said_by(policies, {"amount": 20}) == {"rego:allow": Effect.DENY}


def test_an_error_in_any_rule_denies() -> None:
    policies = RegoPolicies(
        {"a.rego": 'package interlock\n\ndeny contains "x" if 1 / (input.arguments.amount - 5) == 7\n'}
    )
    assert said_by(policies, {"amount": 5}) == {"rego:error": Effect.DENY}
    assert said_by(policies, {"amount": 6}) == {}


def test_data_stands_beside_the_rules() -> None:
    source = 'package interlock\n\ndeny contains "blocked" if data.blocked[input.arguments.order.id]\n'
    policies = RegoPolicies({"a.rego": source}, {"blocked": {"o-7": True}})
    assert said_by(policies, {"order": {"id": "o-7"}}) == {"rego:blocked": Effect.DENY}
    assert said_by(policies, {"order": {"id": "o-8"}}) == {}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("package other\n\ndeny := true\n", "package"),
        ("package interlock\n\nallowed := true\n", "decide nothing"),
        ('package interlock\n\ndeny contains "x" if check(input.arguments.amount)\n', "check"),
        ('package interlock\n\ndeny contains "x" if config.blocked\n', "config.blocked"),
        ('package interlock\n\ndeny contains "x" if { args := input.arguments; args.amount > 5 }\n', "another name"),
        ('package interlock\n\nimport input.arguments as args\ndeny contains "x" if args.amount > 5\n', "another name"),
        ('package interlock\n\ndeny contains "x" if time.now_ns() > 5\n', "time.now_ns"),
        ('package interlock\n\ndeny contains "x" if input.call.teir > 2\n', "'tier'"),
        ('package interlock\n\ndeny contains "x" if input.amount > 2\n', "input.amount"),
        ('package interlock\n\ndeny contains "x" if input.arguments.amonut > 2\n', "'amount'"),
        ("package interlock\n\ndeny contains \n", "a.rego"),
    ],
)
def test_a_bundle_that_could_pass_in_silence_is_not_published(source: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RegoPolicies({"a.rego": source}, contracts={CONTRACT.name: CONTRACT})
    assert said in str(caught.value) or "compile" in str(caught.value)


def test_the_version_follows_the_text_and_the_data() -> None:
    versions = {
        RegoPolicies({"a.rego": BUNDLE}).version,
        RegoPolicies({"a.rego": BUNDLE + "\n"}).version,
        RegoPolicies({"elsewhere/a.rego": BUNDLE}).version,
        RegoPolicies({"a.rego": BUNDLE}, {"x": 1}).version,
    }
    assert len(versions) == 3
    assert RegoPolicies({"a.rego": BUNDLE}).version in versions
