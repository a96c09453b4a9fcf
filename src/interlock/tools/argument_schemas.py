"""The schema that arguments are held to: the upstream's, closed against arguments that it does not name."""

from collections.abc import Mapping

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError

_COMPOSED = ("allOf", "anyOf", "oneOf", "$ref", "if", "dependentSchemas")


def effective_schema(schema: JsonObject, hidden: str | None = None) -> JsonObject:
    """Return `schema` such that unknown arguments are refused, and without the argument `hidden`, which the gate sets.

    A schema that says in so many words what becomes of further arguments (`additionalProperties`,
    `unevaluatedProperties`) keeps its word; silence means no. Objects inside the arguments stay as they are declared.
    Raises ConfigurationError when the schema is not one of an object.
    """
    if schema.get("type", "object") != "object":
        raise ConfigurationError(
            "A tool's arguments are not an object", why=f"the schema says type {schema['type']!r}"[:200]
        )
    closed: dict[str, Json] = {"type": "object", **schema}
    if hidden is not None:
        closed["properties"] = {
            name: inner for name, inner in _mapping(schema.get("properties")).items() if name != hidden
        }
        closed["required"] = [name for name in schema.get("required", ()) if name != hidden]
    if "additionalProperties" not in schema and "unevaluatedProperties" not in schema:
        composed = any(keyword in schema for keyword in _COMPOSED)
        closed["unevaluatedProperties" if composed else "additionalProperties"] = False
    return closed


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
