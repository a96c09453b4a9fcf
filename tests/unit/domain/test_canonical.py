"""One byte string per JSON value, and nothing that two readers could read differently."""

import json
import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.canonical import MAX_DEPTH, canonical_json, check_json, commitment, digest, parse_json
from interlock.domain.errors import BadInput, MalformedJson, TooLarge

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_the_quick_way_and_the_library_write_the_same_bytes(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("edge", [1e-7, 1e-6, 1e-4, 1.0, 2.5, 1e15, 1e16, 1e17, 1e21, 1e22])
def test_fractions_are_written_as_ecmascript_writes_them(edge: float) -> None:
    around = [edge, -edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf)]
    assert canonical_json(around) == rfc8785.dumps(around)
    assert all(canonical_json(number) == rfc8785.dumps(number) for number in around)


@given(VALUES)
def test_the_order_of_keys_and_the_spelling_of_the_text_do_not_matter(value: object) -> None:
    spelt = json.dumps(value, indent=3)
    assert canonical_json(parse_json(spelt)) == canonical_json(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        '"\\ud800"',
        '"a\\u0000b"',
        "9007199254740993",
        "1e999",
        "{'a': 1}",
        "[1,]",
        "",
        "\ufeff1",
        '{"\\ud800": 1}',
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(MalformedJson):
        parse_json(text)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(BadInput):
        parse_json(b'"\xff\xfe"')


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_deep_values_are_refused_and_never_overflow(depth: int) -> None:
    with pytest.raises(TooLarge):
        parse_json("[" * depth + "]" * depth)


def test_a_value_as_deep_as_the_limit_passes() -> None:
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None


def test_a_text_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        parse_json("[" + " " * 100 + "]", max_bytes=50)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, {1: "a"}, b"bytes", {"a": object()}, "\ud800", "\x00"])
def test_values_from_inside_the_process_are_held_to_the_same_rules(value: object) -> None:
    with pytest.raises(MalformedJson):
        check_json(value)


def test_true_and_one_are_different_values() -> None:
    assert digest(True) != digest(1)  # noqa: FBT003 - the value under test


def test_a_commitment_depends_on_salt_and_payload() -> None:
    assert len({commitment(b"a", b"x"), commitment(b"b", b"x"), commitment(b"a", b"y")}) == 3
