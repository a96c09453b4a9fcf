"""Money, recipients and travelling constraints are read exactly, or the call is refused."""

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.contracts import AmountField, Constraint, Idempotency, Kind, Money, Tier, ToolContract, Upstream
from interlock.domain.errors import BadInput, InvalidArguments
from interlock.domain.ids import ToolName
from interlock.tools.arguments import amount_of, recipients_of, with_key
from interlock.tools.proposals import ProposalSchema, read_proposal, settle_approval
from interlock.tools.travelling import travelling

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "charge_id": {"type": "string"},
        "amount_usd": {"type": "number"},
        "reason": {"type": "string"},
        "channels": {"type": "array", "items": {"type": "string"}},
        "category": {"type": "string"},
        "address": {"type": "string"},
    },
    "additionalProperties": False,
}
REFUND = ToolContract(
    ToolName("issue_refund"),
    "",
    SCHEMA,
    None,
    Kind.WRITE,
    Tier.HIGH_IMPACT,
    Upstream("mcp", "pay", "issue_refund"),
    amount=AmountField("/amount_usd", "USD"),
)


def of(amount: AmountField) -> ToolContract:
    return dataclasses.replace(REFUND, amount=amount)


@given(st.integers(0, 10**13), st.sampled_from([("USD", 2), ("JPY", 0), ("KWD", 3)]))
def test_an_amount_typed_to_the_smallest_coin_is_counted_exactly(minor: int, currency: tuple[str, int]) -> None:
    code, places = currency
    typed = Decimal(minor).scaleb(-places)
    whole = of(AmountField("/amount_usd", code))
    assert amount_of(whole, {"amount_usd": json.loads(str(typed))}) == Money(minor, code)
    assert amount_of(whole, {"amount_usd": str(typed)}) == Money(minor, code)
    assert amount_of(of(AmountField("/amount_usd", code, minor_units=True)), {"amount_usd": minor}) == Money(
        minor, code
    )


@given(st.floats() | st.text(max_size=8) | st.integers() | st.booleans() | st.lists(st.integers(), max_size=2))
def test_any_value_is_an_exact_amount_or_refused(value: Any) -> None:
    try:
        money = amount_of(REFUND, {"amount_usd": value})
    except InvalidArguments:
        return
    assert money is not None
    assert money.minor >= 0
    assert Decimal(money.minor) / 100 == Decimal(str(value).strip())


@pytest.mark.parametrize(
    "value", [0.001, 49.999, "1e3", "1,000", "-1", -0.01, "０", float("nan"), 1e308, True, {}, 2**60]
)
def test_what_cannot_be_counted_exactly_is_refused_without_repeating_it(value: Any) -> None:
    with pytest.raises(InvalidArguments) as caught:
        amount_of(REFUND, {"amount_usd": value})
    assert "/amount_usd" in str(caught.value)


def test_a_call_that_does_not_say_how_much_is_refused_unless_that_means_nothing() -> None:
    for arguments in ({}, {"amount_usd": None}):
        with pytest.raises(InvalidArguments):
            amount_of(REFUND, arguments)
        assert amount_of(of(AmountField("/amount_usd", "USD", optional=True)), arguments) is None
    assert amount_of(dataclasses.replace(REFUND, amount=None), {"amount_usd": 5}) is None


def test_amounts_in_several_places_add_up_in_the_currency_that_the_call_names() -> None:
    tool = of(AmountField("/items/*/sum", "@/currency", minor_units=True))
    assert amount_of(tool, {"items": [{"sum": 100}, {"sum": 23}], "currency": "eur"}) == Money(123, "EUR")
    for currency in ("XXX", None, 5):
        with pytest.raises(InvalidArguments):
            amount_of(tool, {"items": [{"sum": 1}], "currency": currency})


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("a@b.c", 1),
        ("a@b.c, d@e.f; g@h.i", 3),
        (["a", "b"], 2),
        (["a, b", {"email": "c"}], 3),
        ([], 0),
        (None, 0),
        ("", 0),
        ({"to": 1, "cc": 2}, 2),
        (7, 1),
    ],
)
def test_every_recipient_counts(value: Any, count: int) -> None:
    tool = dataclasses.replace(REFUND, recipients="/to")
    assert recipients_of(tool, {"to": value}) == count
    assert recipients_of(tool, {}) == 0
    assert recipients_of(REFUND, {"to": value}) == 0


def test_the_idempotency_key_goes_into_its_field_only() -> None:
    keyed = dataclasses.replace(REFUND, idempotency=Idempotency.FIELD, idempotency_name="key")
    assert with_key(keyed, {"a": 1}, "k") == {"a": 1, "key": "k"}
    assert with_key(REFUND, {"a": 1}, "k") == {"a": 1}


