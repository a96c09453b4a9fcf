"""Find the deployment's own secrets, word for word, in every spelling in which they travel."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from interlock.checks.detectors import Find
from interlock.checks.plain_text import plain

SHORTEST = 6
"""Characters of a secret that is looked for. Shorter ones would take ordinary words out of every text."""


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    """Many texts, looked for at once."""

    forms: frozenset[str] = frozenset()
    """Every spelling of every secret."""
    _pattern: re.Pattern[str] | None = None

    @staticmethod
    def of(secrets: Iterable[str]) -> "KnownSecrets":
        """Return what finds `secrets`, each at least SHORTEST characters long, and their base64, percent, hex and JSON forms."""
        forms = frozenset(form for secret in secrets if len(secret.strip()) >= SHORTEST for form in spellings(secret))
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        return KnownSecrets(forms, pattern)

    def finds(self, text: str) -> tuple[Find, ...]:
        """Return where `text` holds a secret."""
        if self._pattern is None:
            return ()
        return tuple(Find(one.start(), one.end(), "secret") for one in self._pattern.finditer(text))


def spellings(secret: str) -> Iterator[str]:
    """Yield the forms of `secret` that carry it whole."""
    raw = secret.encode()
    for form in (secret, secret.strip(), plain(secret)):
        yield form
        yield json.dumps(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]
        yield quote(form, safe="")
        yield quote(form, safe="").lower()
    yield raw.hex()
    yield raw.hex().upper()
    yield "".join(f"%{byte:02X}" for byte in raw)
    yield "".join(f"%{byte:02x}" for byte in raw)
    for shift in range(3):
        # The characters at the edges depend on the neighbours, so the part that does not is looked for.
        whole = base64.b64encode(b"\0" * shift + raw)
        first = (0, 2, 3)[shift]
        last = len(whole) - (0, 3, 2)[(shift + len(raw)) % 3]
        inner = whole[first:last].decode()
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
