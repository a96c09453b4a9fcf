"""How JSON values become Cedar's: no nulls, no floats, integers of 64 bits, decimals of four places."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import PolicyError
from interlock.policy.fields import resolved

_LONGEST = 2**63
_PLACES = Decimal("0.0001")
_LARGEST = Decimal("922337203685477.5807")
_DEEPEST = 8


class Kind(StrEnum):
    """Cedar's types, as far as arguments have them."""

    TEXT = "String"
    WHOLE = "Long"
    NUMBER = "decimal"
    FLAG = "Boolean"
    SET = "Set"
    RECORD = "Record"


@dataclass(frozen=True, slots=True)
class Shape:
    """The Cedar type of one value."""

    kind: Kind
    element: "Shape | None" = None
    fields: tuple[tuple[str, "Shape", bool], ...] = ()
    """(name, shape, whether it is always there)."""

    @property
    def schema(self) -> dict[str, Any]:
        """The type in Cedar's JSON schema."""
        match self.kind:
            case Kind.NUMBER:
                return {"type": "Extension", "name": "decimal"}
            case Kind.SET if self.element is not None:
                return {"type": "Set", "element": self.element.schema}
            case Kind.RECORD:
                return {
                    "type": "Record",
                    "attributes": {name: {**shape.schema, "required": always} for name, shape, always in self.fields},
                }
            case _:
                return {"type": self.kind.value}


_SCALARS = {"string": Kind.TEXT, "integer": Kind.WHOLE, "number": Kind.NUMBER, "boolean": Kind.FLAG}


def shape_of_arguments(schema: JsonObject) -> Shape:
    """Return the record type of a tool's arguments. What Cedar cannot express is left out, so no policy can name it."""
    return _record(schema, schema, 0)


def carry(value: Json, shape: Shape, where: str) -> Any:  # noqa: ANN401 - Cedar's JSON form
    """Return `value` in Cedar's JSON form. Raises PolicyError when it is not of `shape`, or beyond what Cedar holds."""
    match shape.kind:
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.WHOLE if isinstance(value, int | float) and not isinstance(value, bool):
            return _whole(value, where)
        case Kind.NUMBER if isinstance(value, int | float) and not isinstance(value, bool):
            return _decimal(value, where)
        case Kind.SET if isinstance(value, list | tuple) and shape.element is not None:
            return [carry(inner, shape.element, where) for inner in value]
        case Kind.RECORD if isinstance(value, Mapping):
            return carry_fields(value, shape, where)
        case _:
            raise PolicyError(f"`{where}` cannot be given to Cedar", why=f"it is not a {shape.kind.value}")


def carry_fields(
    values: Mapping[str, Json], shape: Shape, where: str, wanted: frozenset[str] | None = None
) -> dict[str, Any]:
    """Return the fields of `values` that `shape` has (and `wanted` names) in Cedar's form; null counts as absent."""
    return {
        name: carry(values[name], inner, f"{where}.{name}")
        for name, inner, _ in shape.fields
        if (wanted is None or name in wanted) and values.get(name) is not None
    }


def shape_of_value(value: Json) -> Shape:
    """Return the shape that `value` itself suggests, for arguments that no schema declares."""
    if isinstance(value, bool):
        return Shape(Kind.FLAG)
    if isinstance(value, str):
        return Shape(Kind.TEXT)
    if isinstance(value, int | float):
        return Shape(Kind.WHOLE if isinstance(value, int) else Kind.NUMBER)
    if isinstance(value, list | tuple) and value:
        return Shape(Kind.SET, shape_of_value(value[0]))
    if isinstance(value, Mapping) and not any(name.startswith("__") for name in value):
        return Shape(
            Kind.RECORD,
            None,
            tuple((name, shape_of_value(inner), True) for name, inner in value.items() if inner is not None),
        )
    raise PolicyError("A value cannot be given to Cedar", why="its type is not known")


def _whole(value: float, where: str) -> int:
    if int(value) != value or not -_LONGEST <= value < _LONGEST:
        raise PolicyError(f"`{where}` cannot be given to Cedar", why="it is not a whole number of 64 bits")
    return int(value)


def _decimal(value: float, where: str) -> dict[str, Any]:
    try:
        exact = Decimal(repr(value))
        held = exact.quantize(_PLACES)
    except InvalidOperation:
        raise PolicyError(f"`{where}` cannot be given to Cedar", why="it is no number that Cedar holds") from None
    if held != exact or abs(held) > _LARGEST:
        raise PolicyError(
            f"`{where}` cannot be given to Cedar", why="it has more than four decimal places, or is too large"
        )
    return {"__extn": {"fn": "decimal", "arg": f"{held:f}"}}


def _record(root: JsonObject, place: JsonObject, depth: int) -> Shape:
    required = frozenset(place.get("required", ()))
    fields = []
    for name, inner in sorted(place.get("properties", {}).items()):
        shape, nullable = _shape(root, inner, depth + 1)
        if shape is not None and not name.startswith("__"):
            fields.append((name, shape, name in required and not nullable))
    return Shape(Kind.RECORD, None, tuple(fields))


def _shape(root: JsonObject, place: Json, depth: int) -> tuple[Shape | None, bool]:
    if not isinstance(place, dict) or depth > _DEEPEST:
        return None, False
    place, nullable = _without_null(root, resolved(root, place))
    said = place.get("type")
    types = {said} if isinstance(said, str) else set(said or ())
    nullable, types = nullable or "null" in types, types - {"null"}
    if not types and all(isinstance(choice, str) for choice in place.get("enum", (None,))):
        types = {"string"}
    if len(types) != 1 or place.get("anyOf") or place.get("oneOf"):
        return (Shape(Kind.NUMBER), nullable) if types == {"integer", "number"} else (None, nullable)
    only = types.pop()
    if only in _SCALARS:
        return Shape(_SCALARS[only]), nullable
    if only == "array":
        element, element_nullable = _shape(root, place.get("items"), depth + 1)
        return (Shape(Kind.SET, element), nullable) if element and not element_nullable else (None, nullable)
    if only == "object" and place.get("properties"):
        return _record(root, place, depth), nullable
    return None, nullable


def _without_null(root: JsonObject, place: JsonObject) -> tuple[JsonObject, bool]:
    """Return the one alternative beside null, as generated schemas write an optional value."""
    options = place.get("anyOf") or place.get("oneOf")
    if not isinstance(options, list):
        return place, False
    others = [each for each in options if not (isinstance(each, dict) and each.get("type") == "null")]
    if len(others) == 1 and len(options) == 2 and isinstance(others[0], dict):
        return resolved(root, others[0]), True
    return place, False
