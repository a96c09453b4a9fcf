"""Hold a tool fast at the surface that was reviewed, and show what has changed since."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.pointers import build
from interlock.tools.hashing import Digests
from interlock.tools.ports import Pin

FIRST_USE = "first-use"
"""Who is said to have approved a pin that nobody looked at."""
UNREVIEWED = "unreviewed"
"""The pinned hash of a tool that awaits its first review; it equals no surface, so the tool is quarantined."""
_LARGEST_SURFACE = 1 << 16
_LONGEST = 2_000


class PinPolicy(StrEnum):
    """What to do with a tool that was never seen."""

    FIRST_USE = "first-use"
    """Pin what it offers now and let it be used."""
    REQUIRED = "required"
    """Quarantine it until a person approves it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the reviewed surface and the present one."""

    pointer: str
    before: str | None
    """None when it is new."""
    after: str | None
    """None when it is gone."""

    def __str__(self) -> str:
        place = self.pointer or "the whole surface"
        if self.before is None:
            return f"{place}: added {self.after}"
        return f"{place}: removed {self.before}" if self.after is None else f"{place}: {self.before} -> {self.after}"


def pin(contract: ToolContract, surface: JsonObject, by: str, now: int, digests: Digests) -> Pin:
    """Return the pin that approves `surface` as the surface of `contract`; `now` in milliseconds since the epoch."""
    return Pin(contract.name, contract.surface_hash, record(surface, digests), now, by)


def judge(contract: ToolContract, known: Pin | None, policy: PinPolicy) -> ToolContract:
    """Return `contract` held to its pin: quarantined when its surface differs, or when it has none and needs one."""
    if known is not None:
        return dataclasses.replace(contract, pinned_hash=known.surface_hash)
    unseen = contract.surface_hash if policy is PinPolicy.FIRST_USE else UNREVIEWED
    return dataclasses.replace(contract, pinned_hash=unseen)


def record(surface: JsonObject, digests: Digests) -> JsonObject:
    """Return `surface` in the form that a pin keeps: of a very large schema, each definition only as its digest."""
    if len(json.dumps(_without_definitions(surface))) + _definition_sizes(surface) <= _LARGEST_SURFACE:
        return surface
    return {key: digests.compact(value) if key in {"input", "output"} else value for key, value in surface.items()}


def diff(before: JsonObject, after: JsonObject, digests: Digests) -> tuple[Change, ...]:
    """Return what differs between two surfaces, in the order of the document.

    Characters that cannot be seen are spelled out, so that words hidden from the reviewer are not hidden from the diff.
    """
    compacted = any(
        isinstance(inner, str) for key in ("input", "output") for inner in _definitions(before, key).values()
    )
    now = {key: digests.compact(value) if key in {"input", "output"} else value for key, value in after.items()}
    return tuple(_differences((), before, now if compacted else after))


def _differences(path: tuple[str, ...], before: Json, after: Json) -> Iterator[Change]:
    if before is after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            if key not in before:
                yield Change(build((*path, key)), None, _shown(after[key]))
            elif key not in after:
                yield Change(build((*path, key)), _shown(before[key]), None)
            else:
                yield from _differences((*path, key), before[key], after[key])
    elif json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True):
        # Compared as text: in Python 1 == True, in JSON it is not.
        yield Change(build(path), _shown(before), _shown(after))


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=True)
    visible = "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)
    return visible if len(visible) <= _LONGEST else f"{visible[:_LONGEST]}… ({len(visible) - _LONGEST} more characters)"


def _definitions(surface: JsonObject, key: str) -> Mapping[str, Json]:
    schema = surface.get(key)
    found = schema.get("$defs") if isinstance(schema, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _without_definitions(surface: JsonObject) -> JsonObject:
    return {
        key: {**value, "$defs": {}} if isinstance(value, Mapping) and "$defs" in value else value
        for key, value in surface.items()
    }


def _definition_sizes(surface: JsonObject) -> int:
    total = 0
    for key in ("input", "output"):
        for definition in _definitions(surface, key).values():
            total += len(json.dumps(definition))
            if total > _LARGEST_SURFACE:
                return total
    return total
