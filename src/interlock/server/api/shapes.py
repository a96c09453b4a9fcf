"""What bodies, queries and answers look like: one dataclass each, read strictly and published as JSON Schema."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadInput

T = TypeVar("T")


def read(shape: type[T], value: Json) -> T:
    """Return `value`, a parsed JSON body, as `shape`. Raises BadInput, naming the key, for what does not fit."""
    if not isinstance(value, Mapping):
        raise BadInput("The body is not a JSON object", do=f"Send {_example(shape)}")
    return _filled(shape, value, _fitted)


def read_query(shape: type[T], pairs: Sequence[tuple[str, str]]) -> T:
    """Return the query of a URL as `shape`. Raises BadInput for unknown, repeated and unusable parameters."""
    given: dict[str, str] = {}
    for name, text in pairs:
        if name in given:
            raise BadInput(f"The parameter '{_short(name)}' stands twice in the query", do="Send it once")
        given[name] = text
    return _filled(shape, given, _from_text)


def schema_of(shape: type) -> JsonObject:
    """Return the JSON Schema of a dataclass."""
    hints = get_type_hints(shape, include_extras=True)
    properties = {one.name: _schema(hints[one.name]) for one in _fields(shape)}
    needed = [one.name for one in _fields(shape) if _required(one)]
    schema: dict[str, Json] = {
        "title": shape.__name__,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if needed:
        schema["required"] = needed
    if sentence := (shape.__doc__ or "").strip():
        schema["description"] = sentence.splitlines()[0]
    return schema


def _filled(shape: type[T], given: Mapping[str, Json], convert: Any) -> T:  # noqa: ANN401 - one of two functions below
    hints = get_type_hints(shape, include_extras=True)
    known = {one.name: one for one in _fields(shape)}
    for name in given:
        if name not in known:
            raise _unknown(name, tuple(known))
    values = {name: convert(hints[name], value, name) for name, value in given.items()}
    for name, one in known.items():
        if name not in values and _required(one):
            raise BadInput(f"'{name}' is missing", do=f"Send {_example(shape)}")
    return shape(**values)


def _unknown(name: str, known: tuple[str, ...]) -> BadInput:
    near = get_close_matches(name, known, n=1)
    if near:
        return BadInput(f"'{_short(name)}' is not known here", do=f"Did you mean '{near[0]}'?")
    listed = ", ".join(known) or "nothing at all"
    return BadInput(f"'{_short(name)}' is not known here", do=f"What may be sent: {listed}")


def _fitted(hint: Any, value: Json, name: str) -> Any:  # noqa: ANN401 - types are values here
    kind, options = _plain(hint)
    if value is None and type(None) in options:
        return None
    if kind is Any:
        return value
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadInput(f"'{name}' is not a list")
        return tuple(_fitted(get_args(kind)[0], item, f"{name}[{place}]") for place, item in enumerate(value))
    if get_origin(kind) in (Mapping, dict) or kind is Mapping:
        if not isinstance(value, dict):
            raise BadInput(f"'{name}' is not an object")
        inner = get_args(kind)[1] if get_args(kind) else Any
        return {key: _fitted(inner, item, f"{name}.{_short(key)}") for key, item in value.items()}
    if issubclass(kind, StrEnum):
        return _choice(kind, value, name)
    if type(value) is not kind:
        raise BadInput(f"'{name}' is not {_WORDS[kind]}")
    return value


def _from_text(hint: Any, text: str, name: str) -> Any:  # noqa: ANN401 - types are values here
    kind, _ = _plain(hint)
    if kind is int:
        if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
            raise BadInput(f"'{name}' is not a whole number")
        return int(text)
    return _fitted(kind, text, name)


def _choice(kind: type[StrEnum], value: Json, name: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        near = get_close_matches(str(value), list(kind), n=1)
        do = f"Did you mean '{near[0]}'?" if near else f"One of {', '.join(kind)}"
        raise BadInput(f"'{name}' is none of the words that may stand here", do=do) from None


def _schema(hint: Any) -> JsonObject:  # noqa: ANN401 - types are values here
    kind, options = _plain(hint)
    schema = dict(_schema_of_kind(kind))
    if type(None) in options:
        schema = {"anyOf": [schema, {"type": "null"}]} if schema else {}
    sentence = next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, str)), "")
    return {**schema, "description": sentence} if sentence else schema


def _schema_of_kind(kind: Any) -> JsonObject:  # noqa: ANN401 - types are values here
    if kind is Any:
        return {}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if get_origin(kind) in (Mapping, dict) or kind is Mapping:
        inner = _schema(get_args(kind)[1]) if get_args(kind) else {}
        return {"type": "object", "additionalProperties": inner} if inner else {"type": "object"}
    if is_dataclass(kind) and isinstance(kind, type):
        return schema_of(kind)
    if issubclass(kind, StrEnum):
        return {"type": "string", "enum": [member.value for member in kind]}
    return {"type": {str: "string", int: "integer", bool: "boolean", float: "number"}[kind]}


def _plain(hint: Any) -> tuple[Any, tuple[Any, ...]]:  # noqa: ANN401 - types are values here
    """Return a hint without notes and None, and everything that it permits."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        options = get_args(hint)
        (kind,) = (one for one in options if one is not type(None))
        return kind, options
    return getattr(hint, "__supertype__", hint), (hint,)


def _fields(shape: type) -> tuple[Field[Any], ...]:
    return fields(shape)


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _example(shape: type) -> str:
    needed = [f'"{one.name}": ...' for one in _fields(shape) if _required(one)]
    return "{" + ", ".join(needed) + "}"


def _short(name: str) -> str:
    shown = name if len(name) <= 40 else name[:40] + "..."
    return "".join(char if char.isprintable() else "?" for char in shown)


_DIGITS = 15
"""More than any instant has, and fewer than JSON keeps exactly."""
_WORDS = {str: "text", int: "a whole number", bool: "true or false", float: "a number"}
