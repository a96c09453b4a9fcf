"""Which fields a tool's input schema has, and of what kinds: what conditions are held against when they are published."""

import difflib
from collections.abc import Iterator
from typing import Any

from interlock.domain.canonical import JsonObject

_DEEPEST = 16
"""How many references are followed from one place."""


def unknown_step(schema: JsonObject, path: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the first step of `path` that `schema` does not have, with the nearest name that it has (or "").

    None when the path may exist. A schema that does not list its properties has every one.
    """
    places = [schema]
    for step in path:
        expanded = [part for place in places for part in _parts(schema, place)]
        following = [inner for part in expanded for inner in _below(part, step)]
        if following:
            places = following
            continue
        names = sorted({name for part in expanded for name in part.get("properties", {})})
        if not names and not any(_is_scalar(part) for part in expanded):
            return None
        return step, next(iter(difflib.get_close_matches(step, names, n=1, cutoff=0.5)), "")
    return None


def is_required(schema: JsonObject, path: tuple[str, ...]) -> bool:
    """Return whether every document that satisfies `schema` has a value at `path`."""
    place: JsonObject = schema
    for step in path:
        parts = list(_parts(schema, place, every=True))
        if step == "*" or not any(step in part.get("required", ()) for part in parts):
            return False
        place = next((inner for part in parts for inner in _below(part, step)), {})
    return True


def kinds(schema: JsonObject, path: tuple[str, ...]) -> frozenset[str]:
    """Return the JSON Schema types that the value at `path` may have; empty when the schema does not say."""
    places = [schema]
    for step in path:
        places = [inner for place in places for part in _parts(schema, place) for inner in _below(part, step)]
    found: set[str] = set()
    for place in places:
        for part in _parts(schema, place):
            said = part.get("type", ())
            found.update((said,) if isinstance(said, str) else said)
    return frozenset(found)


def property_schema(schema: JsonObject, name: str) -> JsonObject | None:
    """Return the schema of one property with its reference followed, or None where there is none or more than one."""
    found = [inner for part in _parts(schema, schema) for inner in _below(part, name)]
    if len(found) != 1 or not isinstance(found[0], dict):
        return None
    return resolved(schema, found[0])


def resolved(root: JsonObject, place: JsonObject) -> JsonObject:
    """Return `place`, or what its local reference stands for."""
    for _ in range(_DEEPEST):
        target = place.get("$ref")
        if not isinstance(target, str) or not target.startswith("#"):
            return place
        found: Any = root
        for step in target[1:].split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            return {}
        place = found
    return {}


def _parts(root: JsonObject, place: JsonObject, *, every: bool = False) -> Iterator[JsonObject]:
    """Yield `place` and what it combines; with `every`, only what holds for every document."""
    # Schemas come from outside and may refer to themselves: each place is visited once.
    seen: set[int] = set()
    waiting: list[Any] = [place]
    while waiting:
        candidate = waiting.pop()
        if not isinstance(candidate, dict):
            continue
        part = resolved(root, candidate)
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        for word in ("allOf",) if every else ("allOf", "anyOf", "oneOf"):
            waiting.extend(part.get(word, ()))


def _below(part: JsonObject, step: str) -> list[Any]:
    if step == "*":
        inner = [part[word] for word in ("items", "additionalProperties") if isinstance(part.get(word), dict)]
        return [*inner, *part.get("prefixItems", ()), *part.get("properties", {}).values()]
    properties = part.get("properties", {})
    if step in properties:
        return [properties[step] if isinstance(properties[step], dict) else {}]
    open_ended = part.get("additionalProperties")
    if isinstance(open_ended, dict):
        return [open_ended]
    return [{}] if part.get("patternProperties") else []


def _is_scalar(part: JsonObject) -> bool:
    said = part.get("type", ())
    types = {said} if isinstance(said, str) else set(said)
    return bool(types) and not types & {"object", "array"}
