"""A bound holds, or says in a sentence how it is broken, or cannot be checked; never a fourth thing."""

import time
from typing import Any

import pytest

from interlock.domain.contracts import Constraint
from interlock.domain.errors import InterlockError
from interlock.policy.bounds import breach, same

HOLDS, BROKEN, UNCHECKABLE = "holds", "broken", "uncheckable"


def outcome(bound: Constraint, arguments: dict[str, Any]) -> str:
    try:
        return HOLDS if breach(bound, arguments) is None else BROKEN
    except InterlockError:
        return UNCHECKABLE


@pytest.mark.parametrize(
    ("value", "expected"),
    [(49, HOLDS), (50, HOLDS), (50.0, HOLDS), (50.01, BROKEN), (-1, BROKEN), ("49", UNCHECKABLE), (None, UNCHECKABLE),
     (True, UNCHECKABLE), (float("nan"), UNCHECKABLE), ([49], UNCHECKABLE), ({"n": 1}, UNCHECKABLE)],
)  # fmt: skip
def test_a_number_stays_within_its_bounds(value: object, expected: str) -> None:
    assert outcome(Constraint("/a", maximum=50, minimum=0), {"a": value}) == expected


def test_an_argument_that_is_not_there_breaks_nothing() -> None:
    assert outcome(Constraint("/a/b/*", maximum=1), {}) == HOLDS
    assert outcome(Constraint("/a/b/*", maximum=1), {"a": {}}) == HOLDS
    assert outcome(Constraint("/a/b/*", maximum=1), {"a": {"b": []}}) == HOLDS


@pytest.mark.parametrize("arguments", [{"a": "text"}, {"a": 7}, {"a": None}, {"a": [1]}, {"a": {"b": 5}}])
def test_a_bound_below_a_value_of_another_kind_cannot_be_checked(arguments: dict[str, Any]) -> None:
    assert outcome(Constraint("/a/b/c", maximum=1), arguments) == UNCHECKABLE


@pytest.mark.parametrize(
    ("value", "expected"), [("x", HOLDS), ("X", BROKEN), (1, HOLDS), (1.0, HOLDS), (True, BROKEN), (["x"], BROKEN)]
)
def test_one_of_compares_exactly(value: object, expected: str) -> None:
    assert outcome(Constraint("/a", one_of=("x", 1)), {"a": value}) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("[a-z]+", "abc", HOLDS),
        ("[a-z]+", "abc\n", BROKEN),
        ("[a-z]+", "1abc", BROKEN),
        ("a|b", "ab", BROKEN),
        ("a|b", "b", HOLDS),
        ("a)|(?:.*", "anything", UNCHECKABLE),
        ("(", "a", UNCHECKABLE),
        ("(?=a)a", "a", UNCHECKABLE),
        ("a", 7, UNCHECKABLE),
    ],
)
def test_a_pattern_must_match_the_whole_text(pattern: str, text: object, expected: str) -> None:
    assert outcome(Constraint("/a", pattern=pattern), {"a": text}) == expected


def test_a_hostile_pattern_takes_no_longer_than_an_honest_one() -> None:
    started = time.process_time()
    assert outcome(Constraint("/a", pattern="(a+)+$"), {"a": "a" * 100_000 + "!"}) == BROKEN
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anna@example.com", HOLDS),
        ("anna@mail.Example.COM", HOLDS),
        ("anna@example.com.", HOLDS),
        ("anna@example.com.evil.net", BROKEN),
        ("anna@notexample.com", BROKEN),
        ("anna@evil.net,ben@example.com", BROKEN),
        ("anna@evil.net ben@example.com", BROKEN),
        ("a@evil.net@example.com", BROKEN),
        ("Anna <anna@example.com>", BROKEN),
        ("https://example.com/path", HOLDS),
        ("https://example.com:8443/", HOLDS),
        ("https://example.com@evil.net/", BROKEN),
        ("https://evil.net\\@example.com/", BROKEN),
        ("https://evil.net/example.com", BROKEN),
        ("https://еxample.com/", BROKEN),
        ("example.com", BROKEN),
        ("", BROKEN),
        (7, UNCHECKABLE),
    ],
)
def test_a_domain_is_that_of_the_one_host_that_every_reader_sees(text: object, expected: str) -> None:
    assert outcome(Constraint("/a", domains=("example.com",)), {"a": text}) == expected


def test_a_pointer_that_is_none_denies() -> None:
    assert outcome(Constraint("a", maximum=1), {"a": 5}) == UNCHECKABLE


def test_numbers_are_compared_by_value_and_never_with_flags() -> None:
    assert same(1, 1.0)
    assert not same(1, True)  # noqa: FBT003 - the point of the test
    assert not same("1", 1)
