"""Take personal data and secrets out of whatever is about to be stored, logged or exported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from interlock.checks.detectors import Find, finds
from interlock.checks.known_secrets import KnownSecrets
from interlock.checks.plain_text import plain
from interlock.domain.canonical import Json

Recogniser = Callable[[str], tuple[Find, ...]]
"""Finds further things in a text in plain form. Called by many threads at once."""

_DEEPEST = 100
"""Levels of nesting; what lies deeper is left out."""
_CARD_DIGITS = 10**12


@dataclass(frozen=True, slots=True)
class Redactor:
    """Replaces what it finds by its kind in brackets, such as `[email]`. Built once, used by every thread."""

    secrets: KnownSecrets = field(default_factory=KnownSecrets)
    keep: frozenset[str] = frozenset()
    """Kinds that stay."""
    recognisers: tuple[Recogniser, ...] = ()

    def gate(self, data: bytes) -> bool:
        """Return whether something may be in `data` (UTF-8, or UTF-8 texts inside of a binary format); False is certain.

        One pass over the bytes: what it lets pass need not be looked at piece by piece.
        """
        return True if self.recognisers else bool(data)

    def text(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Return `text` without what is found, and the kinds found, sorted. A text in which nothing is comes back as it is."""
        normal = plain(text)
        found = [find for find in finds(normal) if find.kind not in self.keep]
        found += self.secrets.finds(normal)
        for recognise in self.recognisers:
            found += [find for find in recognise(normal) if find.kind not in self.keep]
        if not found:
            return text, ()
        return _without(normal, found), tuple(sorted({find.kind for find in found}))

    def words(self, text: str) -> str:
        """Return `text` without what is found."""
        return self.text(text)[0]

    def value(self, value: Json) -> tuple[Json, tuple[str, ...]]:
        """Return `value` with every text in it redacted, names of fields too, and the kinds found, sorted."""
        kinds: set[str] = set()
        cleaned = self._value(value, kinds, 0)
        return (cleaned, tuple(sorted(kinds))) if kinds else (value, ())

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
            cleaned[name] = self._value(inner, kinds, depth)
        return cleaned


def _without(text: str, found: list[Find]) -> str:
    """Return `text` without `found`; places that overlap become one, named after the longest of them."""
    found.sort(key=lambda find: (find.start, -find.end))
    pieces: list[str] = []
    position, index = 0, 0
    while index < len(found):
        first = found[index]
        start, end, kind, longest = first.start, first.end, first.kind, first.end - first.start
        index += 1
        while index < len(found) and found[index].start < end:
            other = found[index]
            if other.end - other.start > longest:
                kind, longest = other.kind, other.end - other.start
            end = max(end, other.end)
            index += 1
        pieces += [text[position:start], f"[{kind}]"]
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
