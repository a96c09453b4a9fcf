"""Questions that are near in their vectors, and must not be taken for one another, differ in their markers."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.models.markers import is_reordered, markers, order_of

APART = [
    ("cancel order 12", "cancel order 13"),
    ("cancel order 12", "cancel order twelve hundred"),
    ("move 5 from account 7 to account 9", "move 5 from account 9 to account 7"),
    ("I was charged $20", "I was charged €20"),
    ("ticket AB-1 is open", "ticket AB-2 is open"),
    ("write to ann@example.com", "write to ben@example.com"),
    ("is it shipped", "is it not shipped"),
    ("it is shipped", "it isn't shipped"),
    ("it works", "it doesn’t work"),
    ("with breakfast", "without breakfast"),
    ("Ist das erlaubt?", "Ist das nicht erlaubt?"),
    ("C'est permis", "Ce n'est pas permis"),
    ("the weather in Oslo", "the weather in Bergen"),
    ("flights from oslo to bergen", "flights from bergen to oslo"),
    ("flights from oslo to bergen", "the flights from bergen to oslo"),
    ("export to CSV", "export to PDF"),
    ("CSV export", "PDF export"),
    ("how do I enable it", "how do I disable it"),
    ("turn it on", "turn it off"),
    ("the monthly plan", "the yearly plan"),
    ("how long does it take", "how do I take it"),
    ("where is my order", "when is my order"),
    ('rename it to "alpha"', 'rename it to "beta"'),
    ("open on saturday", "open on sunday"),
    ("cancel all orders", "cancel my order"),
    ("１２ items", "１３ items"),
]
TOGETHER = [
    ("How do I reset my password?", "How can I reset my password"),
    ("cancel order 12", "Please cancel order 12."),
    ("I cannot log in", "I can't log in"),
    ("it does not work", "it doesn't work"),
    ("How do I activate it?", "How do I enable it?"),
    ("two seats", "2 seats"),
    ("What's the limit?", "What is the limit?"),
    ("I'm lost", "i'm lost"),
]


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_answers_must_tell_apart_is_told_apart(one: str, other: str) -> None:
    assert markers(one) != markers(other) or is_reordered(order_of(one), order_of(other))


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_what_means_the_same_may_still_share(one: str, other: str) -> None:
    assert markers(one) == markers(other)
    assert not is_reordered(order_of(one), order_of(other))


@given(st.text(max_size=200), st.integers(0, 10**9), st.integers(0, 10**9))
def test_another_number_is_another_question_whatever_stands_around_it(text: str, one: int, other: int) -> None:
    assert (markers(f"{text} {one}") == markers(f"{text} {other}")) == (one == other)


@given(st.lists(st.sampled_from(["how", "do", "we", "ship", "it", "to", "you", "now", "please"]), max_size=12))
def test_not_is_another_question_wherever_it_stands(words: list[str]) -> None:
    plain = " ".join(words)

    assert all(markers(" ".join([*words[:at], "not", *words[at:]])) != markers(plain) for at in range(len(words) + 1))


@given(st.text(max_size=300))
def test_any_text_has_markers_that_can_be_hashed_and_no_other_order_than_its_own(text: str) -> None:
    assert orjson.dumps(markers(text))
    assert not is_reordered(order_of(text), order_of(text))
