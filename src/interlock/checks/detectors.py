"""Everything that is known by its form: personal data, and secrets."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

from interlock.checks.addresses import ADDRESSES
from interlock.checks.credentials import CREDENTIALS
from interlock.checks.finding import Detector, Find, merged
from interlock.checks.gate import Gate
from interlock.checks.known_secrets import KnownSecrets
from interlock.checks.national_ids import NATIONAL_IDS
from interlock.checks.numbers import NUMBERS
from interlock.checks.plain_text import disguises
from interlock.checks.regions import in_regions
from interlock.checks.second_look import HINTS, looked_again
from interlock.checks.vendor_keys import KEYS

__all__ = ["DETECTORS", "Detectors", "Find", "by_form", "finds"]

DETECTORS: tuple[Detector, ...] = (*NUMBERS, *NATIONAL_IDS, *ADDRESSES, *KEYS, *CREDENTIALS)
_SECOND = len(DETECTORS)
"""The place of the hints that ask for a second look, after those of the detectors."""


@dataclass(frozen=True, slots=True)
class Detectors:
    """All of them behind one gate, with the secrets that are known word for word."""

    gate: Gate
    secrets: KnownSecrets = field(default_factory=KnownSecrets)

    @staticmethod
    def of(secrets: KnownSecrets) -> "Detectors":
        """Return the detectors with `secrets`."""
        second = Detector(HINTS, lambda _: iter(()))
        return Detectors(Gate.of((*DETECTORS, second), (*disguises(), *secrets.hints)), secrets)

    def candidates(self, text: str) -> list[Find]:
        """Return what is in `text`, which is in plain form, in any order; places may overlap."""
        data = text.encode("utf-8", "replace")
        if not self.gate.speaks(data, binary=False):
            return []
        found = list(in_regions(text, lambda part: self.gate.speaks(part, binary=False), self._here))
        found += self.secrets.finds(text, data)
        return found

    def _here(self, text: str) -> list[Find]:
        which = self.gate.which(text.encode("utf-8", "replace"))
        found = _known(text, which)
        if _SECOND in which:
            found += looked_again(text, self._again)
        return found

    def _again(self, text: str) -> tuple[Find, ...]:
        """Return what is in a text that was written otherwise; it is not undone a second time."""
        data = text.encode("utf-8", "replace")
        if not self.gate.speaks(data, binary=False):
            return ()
        return merged((*_known(text, self.gate.which(data)), *self.secrets.finds(text, data)))


def _known(text: str, which: Collection[int]) -> list[Find]:
    return [find for index in which if index < _SECOND for find in DETECTORS[index].find(text)]


@cache
def by_form() -> Detectors:
    """Return the detectors without secrets of anybody, made when they are first needed."""
    return Detectors.of(KnownSecrets())


def finds(text: str, kinds: Collection[str] | None = None) -> tuple[Find, ...]:
    """Return what of `kinds` is in `text`, which is in plain form: in order, and apart from each other. None means all."""
    return merged(find for find in by_form().candidates(text) if kinds is None or find.kind in kinds)
