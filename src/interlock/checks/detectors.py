"""Everything that is known by its form: personal data, and secrets."""

from collections.abc import Collection, Iterable
from functools import cache

from interlock.checks.addresses import ADDRESSES
from interlock.checks.credentials import CREDENTIALS
from interlock.checks.finding import Detector, Find, merged
from interlock.checks.gate import Gate
from interlock.checks.national_ids import NATIONAL_IDS
from interlock.checks.numbers import NUMBERS
from interlock.checks.plain_text import disguises
from interlock.checks.second_look import HINTS, looked_again
from interlock.checks.vendor_keys import KEYS

__all__ = ["DETECTORS", "Find", "candidates", "finds", "found_in", "gate", "looked_up"]

DETECTORS: tuple[Detector, ...] = (*NUMBERS, *NATIONAL_IDS, *ADDRESSES, *KEYS, *CREDENTIALS)
_SHORTEST = len("a@b.co")


@cache
def gate() -> Gate:
    """Return the gate of the detectors, made when it is first needed."""
    return Gate.of((*DETECTORS, Detector(HINTS, lambda _: iter(()))), (disguises(),))


def finds(text: str) -> tuple[Find, ...]:
    """Return what is in `text`, which is in plain form: in order, and apart from each other."""
    return found_in(text, None)


def found_in(text: str, kinds: Collection[str] | None) -> tuple[Find, ...]:
    """Return what of `kinds` is in `text`, which is in plain form; None stands for all."""
    if len(text) < _SHORTEST:
        return ()
    data = text.encode("utf-8", "replace")
    if not gate().speaks(data, binary=False):
        return ()
    return merged(find for find in candidates(text, data) if kinds is None or find.kind in kinds)


def candidates(text: str, data: bytes) -> list[Find]:
    """Return what the detectors that have a chance find in `text`, whose UTF-8 is `data`; places may overlap."""
    which = gate().which(data)
    found = [find for index in which if index < len(DETECTORS) for find in DETECTORS[index].find(text)]
    if len(DETECTORS) in which:
        found += looked_again(text, looked_up)
    return found


def looked_up(text: str) -> tuple[Find, ...]:
    """Return what the detectors find in a text that was written otherwise; it is not undone a second time."""
    data = text.encode("utf-8", "replace")
    which: Iterable[int] = gate().which(data) if gate().speaks(data, binary=False) else ()
    return merged(find for index in which if index < len(DETECTORS) for find in DETECTORS[index].find(text))