def test_constraints_travel_with_a_call_and_bind_its_arguments() -> None:
    raw = {
        "max_amount_usd": 50.0,
        "min_amount_usd": 1,
        "allowed_reasons": ["late"],
        "allowed_channels": ["#a"],
        "allowed_categories": ["x"],
        "allowed_addresses": ["y"],
        "audit_tag": "v2",
    }
    found = travelling(raw, REFUND)
    assert found.labels == (("audit_tag", "v2"),)
    assert found.constraints == (
        Constraint("/amount_usd", maximum=50.0, source="call"),
        Constraint("/amount_usd", minimum=1, source="call"),
        Constraint("/reason", one_of=("late",), source="call"),
        Constraint("/channels/*", one_of=("#a",), source="call"),
        Constraint("/category", one_of=("x",), source="call"),
        Constraint("/address", one_of=("y",), source="call"),
    )


@pytest.mark.parametrize(
    "raw",
    [
        {"max_amount": 50},
        {"max_amount_usd": "50"},
        {"max_amount_usd": True},
        {"max_reason": 5},
        {"allowed_reasons": "late"},
        {"allowed_reasons": [["late"]]},
        {"allowed_reasonses": []},
        {"MAX_amount_usd": 1},
        {"maximum_amount_usd": 1},
        {"amount_usd": 1},
        {"audit_tag": 1},
        {"": 1},
    ],
)
def test_a_constraint_that_binds_nothing_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        travelling(raw, REFUND)


def test_a_misspelt_constraint_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidArguments, match="max_amount_usd"):
        travelling({"max_amuont_usd": 1}, REFUND)


def test_a_proposal_is_read_with_its_constraints_and_its_wish_for_approval() -> None:
    document = {
        "tool": "issue_refund",
        "arguments": {"charge_id": "ch_1", "amount_usd": 49.0, "requires_approval": True},
        "constraints": {"max_amount_usd": 50.0},
    }
    proposal = settle_approval(read_proposal(document), REFUND)
    assert proposal.requires_approval
    assert proposal.arguments == {"charge_id": "ch_1", "amount_usd": 49.0}
    assert read_proposal({"tool": "t", "args": {}}).arguments == {}


def test_a_tool_with_such_an_argument_keeps_it_and_false_lifts_nothing() -> None:
    own = dataclasses.replace(REFUND, input_schema={"properties": {"requires_approval": {"type": "boolean"}}})
    proposal = read_proposal({"tool": "t", "args": {"requires_approval": False}, "requires_approval": True})
    assert settle_approval(proposal, own) == proposal
    assert settle_approval(proposal, REFUND).requires_approval


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"tool": "t"},
        {"tool": 1, "args": {}},
        {"tool": "t", "args": []},
        {"tool": "t", "args": {}, "arguments": {}},
        {"tool": "t", "args": {}, "constraint": {}},
        {"tool": "t", "args": {}, "constraints": []},
        {"tool": "t", "args": {}, "requires_approval": "false"},
    ],
)
def test_any_other_form_of_proposal_is_refused(document: Any) -> None:
    with pytest.raises(BadInput):
        read_proposal(document)


def test_an_odd_wish_for_approval_among_the_arguments_is_refused() -> None:
    with pytest.raises(BadInput):
        settle_approval(read_proposal({"tool": "t", "args": {"requires_approval": "no"}}), REFUND)


def test_a_proposal_schema_bounds_what_may_be_proposed() -> None:
    schema = {
        "type": "object",
        "properties": {"tool": {"enum": ["lookup_customer", "draft_reply"]}, "args": {"type": "object"}},
        "required": ["tool", "args"],
        "additionalProperties": False,
    }
    bound = ProposalSchema(schema, "proposals.json")
    bound.check("draft_reply", {"text": "x"})
    with pytest.raises(InvalidArguments, match=r"proposals\.json"):
        bound.check("issue_refund", {})
    other = ProposalSchema({"required": ["arguments"], "properties": {"arguments": {"maxProperties": 0}}}, "p")
    other.check("t", {})
    with pytest.raises(InvalidArguments):
        other.check("t", {"a": 1})


def test_the_example_of_a_proposal_loads_as_it_stands() -> None:
    folder = Path(__file__).parents[3].parent / "shared" / "examples"
    if not folder.is_dir():
        pytest.skip("the examples are not beside the repository")
    proposal = settle_approval(read_proposal(json.loads((folder / "tool_call.json").read_text())), REFUND)
    assert proposal.requires_approval
    assert len(travelling(proposal.constraints, REFUND).constraints) == 2
    assert amount_of(REFUND, proposal.arguments) == Money(4900, "USD")
    bound = ProposalSchema(json.loads((folder / "tool_call_schema.json").read_text()), "tool_call_schema.json")
    with pytest.raises(InvalidArguments):
        bound.check(proposal.tool, proposal.arguments)
