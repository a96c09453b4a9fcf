"""Whatever bytes come, a request is one JSON object or a refusal."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.canonical import MAX_DEPTH
from interlock.domain.errors import BadInput, TooLarge
from interlock.server.models.reading import MAX_VALUES, read_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_object_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(BadInput):
        assert isinstance(read_object(raw), dict)


@given(st.dictionaries(st.text(), VALUES))
def test_an_object_is_read_as_every_reader_reads_it(value: dict[str, object]) -> None:
    assert read_object(json.dumps(value).encode()) == value


@given(st.integers(1, MAX_DEPTH + 3), st.booleans())
def test_the_limit_of_depth_is_exact(depth: int, lists: bool) -> None:
    inner = (
        "[" * (depth - 1) + "]" * (depth - 1)
        if lists and depth > 1
        else '{"a":' * (depth - 1) + "1" + "}" * (depth - 1)
    )
    raw = f'{{"a":{inner}}}'.encode()
    if depth <= MAX_DEPTH:
        assert read_object(raw)
    else:
        with pytest.raises(TooLarge):
            read_object(raw)


def test_long_texts_are_no_matter_and_countless_values_are() -> None:
    assert read_object(b'{"a": "' + b"x," * 400_000 + b'"}')
    with pytest.raises(TooLarge):
        read_object(b'{"a": [' + b"1," * MAX_VALUES + b"1]}")


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(BadInput) as refused:
        read_object(b'{"key": "sk-secret", sk-secret}')
    assert "sk-secret" not in str(refused.value)
