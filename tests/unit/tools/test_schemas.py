"""A value that does not fit is refused in words that name the place and never the value."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.contracts import Kind, Tier, ToolContract, Upstream
from interlock.domain.errors import ConfigurationError, InvalidArguments
from interlock.domain.ids import ToolName
from interlock.tools.schemas import CompiledSchemas, Schema

CANARY = "sk_live_canary"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "to": {"type": "array", "items": {"type": "string", "format": "email"}, "maxItems": 2, "uniqueItems": True},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 50},
        "reason": {"enum": ["late", "broken"]},
        "code": {"type": "string", "pattern": "^[A-Z]{3}$", "maxLength": 3},
        "when": {"type": "string", "format": "date"},
        "choice": {"anyOf": [{"type": "integer"}, {"const": "all"}]},
    },
    "required": ["amount"],
    "additionalProperties": False,
}


def contract(schema: dict[str, Any], output: dict[str, Any] | None = None) -> ToolContract:
    return ToolContract(
        ToolName("t"),
        "",
        schema,
        output,
        Kind.WRITE,
        Tier.HIGH_IMPACT,
        Upstream("python", "p", "t"),
        hash=str(id(schema)),
    )


@pytest.mark.parametrize(
    ("arguments", "pointer", "words"),
    [
        ({}, "", "lacks 'amount'"),
        ({"amount": CANARY}, "/amount", "must be number"),
        ({"amount": 51}, "/amount", "at most 50"),
        ({"amount": 0}, "/amount", "above 0"),
        ({"amount": 1, "to": [CANARY]}, "/to/0", "format email"),
        ({"amount": 1, "to": ["a@b.cd"] * 2}, "/to", "twice"),
        ({"amount": 1, "reason": CANARY}, "/reason", "one of late, broken"),
        ({"amount": 1, "code": CANARY}, "/code", "at most 3 characters"),
        ({"amount": 1, "code": "AB\n"}, "/code", "must match"),
        ({"amount": 1, "when": CANARY}, "/when", "format date"),
        ({"amount": 1, "choice": CANARY}, "/choice", "none of the forms"),
        ({"amount": 1, "ammount": CANARY}, "", "did you mean 'amount'"),
    ],
)
def test_the_refusal_names_place_and_expectation_and_not_the_value(
    arguments: dict[str, Any], pointer: str, words: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        CompiledSchemas().of(contract(SCHEMA)).check_arguments(arguments, "t")
    assert words in str(caught.value)
    assert (pointer or "the whole") in str(caught.value)
    assert CANARY not in str(caught.value)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), JSONISH))
def test_whatever_comes_there_is_an_answer(arguments: dict[str, Any]) -> None:
    schema = Schema(SCHEMA, "the test")
    problems = schema.problems(arguments)
    assert bool(problems) != schema.fits(arguments)
    assert len(problems) <= 5


@pytest.mark.parametrize("odd", [{1: 2}, "\ud800", object()])
def test_what_is_not_json_does_not_fit(odd: Any) -> None:
    assert Schema({}, "anything").problems(odd)


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*(?=b)$", "^(a|aa)+$", r"^(\w+\s?)*$", "(.*a){20}"])
def test_a_hostile_pattern_costs_no_time_and_lets_nothing_through(pattern: str) -> None:
    schema = Schema({"pattern": pattern}, "the test")
    started = time.perf_counter()
    fits = schema.fits("a" * 20_000 + "!")
    assert time.perf_counter() - started < 1
    assert not fits or pattern == "(.*a){20}"


def test_a_schema_of_an_older_draft_keeps_its_meaning() -> None:
    schema = Schema({"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}}, "the test")
    assert schema.fits({"a": 1, "b": 2})
    assert not schema.fits({"a": 1})


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"$ref": "https://example.com/x"}, {"$ref": "#/$defs/none"}, {"pattern": "("}]
)
def test_a_schema_that_cannot_be_used_is_a_configuration_error(schema: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the result of 't'"):
        CompiledSchemas().of(contract({}, schema))


def test_schemas_are_compiled_once_and_forgotten_on_request() -> None:
    compiled, known = CompiledSchemas(), contract(SCHEMA)
    first = compiled.of(known)
    assert compiled.of(known) is first
    compiled.keep(frozenset())
    assert compiled.of(known) is not first
