"""JSON pointers (RFC 6901) with `*` for every element or key: how contracts, rules and constraints name a value."""

from collections.abc import Mapping, Sequence

from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError

WILDCARD = "*"
_LONGEST_INDEX = 9
"""Digits of an array index; no array that fits into a call needs more."""


def parse(pattern: str) -> tuple[str, ...]:
    """Return the unescaped steps of `pattern`; the empty pattern, with no steps, is the whole document.

    Raises ConfigurationError unless it is empty or begins with `/`, and for a `~` that escapes nothing.
    """
    if not pattern:
        return ()
    if not pattern.startswith("/"):
        raise ConfigurationError(
            f"'{pattern}' is not a JSON pointer", why="a pointer begins with '/'", do=f"Write '/{pattern}'"
        )
    if "~" not in pattern:
        return tuple(pattern[1:].split("/"))
    if pattern.replace("~0", "").replace("~1", "").count("~"):
        raise ConfigurationError(
            f"'{pattern}' is not a JSON pointer", why="'~' stands only in '~0' and '~1'", do="Write '~' as '~0'"
        )
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pattern[1:].split("/"))


def build(steps: Sequence[str | int]) -> str:
    """Return the pointer that `steps` spell, with `~` and `/` escaped."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def resolve(document: Json, pattern: str) -> tuple[tuple[str, Json], ...]:
    """Return every place of `document` that `pattern` names as (pointer, value), in document order.

    `*` stands for every element of an array and every value of an object. A place that is not there is left out, so
    an optional argument that is absent gives an empty tuple. Raises ConfigurationError for a malformed pattern.
    """
    found: list[tuple[str, Json]] = [("", document)]
    for step in parse(pattern):
        found = [inner for pointer, value in found for inner in _descend(pointer, value, step)]
        if not found:
            break
    return tuple(found)


def covers(pattern: str, pointer: str) -> bool:
    """Return whether `pattern` names the place at `pointer` or one that it lies within."""
    wanted, given = parse(pattern), parse(pointer)
    return len(wanted) <= len(given) and all(
        step in (WILDCARD, actual) for step, actual in zip(wanted, given, strict=False)
    )


def _descend(pointer: str, value: Json, step: str) -> list[tuple[str, Json]]:
    if isinstance(value, Mapping):
        if step == WILDCARD:
            return [(pointer + build((key,)), inner) for key, inner in value.items()]
        return [(pointer + build((step,)), value[step])] if step in value else []
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return []
    if step == WILDCARD:
        return [(f"{pointer}/{index}", inner) for index, inner in enumerate(value)]
    position = _index(step)
    return [(f"{pointer}/{step}", value[position])] if position is not None and position < len(value) else []


def _index(step: str) -> int | None:
    if not (step.isascii() and step.isdigit()) or len(step) > _LONGEST_INDEX or (step[0] == "0" and len(step) > 1):
        return None
    return int(step)
