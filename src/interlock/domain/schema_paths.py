"""Which values a JSON Schema speaks of: the place in a schema that a pointer into its documents leads to."""

from collections.abc import Iterator, Mapping

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.pointers import WILDCARD, build, parse, resolve

_BRANCHES = ("allOf", "anyOf", "oneOf")
_STRUCTURE = ("properties", "items", "prefixItems", "additionalProperties")
_MOST = 200
"""Subschemas looked at per step; more means a schema that refers to itself without end."""


def subschemas(schema: JsonObject, pattern: str) -> tuple[JsonObject, ...]:
    """Return what `schema` says of the places that `pattern` names; empty when it speaks of no such place.

    References within the document are followed, and every branch of allOf, anyOf and oneOf counts.
    """
    found = list(_unfold(schema, schema))
    for step in parse(pattern):
        found = [deeper for part in found for inner in _step(part, step) for deeper in _unfold(schema, inner)][:_MOST]
    return tuple(found)


def speaks_of(schema: JsonObject, pattern: str) -> bool:
    """Return whether documents of `schema` can hold something at `pattern`, as far as the schema says.

    Below an argument that the schema leaves open, everything may stand; at the top only what it names.
    """
    steps = parse(pattern)
    for depth in range(1, len(steps) + 1):
        if subschemas(schema, build(steps[:depth])):
            continue
        parts = subschemas(schema, build(steps[: depth - 1]))
        left_open = any(part.get("additionalProperties") is True for part in parts)
        return depth > 1 and (left_open or not any(keyword in part for part in parts for keyword in _STRUCTURE))
    return True


def property_names(schema: JsonObject, pattern: str = "") -> tuple[str, ...]:
    """Return the names of the properties that `schema` declares for the objects at `pattern`, in order."""
    names: dict[str, None] = {}
    for part in subschemas(schema, pattern):
        names.update(dict.fromkeys(_mapping(part.get("properties"))))
    return tuple(names)


def types(schema: JsonObject, pattern: str) -> frozenset[str]:
    """Return the JSON types that `schema` names for the values at `pattern`; empty when it names none."""
    named: set[str] = set()
    for part in subschemas(schema, pattern):
        kind = part.get("type")
        named.update([kind] if isinstance(kind, str) else kind if isinstance(kind, list) else [])
    return frozenset(named)


def _unfold(root: JsonObject, schema: Json) -> Iterator[JsonObject]:
    pending, seen = [schema], 0
    while pending and seen < _MOST:
        part = pending.pop()
        seen += 1
        if not isinstance(part, Mapping):
            continue
        yield part
        for keyword in _BRANCHES:
            branches = part.get(keyword)
            pending.extend(branches if isinstance(branches, list) else ())
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            pending.extend(target for _, target in resolve(root, reference[1:]))


def _step(part: JsonObject, step: str) -> Iterator[Json]:
    properties = _mapping(part.get("properties"))
    if step == WILDCARD:
        yield from properties.values()
    elif step in properties:
        yield properties[step]
    if step not in properties and isinstance(part.get("additionalProperties"), Mapping):
        yield part["additionalProperties"]
    if (step == WILDCARD or step.isdigit()) and isinstance(part.get("items"), Mapping):
        yield part["items"]


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
