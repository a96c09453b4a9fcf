"""Conditions in CEL: JSON numbers compare by value, what cannot be answered is an error, typos are found when published."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapters.cel import CelConditions
from interlock.domain.agents import Phase
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.policy.ports import Document
from tests.kits.decisions import SCHEMA, a_rule


def holds(condition: str, arguments: dict[str, Any], **rule: Any) -> bool:
    compiled = CelConditions().compile(a_rule(condition, **rule), None)
    call = {"tier": 2, "kind": "write", "dry_run": False}
    return compiled.holds(Document({"input": arguments, "call": call, "run": {"labels": {}}, "agent": {"id": "a"}}))


@pytest.mark.parametrize("amount", [49, 49.0, 50, 50.0])
def test_a_whole_number_and_its_decimal_spelling_are_the_same_number(amount: float) -> None:
    assert holds("input.amount <= 50", {"amount": amount})
    assert holds("input.amount <= 50.0", {"amount": amount})
    assert holds("input.amount * 2.0 <= 100.0", {"amount": amount})
    assert not holds("input.amount > 50", {"amount": amount})


@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
def test_comparisons_of_whole_numbers_are_exact(one: int, other: int) -> None:
    assert holds("input.a < input.b", {"a": one, "b": other}) is (one < other)
    assert holds("input.a == input.b", {"a": one, "b": float(other)}) is (one == other)


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ("input.amount <= 50", {}),
        ("input.amount <= 50", {"amount": "49"}),
        ("input.amount <= 50", {"amount": None}),
        ("input.amount <= 50", {"amount": True}),
        ("input.amount <= 50", {"amount": [49]}),
        ("input.amount", {"amount": 49}),
        ("input.reason", {"reason": "x"}),
        ("input.to[5] == 'x'", {"to": []}),
        ("int(input.a) * int(input.a) > 0", {"a": 9e15}),
        ("input.note.matches('a') && input.note", {"note": "a"}),
    ],
)
def test_whatever_is_not_clearly_true_or_false_is_an_error(condition: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        holds(condition, arguments)


def test_an_absence_that_was_thought_of_is_no_error() -> None:
    assert holds("!has(input.amount) || input.amount <= 50", {})
    assert not holds("has(input.amount) && input.amount <= 50", {})


def test_an_error_names_what_is_missing_and_no_value() -> None:
    with pytest.raises(PolicyError, match="'amount'") as caught:
        holds("input.amount <= 50", {"token": "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("input.amonut <= 50", "amount"),
        ("input.order.idd == 'x'", "id"),
        ("call.teir > 2", "tier"),
        ("input.amount <=", "not a CEL expression"),
        ("inputs.amount <= 50", "inputs"),
        ("amount <= 50", "amount"),
        ("foo(input.amount)", "foo"),
        ("input.amount + 1 > 3", "1.0"),
        ("2 * input.amount > 3", "2.0"),
        ("output.is_error == false", "after"),
    ],
)
def test_what_could_never_work_is_refused_when_it_is_published(condition: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"agents/refunds\.yaml:7") as caught:
        CelConditions().compile(a_rule(condition), SCHEMA)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "condition",
    ["input.order.id != ''", "size(input.to) + 1 < 5", "input.to.all(x, x.endsWith('.com'))", "input.amount > -1"],
)
def test_what_the_schema_has_is_accepted(condition: str) -> None:
    CelConditions().compile(a_rule(condition), SCHEMA)


def test_a_condition_on_the_result_reads_output() -> None:
    compiled = CelConditions().compile(a_rule("output.contains_pii == false", phase=Phase.AFTER), SCHEMA)
    assert compiled.holds(Document({"input": {}, "output": {"contains_pii": False}}))
    assert not compiled.holds(Document({"input": {}, "output": {"contains_pii": True}}))
