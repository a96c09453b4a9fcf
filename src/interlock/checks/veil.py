"""Replace personal data by tokens that only one run can turn back, or by nothing but its kind (requirement M7)."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from interlock.checks.detectors import finds
from interlock.checks.plain_text import plain

_TOKEN = re.compile(r"\[[a-z_]{2,16}#[a-z2-7]{16}\]")
_BEGUN = re.compile(r"\[(?:[a-z_]{0,16}|[a-z_]{2,16}#[a-z2-7]{0,16})\Z")


@dataclass(slots=True)
class Veil:
    """What one call hides. The same value gets the same token throughout a run, so that the model can reason about it."""

    kinds: Collection[str]
    key: bytes
    """Secret of this process and run: without it nobody can find out a value by trying."""
    reversible: bool
    """False leaves only the kind, `[email]`."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Value by token."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many places were hidden, by kind."""

    def hide(self, text: str) -> str:
        """Return `text` without what the detectors find; in its plain form (NFKC) if anything was found."""
        normal = plain(text)
        found = finds(normal, self.kinds)
        if not found:
            return text
        pieces, position = [], 0
        for find in found:
            pieces += [normal[position : find.start], self._token(find.kind, normal[find.start : find.end])]
            position = find.end
            self.counts[find.kind] = self.counts.get(find.kind, 0) + 1
        return "".join((*pieces, normal[position:]))

    def restore(self, text: str, *, as_json: bool = False) -> str:
        """Return `text` with its tokens turned back; with `as_json` as the inside of a JSON text. Unknown tokens stay."""
        if "#" not in text:
            return text
        return _TOKEN.sub(lambda match: self._value(match.group(), as_json=as_json), text)

    def _token(self, kind: str, value: str) -> str:
        if not self.reversible:
            return f"[{kind}]"
        sealed = hmac.new(self.key, f"{kind}\x00{value}".encode(), hashlib.sha256).digest()[:10]
        token = f"[{kind}#{base64.b32encode(sealed).decode().lower()}]"
        self.hidden[token] = value
        return token

    def _value(self, token: str, *, as_json: bool) -> str:
        value = self.hidden.get(token, token)
        return json.dumps(value)[1:-1] if as_json else value


@dataclass(slots=True)
class Unveiling:
    """Restores a text that comes in pieces. A token may be torn anywhere, so a piece that could begin one is held back."""

    veil: Veil
    as_json: bool = False
    _held: str = ""

    def feed(self, piece: str) -> str:
        """Return what can be said now."""
        text = self._held + piece
        begun = _BEGUN.search(text[-40:])
        cut = len(text) if begun is None else len(text) - len(begun.group())
        self._held = text[cut:]
        return self.veil.restore(text[:cut], as_json=self.as_json)

    def end(self) -> str:
        """Return what was held back: it was no token."""
        held, self._held = self._held, ""
        return held
