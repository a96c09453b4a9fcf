"""Read the constraints that travel with a call (`max_amount_usd`, `allowed_reasons`): they only tighten."""

from collections.abc import Iterator
from dataclasses import dataclass

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Constraint, ToolContract
from interlock.domain.errors import InvalidArguments
from interlock.domain.pointers import build
from interlock.domain.schema_paths import property_names, types
from interlock.tools.names import nearest

_SOURCE = "call"
_LABEL = "audit_tag"
_NUMBERS = frozenset({"number", "integer"})


@dataclass(frozen=True, slots=True)
class Travelling:
    """What came with a call besides its arguments."""

    constraints: tuple[Constraint, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """Recorded with the call and without effect on it."""


def travelling(raw: JsonObject, contract: ToolContract) -> Travelling:
    """Return the constraints and labels in `raw`, as they apply to the arguments of `contract`.

    `max_<argument>` and `min_<argument>` bound a number; `allowed_<argument>`, or its plural, lists the values that it
    may have; `audit_tag` is a label. Raises InvalidArguments for everything else: a bound that bounds nothing would
    look like protection.
    """
    constraints: list[Constraint] = []
    labels: list[tuple[str, str]] = []
    for key, value in raw.items():
        if key == _LABEL:
            labels.append((key, _label(value)))
        else:
            constraints.append(_constraint(key, value, contract))
    return Travelling(tuple(constraints), tuple(labels))


def _label(value: Json) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise InvalidArguments(f"The label '{_LABEL}' is not a text of at most 200 characters")
    return value


def _constraint(key: str, value: Json, contract: ToolContract) -> Constraint:
    arguments = property_names(contract.input_schema)
    bound, _, subject = key.partition("_")
    if bound in {"max", "min"} and subject in arguments:
        return _bound(bound, subject, value, contract)
    if bound == "allowed":
        for name in _singulars(subject):
            if name in arguments:
                return _choice(key, name, value, contract)
    possible = [f"{prefix}_{name}" for name in arguments for prefix in ("max", "min", "allowed")]
    close = nearest(key, [*possible, _LABEL])
    raise InvalidArguments(
        f"The constraint '{key[:100]}' names no argument of '{contract.name}'",
        why="a constraint that binds nothing is refused, not ignored",
        do=f"Did you mean '{close}'?" if close else "Use max_, min_ or allowed_ with the name of an argument",
    )


def _bound(bound: str, name: str, value: Json, contract: ToolContract) -> Constraint:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArguments(f"The constraint '{bound}_{name}' is not a number")
    declared = types(contract.input_schema, build((name,)))
    if declared and not declared & _NUMBERS:
        raise InvalidArguments(
            f"The constraint '{bound}_{name}' bounds a number", why=f"'{name}' is {' or '.join(sorted(declared))}"
        )
    if bound == "max":
        return Constraint(build((name,)), maximum=value, source=_SOURCE)
    return Constraint(build((name,)), minimum=value, source=_SOURCE)


def _choice(key: str, name: str, value: Json, contract: ToolContract) -> Constraint:
    if not isinstance(value, list) or not all(isinstance(item, str | int | float | bool) for item in value):
        raise InvalidArguments(f"The constraint '{key}' is not a list of texts, numbers or booleans")
    elements = "array" in types(contract.input_schema, build((name,)))
    return Constraint(build((name, "*") if elements else (name,)), one_of=tuple(value), source=_SOURCE)


def _singulars(word: str) -> Iterator[str]:
    yield word
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s"):
        yield word[:-1]
