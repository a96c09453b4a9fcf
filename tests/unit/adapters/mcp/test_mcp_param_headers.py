"""Arguments repeated in headers: held to what the official SDK sends and accepts."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import encode_header_value, mcp_param_headers, validate_mcp_param_headers, x_mcp_header_map

from interlock.adapters.mcp.param_headers import header_value, mirrored, mirrors_of

texts = st.text(st.characters(codec="utf-8"), max_size=30)
values = texts | st.integers(-(2**53), 2**53) | st.booleans() | st.none()

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "x-mcp-header": "Alpha"},
        "b": {"type": "integer", "x-mcp-header": "Beta"},
        "c": {"type": "object", "properties": {"d": {"type": "boolean", "x-mcp-header": "Delta"}}},
        "e": {"type": "string"},
    },
}


@given(texts)
def test_a_header_value_is_written_as_the_sdk_writes_it(text: str) -> None:
    assert header_value(text) == encode_header_value(text)


@given(st.fixed_dictionaries({}, optional={"a": texts, "b": st.integers(), "c": st.fixed_dictionaries({"d": values})}))
def test_the_headers_are_those_that_the_sdk_sends_and_its_server_accepts(arguments: dict[str, Any]) -> None:
    headers = mirrored(mirrors_of(SCHEMA), arguments)
    assert headers == mcp_param_headers(x_mcp_header_map(SCHEMA), arguments)
    assert validate_mcp_param_headers(SCHEMA, arguments, headers) is None


def test_an_annotation_where_none_may_stand_is_left_out() -> None:
    wrong = {
        "type": "object",
        "properties": {"a": {"type": "number", "x-mcp-header": "A"}, "b": {"x-mcp-header": "B c"}},
    }
    assert mirrors_of(wrong) == ()
