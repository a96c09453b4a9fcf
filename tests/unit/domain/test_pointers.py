"""Pointers name the places that they should, and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import ConfigurationError
from interlock.domain.pointers import build, covers, parse, resolve

KEYS = st.text(alphabet="ab/~*0", max_size=3)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def places(document: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    found: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, inner in pairs:
        found.extend(((key, *path), value) for path, value in places(inner))
    return found


@given(DOCUMENTS)
def test_every_place_is_found_by_its_own_pointer(document: Any) -> None:
    for path, value in places(document):
        if "*" not in path:
            assert resolve(document, build(path)) == ((build(path), value),)


@given(DOCUMENTS, st.integers(0, 4))
def test_stars_find_everything_at_their_depth_and_nothing_else(document: Any, depth: int) -> None:
    expected = {build(path) for path, _ in places(document) if len(path) == depth}
    found = resolve(document, "/*" * depth)
    assert {pointer for pointer, _ in found} == expected
    assert len(found) == len(expected)


@given(st.lists(KEYS, max_size=4))
def test_steps_survive_writing_and_reading(steps: list[str]) -> None:
    assert parse(build(steps)) == tuple(steps)


@given(st.text(max_size=8))
def test_a_text_is_a_pointer_or_a_configuration_error(text: str) -> None:
    try:
        steps = parse(text)
    except ConfigurationError:
        assert text[:1] != "/" or "~" in text
    else:
        assert build(steps) == text


def test_an_absent_place_is_left_out() -> None:
    document = {"to": ["a", "b"], "amount": 3}
    assert resolve(document, "/cc/*") == ()
    assert resolve(document, "/to/2") == ()
    assert resolve(document, "/amount/x") == ()


@pytest.mark.parametrize("step", ["-1", "01", "+1", "٣", "1" * 40, ""])
def test_an_odd_index_names_nothing(step: str) -> None:
    assert resolve([1, 2, 3, 4], f"/{step}") == ()


def test_a_pattern_covers_what_lies_below_it() -> None:
    assert covers("/a/*", "/a/0/b")
    assert covers("", "/a")
    assert not covers("/a/*/b", "/a/0")
    assert not covers("/a", "/ab")
