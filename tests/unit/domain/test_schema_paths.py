"""A schema says which values it speaks of, through references, branches and open objects."""

from typing import Any

import pytest

from interlock.domain.schema_paths import property_names, speaks_of, subschemas, types

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "to": {"type": "array", "items": {"$ref": "#/$defs/Person"}},
        "free": {"type": "object"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "open": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
    },
    "allOf": [{"properties": {"extra": {"type": ["string", "null"]}}}],
    "$defs": {
        "Person": {"type": "object", "properties": {"mail": {"type": "string"}, "boss": {"$ref": "#/$defs/Person"}}},
        "Loop": {"$ref": "#/$defs/Loop"},
    },
}


@pytest.mark.parametrize(
    ("pointer", "known"),
    [
        ("", True),
        ("/amount", True),
        ("/extra", True),
        ("/to/*/mail", True),
        ("/to/0/boss/boss/mail", True),
        ("/to/*/male", False),
        ("/to/x/mail", False),
        ("/labels/any", True),
        ("/free/any/depth", True),
        ("/open/*/any/depth", True),
        ("/amont", False),
        ("/amount/x", True),
    ],
)
def test_a_pointer_is_known_when_documents_can_hold_something_there(pointer: str, known: bool) -> None:
    assert speaks_of(SCHEMA, pointer) is known


def test_names_and_types_are_found_through_branches() -> None:
    assert set(property_names(SCHEMA)) == {"amount", "to", "free", "labels", "open", "extra"}
    assert property_names(SCHEMA, "/to/*") == ("mail", "boss")
    assert types(SCHEMA, "/amount") == {"number", "null"}
    assert types(SCHEMA, "/extra") == {"string", "null"}


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/Loop", "$defs": SCHEMA["$defs"]}, {"$ref": "#"}, {"allOf": [3]}])
def test_a_schema_that_refers_to_itself_ends(schema: dict[str, Any]) -> None:
    assert subschemas(schema, "/a/b/c") == ()
