"""Take personal data and secrets out of whatever is about to be stored, logged or exported."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache

import orjson

from interlock.checks import detectors
from interlock.checks.credentials import is_secret_name, is_value
from interlock.checks.detectors import Detectors
from interlock.checks.finding import Find, merged, without
from interlock.checks.known_secrets import KnownSecrets
from interlock.checks.plain_text import plain
from interlock.domain.canonical import Json

Recogniser = Callable[[str], tuple[Find, ...]]
"""Finds further things in a text in plain form. Called by many threads at once."""

SECRET_KINDS = frozenset({"api_key", "jwt", "private_key", "credential", "secret"})
"""Kinds that no setting keeps."""
_DEEPEST = 100
"""Levels of nesting; what lies deeper is left out."""
_CARD_DIGITS = 10**12
"""Integers from here on may be card numbers."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces what it finds by its kind in brackets, such as `[email]`. Built once, used by every thread."""

    keep: frozenset[str] = frozenset()
    """Kinds that stay."""
    recognisers: tuple[Recogniser, ...] = ()
    detectors: Detectors = field(default_factory=detectors.by_form, repr=False)

    @staticmethod
    def of(
        secrets: Collection[str] = (), keep: Collection[str] = (), recognisers: tuple[Recogniser, ...] = ()
    ) -> "Redactor":
        """Return what takes out `secrets` and whatever the detectors and `recognisers` know, except the kinds of `keep`."""
        known = KnownSecrets.of(secrets)
        all_of_them = Detectors.of(known) if known.forms else detectors.by_form()
        return Redactor(frozenset(keep) - SECRET_KINDS, recognisers, all_of_them)

    def gate(self, data: bytes, *, binary: bool = True) -> bool:
        """Return whether something may be in `data`; False is certain, and then nothing in it need be looked at.

        `data` is UTF-8, JSON included, or UTF-8 texts inside of a `binary` format such as protobuf. One pass over the bytes.
        """
        return bool(self.recognisers) or self.detectors.gate.speaks(data, binary=binary)

    def text(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Return `text` without what is found, and the kinds found, sorted. A text in which nothing is comes back as it is."""
        if not self.gate(text.encode("utf-8", "replace"), binary=False):
            return text, ()
        normal = plain(text)
        found = self._finds(normal)
        if not found:
            return text, ()
        return without(normal, found), tuple(sorted({find.kind for find in found}))

    def words(self, text: str) -> str:
        """Return `text` without what is found."""
        return self.text(text)[0]

    def value(self, value: Json) -> tuple[Json, tuple[str, ...]]:
        """Return `value` with every text in it redacted, names of fields too, and the kinds found, sorted.

        What a field holds whose name says that it is a secret goes in any case. A value in which nothing is comes back as
        it is.
        """
        if not isinstance(value, str) and not self._may_hold(value):
            return value, ()
        kinds: set[str] = set()
        cleaned = self._value(value, kinds, 0)
        return (cleaned, tuple(sorted(kinds))) if kinds else (value, ())

    def _finds(self, normal: str) -> tuple[Find, ...]:
        found = self.detectors.candidates(normal)
        for recognise in self.recognisers:
            found += recognise(normal)
        return merged(find for find in found if find.kind not in self.keep)

    def _may_hold(self, value: Json) -> bool:
        try:
            return self.gate(orjson.dumps(value), binary=False)
        except orjson.JSONEncodeError:
            return True

    def _value(self, value: Json, kinds: set[str], depth: int) -> Json:
        if isinstance(value, str):
            cleaned, found = self.text(value)
            kinds.update(found)
            return cleaned
        if isinstance(value, Mapping | list | tuple):
            if depth >= _DEEPEST:
                kinds.add("depth")
                return "[depth]"
            if isinstance(value, Mapping):
                return self._fields(value, kinds, depth + 1)
            return [self._value(inner, kinds, depth + 1) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _CARD_DIGITS:
            cleaned, found = self.text(str(value))
            kinds.update(found)
            return cleaned if found else value
        return value

    def _fields(self, value: Mapping[str, Json], kinds: set[str], depth: int) -> dict[str, Json]:
        cleaned: dict[str, Json] = {}
        for key, inner in value.items():
            name = self._value(key, kinds, depth)
            while name in cleaned:
                name += "+"
            if isinstance(inner, str) and is_value(inner) and is_secret_name(name):
                kinds.add("credential")
                cleaned[name] = "[credential]"
            else:
                cleaned[name] = self._value(inner, kinds, depth)
        return cleaned


Words = Callable[[str], str]
"""Takes out of a text what must not stay in it."""


def words_by_form(text: str) -> str:
    """Return `text` without what is known by its form: for places that no deployment's redactor reaches."""
    return by_form().words(text)


@cache
def by_form() -> Redactor:
    """Return the redactor that knows no secret of anybody: it goes by form only."""
    return Redactor()
