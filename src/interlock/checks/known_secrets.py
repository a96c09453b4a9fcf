"""Find the deployment's own secrets, word for word, in every spelling in which they travel."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import re2

from interlock.checks.finding import Find
from interlock.checks.plain_text import plain

SHORTEST = 6
"""Characters of a secret that is looked for. Shorter ones would take ordinary words out of every text."""


@dataclass(frozen=True, slots=True, repr=False)
class KnownSecrets:
    """Many texts, looked for at once in linear time. Never shows itself."""

    forms: tuple[str, ...] = ()
    """Every spelling of every secret, the longest first."""
    _pattern: "re2._Regexp | None" = None

    @staticmethod
    def of(secrets: Iterable[str]) -> "KnownSecrets":
        """Return what finds `secrets` and their base64, percent, hex and JSON forms; shorter ones than SHORTEST are left out."""
        forms = {form for secret in secrets if len(secret.strip()) >= SHORTEST for form in spellings(secret.strip())}
        ordered = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        if not ordered:
            return KnownSecrets()
        return KnownSecrets(ordered, re2.compile("|".join(map(re2.escape, ordered)).encode()))

    @property
    def hints(self) -> tuple[str, ...]:
        """RE2 patterns, one of which matches wherever a secret stands."""
        return tuple(map(re2.escape, self.forms))

    def finds(self, text: str, data: bytes) -> Iterator[Find]:
        """Yield where `text`, whose UTF-8 is `data`, holds a secret."""
        if self._pattern is None:
            return
        place, at = 0, 0
        for one in self._pattern.finditer(data):
            start, end = one.span()
            first = at + _length(data[place:start], text)
            at = first + _length(data[start:end], text)
            place = end
            yield Find(first, at, "secret")


def _length(data: bytes, text: str) -> int:
    return len(data) if text.isascii() else len(data.decode("utf-8"))


def spellings(secret: str) -> Iterator[str]:
    """Yield the forms of `secret` that carry it whole."""
    raw = secret.encode()
    for form in (secret, plain(secret)):
        yield form
        yield json.dumps(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]
        yield quote(form, safe="")
        yield quote(form, safe="/")
        yield quote(form, safe="").replace("%20", "+")
        yield quote(form, safe="").lower()
    yield raw.hex()
    yield raw.hex().upper()
    for shift in range(3):
        # The characters at the edges depend on the neighbours, so the part that does not is looked for.
        whole = base64.b64encode(b"\0" * shift + raw)
        first = (0, 2, 3)[shift]
        last = len(whole) - (0, 3, 2)[(shift + len(raw)) % 3]
        inner = whole[first:last].decode()
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
