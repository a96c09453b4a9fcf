"""Write arguments as OpenAPI wants them on the wire: paths, queries, headers, cookies and form bodies."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from interlock.domain.canonical import Json, JsonObject

_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}
_LONGEST_HEADER = 8_192

Pairs = tuple[tuple[str, str], ...]


class NotEncodable(ValueError):
    """A value cannot be written in its place; the message names the place and never the value."""


def pairs(name: str, value: Json, wire: JsonObject) -> Pairs:
    """Return `value` as name-value pairs for a query or a form body, in the style that `wire` states.

    Nested objects and lists that no style covers are written in brackets (`a[b][0]=x`), as Stripe and PHP read them.
    """
    if "media_type" in wire or "json" in str(wire.get("contentType", "")):
        return ((name, json.dumps(value, ensure_ascii=False, separators=(",", ":"))),)
    style = wire.get("style", "form")
    explode = wire.get("explode", style in {"form", "deepObject"})
    if isinstance(value, Mapping):
        if style == "deepObject" or _nested(value.values()):
            return tuple(_bracketed(name, value))
        if explode:
            return tuple((key, text(inner)) for key, inner in value.items())
        return ((name, _SEPARATORS.get(style, ",").join(f"{key},{text(inner)}" for key, inner in value.items())),)
    if _is_list(value):
        if style == "deepObject" or _nested(value):
            return tuple(_bracketed(name, value))
        if explode:
            return tuple((name, text(inner)) for inner in value)
        return ((name, _SEPARATORS.get(style, ",").join(text(inner) for inner in value)),)
    return ((name, text(value)),)


def path_segment(name: str, value: Json, wire: JsonObject) -> str:
    """Return `value` as a piece of a path, with everything escaped that could lead to another path.

    Raises NotEncodable for what is empty, null, or `.` and `..`, which climb.
    """
    style, explode = wire.get("style", "simple"), bool(wire.get("explode", False))
    plain = _joined(value, explode=explode, between="." if style == "label" and explode else ",")
    if plain in {"", ".", ".."}:
        raise NotEncodable(f"the argument '{name}' cannot stand in a path")
    escaped = quote(plain, safe="," if _is_list(value) or isinstance(value, Mapping) else "")
    if style == "label":
        return f".{escaped}"
    return f";{quote(name, safe='')}={escaped}" if style == "matrix" else escaped


def header(name: str, value: Json, wire: JsonObject) -> str:
    """Return `value` as a header, or raise NotEncodable for characters that a header cannot hold."""
    line = json.dumps(value) if "media_type" in wire else _joined(value, explode=bool(wire.get("explode", False)))
    if len(line) > _LONGEST_HEADER or not (line.isascii() and line.isprintable()):
        raise NotEncodable(f"the argument '{name}' cannot stand in a header")
    return line


def cookie(name: str, value: Json, wire: JsonObject) -> str:
    """Return `value` as one cookie, or raise NotEncodable for characters that a cookie cannot hold."""
    plain = header(name, value, {**wire, "explode": False})
    return f"{name}={quote(plain, safe='')}"


def text(value: Json) -> str:
    """Return a single value as text: lower-case booleans, the shortest exact number, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bracketed(name: str, value: Json) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    pending: list[tuple[str, Json]] = [(name, value)]
    while pending:
        place, inner = pending.pop()
        if isinstance(inner, Mapping) and inner:
            pending.extend(reversed([(f"{place}[{key}]", deeper) for key, deeper in inner.items()]))
        elif _is_list(inner) and inner:
            pending.extend(reversed([(f"{place}[{index}]", deeper) for index, deeper in enumerate(inner)]))
        else:
            # An empty object or list is an empty text, which is how these APIs are told to clear a field.
            found.append((place, "" if inner is None or inner == {} or inner == [] else text(inner)))
    return found


def _joined(value: Json, *, explode: bool, between: str = ",") -> str:
    if isinstance(value, Mapping):
        within = "=" if explode else ","
        return between.join(f"{key}{within}{text(inner)}" for key, inner in value.items())
    return between.join(text(inner) for inner in value) if _is_list(value) else text(value)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _nested(values: object) -> bool:
    return isinstance(values, Sequence | type({}.values())) and any(
        isinstance(inner, Mapping) or _is_list(inner) for inner in values
    )
