"""Bounds on single arguments: of the contract, of the agent, and those that travel with the call. All must hold."""

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from interlock.domain import pointers
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Constraint
from interlock.domain.errors import PolicyError

_REGEX_BYTES = 1 << 20
"""How large a compiled pattern may grow; a pattern can travel with a call."""


def breach(constraint: Constraint, arguments: JsonObject) -> str | None:
    """Return a sentence that says how `arguments` break `constraint`, or None when it holds.

    An argument that is not there breaks nothing. Raises PolicyError when a value is of a kind that cannot be compared.
    """
    for path, value in _values_at(arguments, constraint.pointer):
        said = _breach_of_value(constraint, path, value)
        if said is not None:
            return said
    return None


def _values_at(document: Json, pointer: str) -> list[tuple[str, Json]]:
    # Unlike pointers.resolve, which leaves out what has no parts: a bound that cannot be checked must not hold.
    found: list[tuple[str, Json]] = [("", document)]
    for key in pointers.parse(pointer):
        found = [pair for path, value in found for pair in _children(path, value, key)]
    return found


def _children(path: str, value: Json, key: str) -> list[tuple[str, Json]]:
    if isinstance(value, dict) and key != pointers.WILDCARD:
        return [(path + pointers.build((key,)), value[key])] if key in value else []
    if not isinstance(value, Mapping | list | tuple):
        raise PolicyError(f"The bound below {path} cannot be checked", why="the value there has no parts")
    found = pointers.resolve(value, pointers.build((key,)))
    if not found and key != pointers.WILDCARD and not isinstance(value, Mapping):
        raise PolicyError(f"The bound below {path} cannot be checked", why="the value there is a list")
    return [(path + below, inner) for below, inner in found]


def _breach_of_value(constraint: Constraint, path: str, value: Json) -> str | None:
    if constraint.maximum is not None and _number(path, value) > constraint.maximum:
        return f"{path} is {value}, more than the {_whose(constraint)} maximum of {_plain(constraint.maximum)}"
    if constraint.minimum is not None and _number(path, value) < constraint.minimum:
        return f"{path} is {value}, less than the {_whose(constraint)} minimum of {_plain(constraint.minimum)}"
    if constraint.one_of is not None and not any(same(value, choice) for choice in constraint.one_of):
        return f"{path} is none of the {_whose(constraint)} allowed values"
    if constraint.pattern is not None and not _matches(constraint.pattern, _text(path, value)):
        return f"{path} does not have the {_whose(constraint)} required form"
    if constraint.domains is not None and not _within(_text(path, value), constraint.domains):
        return f"{path} belongs to no domain on the {_whose(constraint)} list"
    return None


def same(one: Json, other: Json) -> bool:
    """Return whether two scalars are the same JSON value: 1 is 1.0, and neither is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    return type(one) is type(other) and bool(one == other)


def _number(path: str, value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PolicyError(f"The bound on {path} cannot be checked", why="the value is not a number")
    return value


def _text(path: str, value: Json) -> str:
    if not isinstance(value, str):
        raise PolicyError(f"The bound on {path} cannot be checked", why="the value is not text")
    return value


def _matches(pattern: str, text: str) -> bool:
    # Rust's regular expressions: linear time on any text, and `\z` is the very end, not before a last newline.
    # The pattern must also stand alone, so that it cannot close the group that anchors it.
    schema: dict[str, Any] = {"anyOf": [{"pattern": rf"\A(?:{pattern})\z"}, {"allOf": [False, {"pattern": pattern}]}]}
    linear = jsonschema_rs.RegexOptions(size_limit=_REGEX_BYTES)
    try:
        return jsonschema_rs.is_valid(schema, text, pattern_options=linear)
    except (ValueError, jsonschema_rs.ValidationError):
        raise PolicyError("A bound's pattern is not a regular expression", do="Use RE2 syntax") from None


def _within(text: str, domains: tuple[str, ...]) -> bool:
    host = _host(text)
    return host is not None and any(host == name or host.endswith(f".{name}") for name in map(_bare, domains))


def _bare(domain: str) -> str:
    return domain.lower().strip(".")


def _host(text: str) -> str | None:
    """Return the one host that `text` points at, or None where two readers could see two."""
    if any(char.isspace() or ord(char) < 33 or char in "\\<>,;\"'" for char in text) or not text.isascii():
        return None
    if "://" in text:
        try:
            parts = urlsplit(text)
            host = parts.hostname
        except ValueError:
            return None
        return None if host is None or "@" in parts.netloc else _bare(host)
    if text.count("@") == 1 and "/" not in text:
        return _bare(text.rpartition("@")[2]) or None
    return None


def _whose(constraint: Constraint) -> str:
    return f"{constraint.source}'s"


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)
