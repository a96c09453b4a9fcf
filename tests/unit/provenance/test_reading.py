"""Structure is read from what tools print, and never guessed."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from interlock.provenance.reading import UNSTRUCTURED, read

_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n '\":-#{}[]\\"), max_size=60
)
_LEAF = _TEXT | st.integers(-(10**9), 10**9) | st.booleans() | st.none()
_NAMES = st.sampled_from(["id", "name", "body", "shared with", "x_1", "a.b@c.de", "13"])
_RECORD = st.dictionaries(
    _NAMES, _LEAF | st.lists(_LEAF, max_size=3) | st.dictionaries(_NAMES, _LEAF, max_size=2), min_size=1
)


def _dump(value: object) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()


def _texts(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _texts(inner) for key, inner in value.items()}
    return [_texts(inner) for inner in value] if isinstance(value, list) else str(value)


@given(st.lists(_RECORD, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_block_yaml_is_read_as_it_was_written_or_not_at_all(records: list[dict[str, object]]) -> None:
    found = read(_dump(records))
    if found is not UNSTRUCTURED:
        assert _texts(found) == _texts(records)


@given(
    st.recursive(
        _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=8
    )
)
@settings(deadline=None)
def test_json_is_read_as_it_was_written(value: object) -> None:
    if isinstance(value, dict | list):
        assert read(json.dumps(value)) == value


def test_python_literals_are_read() -> None:
    text = "{'message': 'It\\'s \"done\"', 'ok': True, 'n': None, 'sum': -1.5, 'rows': [(1, 2), {}]}"
    expected = {"message": 'It\'s "done"', "ok": True, "n": None, "sum": -1.5, "rows": [[1, 2], {}]}
    assert read(text) == expected


def test_folded_and_quoted_text_is_read() -> None:
    text = "- body: \"one\\\n    \\ two\\n three\"\n  note: 'it''s\n\n    fine'\n  plain: a\n    b\n"
    assert read(text) == [{"body": "one two\n three", "note": "it's\nfine", "plain": "a b"}]


@pytest.mark.parametrize(
    "text",
    [
        "", "just words", "a: b: c", "a: 1\na: 2", "a: &x 1", "a: !!python/object x", "a: |\n  b", "- a\nb: c",
        "{'a': __import__('os')}", "{'a': 1, 'a': 2}", "[1, 2", "{" * 5000, "[" * 5000, "a: 'b' c", "- " * 500,
    ],
)  # fmt: skip
def test_what_is_outside_the_subset_has_no_structure(text: str) -> None:
    assert read(text) is UNSTRUCTURED
