"""Translate the schemas of OpenAPI 2.0, 3.0 and 3.1 to JSON Schema 2020-12, each definition once."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import count

from interlock.adapters.openapi.document import Document
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError

_ONE = ("not", "additionalProperties", "if", "then", "else", "contains", "propertyNames")
_ONE_31 = ("unevaluatedProperties", "unevaluatedItems")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_BY_NAME = ("patternProperties", "dependentSchemas")
_AS_IS = [
    "format",
    "pattern",
    "const",
    "default",
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "dependentRequired",
    "maxContains",
    "minContains",
    "contentEncoding",
    "contentMediaType",
]
_WORDS = ("title", "description")
_NAME = re.compile(r"[^A-Za-z0-9._-]")
_COMMON = re.compile(r"#/(?:components/schemas|definitions)/([^/]+)")


class Direction(StrEnum):
    """Which way a value travels: read-only properties are never sent, write-only ones never come."""

    REQUEST = "request"
    RESPONSE = "response"


class Definitions:
    """The definitions of one document, translated for one direction, at most once each and shared by all contracts."""

    def __init__(self, document: Document, direction: Direction) -> None:
        self._document = document
        self._direction = direction
        self._names: dict[str, str] = {}
        self._schemas: dict[str, JsonObject | bool] = {}
        self._uses: dict[str, frozenset[str]] = {}

    def translate(self, schema: Json) -> JsonObject | bool:
        """Return `schema` in 2020-12; its references lead into `$defs`, which `complete` adds.

        Raises ConfigurationError for references that cannot be followed and for schemas that are nested too deeply.
        """
        try:
            return self._translate(schema)
        except RecursionError:
            raise ConfigurationError(f"{self._document.source}: a schema is nested too deeply") from None

    def complete(self, schema: JsonObject) -> JsonObject:
        """Return `schema` with the definitions that it leads to; the definitions themselves are shared, not copied."""
        names: set[str] = set()
        pending = list(_references(schema))
        while pending:
            name = pending.pop()
            if name not in names:
                names.add(name)
                pending.extend(self._uses[name])
        if not names:
            return schema
        return {**schema, "$defs": {name: self._schemas[name] for name in sorted(names)}}

    def _reference(self, reference: str) -> str:
        known = self._names.get(reference)
        if known is None:
            common = _COMMON.fullmatch(reference)
            wanted = _NAME.sub("_", common[1] if common else reference.lstrip("#/"))
            known = next(name for name in _numbered(wanted) if name not in self._schemas)
            # The name is taken before the schema is translated, so that a cycle comes back to it.
            self._names[reference] = known
            self._schemas[known] = True
            self._schemas[known] = self._translate(self._document.target(reference))
            self._uses[known] = frozenset(_references(self._schemas[known]))
        return f"#/$defs/{known}"

    def _translate(self, schema: Json) -> JsonObject | bool:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise ConfigurationError(f"{self._document.source}: a schema is not an object")
        reference = schema.get("$ref")
        if isinstance(reference, str):
            plain: dict[str, Json] = {"$ref": self._reference(reference)}
            if self._document.version == "3.1":
                plain |= self._keywords({key: value for key, value in schema.items() if key != "$ref"})
        else:
            plain = self._keywords(schema)
        return _nullable(plain) if self._may_be_null(schema) else plain

    def _may_be_null(self, schema: JsonObject) -> bool:
        return self._document.version != "3.1" and True in (schema.get("nullable"), schema.get("x-nullable"))

    def _keywords(self, schema: JsonObject) -> dict[str, Json]:
        result = {key: schema[key] for key in _AS_IS if key in schema}
        if self._direction is Direction.REQUEST:
            result |= {key: schema[key] for key in _WORDS if isinstance(schema.get(key), str)}
        result |= _type(schema.get("type"), schema.get("format"))
        if isinstance(schema.get("enum"), list):
            result["enum"] = list(schema["enum"])
        for key in (*_ONE, *_ONE_31):
            if key in schema:
                result[key] = self._translate(schema[key])
        for key in _MANY:
            if isinstance(schema.get(key), list) and schema[key]:
                result[key] = [self._translate(inner) for inner in schema[key]]
        for key in _BY_NAME:
            if isinstance(schema.get(key), Mapping):
                result[key] = {name: self._translate(inner) for name, inner in schema[key].items()}
        return result | self._items(schema) | self._properties(schema) | _bounds(schema)

    def _items(self, schema: JsonObject) -> dict[str, Json]:
        items = schema.get("items")
        if isinstance(items, list):
            return {"prefixItems": [self._translate(inner) for inner in items]} if items else {}
        return {} if items is None else {"items": self._translate(items)}

    def _properties(self, schema: JsonObject) -> dict[str, Json]:
        properties = schema.get("properties")
        required = schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        result: dict[str, Json] = {}
        if isinstance(properties, Mapping):
            one_way = "readOnly" if self._direction is Direction.REQUEST else "writeOnly"
            absent = {
                name for name, inner in properties.items() if isinstance(inner, Mapping) and inner.get(one_way) is True
            }
            result["properties"] = {
                name: self._translate(inner) for name, inner in properties.items() if name not in absent
            }
            names = [name for name in names if name not in absent]
        return result | ({"required": names} if names else {})


def _type(kind: Json, form: Json) -> dict[str, Json]:
    if kind == "file" or (kind == "string" and form == "binary"):
        return {"type": "string", "contentEncoding": "base64"}
    return {} if kind is None else {"type": kind}


def _bounds(schema: JsonObject) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for exclusive, inclusive in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
        value = schema.get(exclusive)
        if value is True and inclusive in schema:
            # The inclusive bound stays; beside the exclusive one of the same value it changes nothing.
            result[exclusive] = schema[inclusive]
        elif value is not None and not isinstance(value, bool):
            result[exclusive] = value
    return result


def _nullable(schema: dict[str, Json]) -> dict[str, Json]:
    kind = schema.get("type")
    if not isinstance(kind, str) or "$ref" in schema or any(key in schema for key in (*_MANY, "not", "const")):
        return {"anyOf": [schema, {"type": "null"}]}
    result = {**schema, "type": [kind, "null"]}
    if "enum" in schema and None not in schema["enum"]:
        result["enum"] = [*schema["enum"], None]
    return result


def _references(schema: Json) -> set[str]:
    found: set[str] = set()
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            reference = part.get("$ref")
            if isinstance(reference, str):
                found.add(reference.removeprefix("#/$defs/"))
            pending.extend(value for key, value in part.items() if key not in {"enum", "const", "default"})
        elif isinstance(part, list):
            pending.extend(part)
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))
