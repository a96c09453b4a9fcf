"""What of a span is kept, what is taken out, what is refused."""

import hashlib

import pytest

from interlock.traces.details import ERASED, LONG, span_of
from interlock.traces.mapping import LARGEST
from interlock.traces.told import Told, ToldEvent, ToldLink, ToldSpan
from tests.unit.traces.kit import NOW_NS, Hiding, a_span, details, mapped

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (a_span(trace=b"t" * 15), "trace id"),
        (a_span(trace=bytes(16)), "trace id"),
        (a_span(span=b""), "span id"),
        (a_span(span=bytes(8)), "span id"),
        (a_span(parent=b"p" * 7), "parent"),
        (a_span(end_ns=NOW_NS - 1), "ends before"),
        (a_span(start_ns=0), "ends before"),
        (a_span(start_ns=NOW_NS - 10**17), "longer ago"),
        (a_span(end_ns=NOW_NS + 10**17), "future"),
        (a_span(end_ns=(1 << 64) - 1), "future"),
        (a_span(attributes={"a": "x" * (LARGEST + 1)}), "1 MiB"),
    ],
)
def test_a_span_that_cannot_be_right_is_rejected_with_its_reason_and_the_others_are_kept(
    span: ToldSpan, reason: str
) -> None:
    outcome = mapped(span, a_span(span=b"good-one"))
    assert [row.span for row in outcome.rows] == [b"good-one"]
    ((said, count),) = outcome.rejected.items()
    assert reason in said
    assert count == 1


def test_long_texts_stand_apart_by_their_hash_and_short_ones_in_the_details() -> None:
    long = "é" * (LONG // 2 + 1)
    outcome = mapped(a_span(attributes={"long": long, "short": "x" * LONG, "list": [1, 2]}))
    (row,) = outcome.rows
    assert row.bodies == (("long", hashlib.sha256(long.encode()).digest(), long.encode()),)
    assert long not in row.details.decode()
    span = span_of(row, {hash: text for _, hash, text in row.bodies})
    assert span.attributes == {"long": long, "short": "x" * LONG, "list": (1, 2)}
    assert span_of(row, {}).attributes["long"] == ERASED


def test_a_long_resource_stands_apart_once_for_all_its_spans() -> None:
    resource: dict[str, object] = {"service.name": "shop", "host.description": "x" * 400}
    outcome = mapped(a_span(), a_span(span=b"12345678"), resource=resource)
    assert len({hash for row in outcome.rows for _, hash, _ in row.bodies}) == 1
    bodies = {hash: text for row in outcome.rows for _, hash, text in row.bodies}
    assert all(span_of(row, bodies).resource == resource for row in outcome.rows)


def test_an_attribute_that_looks_like_a_reference_to_a_body_is_none() -> None:
    (row,) = mapped(a_span(attributes={"body": "00", "a": '{"body": "00"}'})).rows
    assert span_of(row, {}).attributes == {"body": "00", "a": '{"body": "00"}'}


@pytest.mark.parametrize(
    "span",
    [
        a_span(name=f"a {SECRET}"),
        a_span(message=f"failed with {SECRET}", status=2),
        a_span(attributes={"user.id": SECRET}),
        a_span(attributes={f"name {SECRET}": 1}),
        a_span(attributes={"long": "x" * 1000 + SECRET + "y" * 1000}),
        a_span(attributes={"list": ["a", SECRET]}),
        a_span(events=[ToldEvent(SECRET, NOW_NS, {})]),
        a_span(events=[ToldEvent("exception", NOW_NS, {"exception.stacktrace": SECRET * 100})]),
        a_span(events=[ToldEvent("gen_ai.evaluation.result", NOW_NS, {"gen_ai.evaluation.name": SECRET})]),
        a_span(links=[ToldLink(b"t" * 16, b"s" * 8, {"why": SECRET})]),
    ],
)
def test_what_must_not_be_stored_is_in_no_part_of_a_row(span: ToldSpan) -> None:
    innocent = a_span(span=b"innocent")
    outcome = mapped(span, innocent, redact=Hiding(SECRET), resource={"service.name": f"of {SECRET}"})
    assert len(outcome.rows) >= 2
    assert SECRET not in repr(outcome.rows)
    assert "[hidden]" in repr(outcome.rows)


def test_a_number_that_can_be_somebodys_is_looked_at() -> None:
    outcome = mapped(a_span(attributes={"n": 4111111111111111, "small": 4111}), redact=Hiding("4111"))
    assert details(outcome)["attributes"] == {"n": "[hidden]111111111111", "small": 4111}


def test_clean_spans_are_looked_at_together_and_once() -> None:
    redact = Hiding(SECRET)
    spans = [a_span(span=number.to_bytes(8, "big")) for number in range(1, 65)]
    outcome = mapped(*spans, redact=redact)
    assert len(outcome.rows) == 64
    assert redact.asked == 0
    # Once for all words, and once for the one name of an attribute that was new.
    assert redact.gated == 2


def test_only_spans_in_which_there_is_something_are_changed() -> None:
    redact = Hiding(SECRET)
    spans = [a_span(span=number.to_bytes(8, "big")) for number in range(1, 64)]
    outcome = mapped(*spans, a_span(attributes={"a": SECRET}), redact=redact)
    assert details(outcome, 63)["attributes"] == {"a": "[hidden]"}
    # The scope, and of one span its name, message, and one attribute's name and value.
    assert redact.asked == 5


def test_an_evaluation_that_a_span_carries_is_a_span_of_its_own_and_the_same_one_when_it_comes_again() -> None:
    said: dict[str, Told] = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.explanation": "x" * 1000}
    event = ToldEvent("gen_ai.evaluation.result", NOW_NS + 1, said)
    span = a_span(events=[event, event._replace(at_ns=1 << 63)], attributes={"gen_ai.usage.input_tokens": 5})
    first, again = mapped(span), mapped(span)
    above, one, other = first.rows
    assert first.rows == again.rows
    assert {one.category, other.category} == {"evaluation"}
    assert one.span != other.span
    assert one.parent == other.parent == above.span
    assert (one.input_tokens, one.start_ns) == (0, NOW_NS + 1)
    # An instant that no database can hold is that of the span's end.
    assert other.start_ns == above.end_ns
    bodies = {hash: text for _, hash, text in one.bodies}
    assert span_of(one, bodies).attributes["gen_ai.evaluation.explanation"] == "x" * 1000


def test_columns_take_what_databases_can_hold() -> None:
    (row,) = mapped(a_span(name="a\0b" + "x" * 1000, kind=77, status=-3, attributes={"session.id": 12})).rows
    assert row.name.startswith("ab")
    assert len(row.name) <= 200
    assert (row.kind, row.status, row.run) == ("internal", "unset", "12")
