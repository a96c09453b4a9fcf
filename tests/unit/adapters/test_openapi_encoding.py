"""What is written on the wire reads back as what was meant."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from interlock.adapters.openapi.encoding import NotEncodable, header, pairs, path_segment, text

DEEP = {"style": "deepObject", "explode": True}
NAMES = st.text(alphabet="abc &=%+é", min_size=1, max_size=4)
LEAVES = st.text(alphabet="xyz &=%+[]é☃", max_size=5) | st.integers(-(10**9), 10**9).map(str)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=10,
)


def read_brackets(written: str) -> Any:
    """Read a form in brackets the way that Rack and PHP do."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(written, keep_blank_values=True):
        head, *rest = name.replace("]", "").split("[")
        place, steps = root, [head, *rest]
        for step in steps[:-1]:
            place = place.setdefault(step, {})
        place[steps[-1]] = value
    return root


def as_mappings(value: Any) -> Any:
    if isinstance(value, list):
        return {str(index): as_mappings(inner) for index, inner in enumerate(value)}
    return {key: as_mappings(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@given(st.dictionaries(NAMES, TREES, min_size=1, max_size=3))
def test_a_form_in_brackets_reads_back_as_it_was(document: dict[str, Any]) -> None:
    written = urlencode([pair for name, value in document.items() for pair in pairs(name, value, DEEP)])
    assert read_brackets(written) == as_mappings(document)


@given(st.lists(LEAVES, min_size=1, max_size=4))
def test_an_exploded_list_repeats_its_name(values: list[str]) -> None:
    written = urlencode(pairs("a", values, {"style": "form", "explode": True}))
    assert parse_qsl(written, keep_blank_values=True) == [("a", value) for value in values]


@pytest.mark.parametrize(
    ("value", "wire", "expected"),
    [
        (["a", "b"], {"style": "form", "explode": False}, (("n", "a,b"),)),
        (["a", "b"], {"style": "spaceDelimited", "explode": False}, (("n", "a b"),)),
        (["a", "b"], {"style": "pipeDelimited", "explode": False}, (("n", "a|b"),)),
        ({"x": 1, "y": True}, {"style": "form", "explode": True}, (("x", "1"), ("y", "true"))),
        ({"x": 1, "y": True}, {"style": "form", "explode": False}, (("n", "x,1,y,true"),)),
        ({"gte": 5}, DEEP, (("n[gte]", "5"),)),
        ({"a": {"b": [1]}}, {"style": "form"}, (("n[a][b][0]", "1"),)),
        ({}, DEEP, (("n", ""),)),
        (None, DEEP, (("n", ""),)),
        ({"a": [1]}, {"media_type": "application/json"}, (("n", '{"a":[1]}'),)),
    ],
)
def test_each_style_is_written_as_openapi_says(value: Any, wire: Any, expected: Any) -> None:
    assert pairs("n", value, wire) == expected


@pytest.mark.parametrize(
    ("value", "written"),
    [(1.0, "1"), (49.1, "49.1"), (True, "true"), (None, ""), (10**20, str(10**20)), (-0.5, "-0.5")],
)
def test_numbers_are_written_exactly(value: Any, written: str) -> None:
    assert text(value) == written


@given(st.text(min_size=1, max_size=12))
def test_a_path_segment_stays_one_segment(value: str) -> None:
    try:
        segment = path_segment("id", value, {"style": "simple"})
    except NotEncodable:
        assert value in {".", ".."}
        return
    except UnicodeEncodeError:
        assert any("\ud800" <= char <= "\udfff" for char in value)
        return
    assert unquote(segment) == value
    url = URL(f"https://a.example/x/{segment}/y", encoded=True)
    assert (url.host, len(url.raw_parts), url.raw_query_string, url.raw_fragment) == ("a.example", 4, "", "")


def test_lists_labels_and_matrices_stand_in_paths() -> None:
    assert path_segment("n", ["a", "b/c"], {}) == "a,b%2Fc"
    assert path_segment("n", "a", {"style": "label"}) == ".a"
    assert path_segment("n", "a", {"style": "matrix"}) == ";n=a"


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: 1", "\x00", "é", "x" * 9_000])
def test_a_header_cannot_be_broken(value: str) -> None:
    with pytest.raises(NotEncodable):
        header("X", value, {})
