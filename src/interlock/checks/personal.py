"""Find personal data and secrets in a result, and take them out: by form only, in time linear in its size."""

from collections.abc import Mapping

from interlock.checks.detectors import Find, finds
from interlock.checks.plain_text import plain
from interlock.domain.canonical import Json

_CARD_DIGITS = 10**12
"""Integers from here on may be card numbers."""


def contains_personal_data(value: Json) -> bool:
    """Return whether any text in `value`, keys included, holds something that a detector knows."""
    waiting: list[Json] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif _found(item):
            return True
    return False


def redact(value: Json) -> tuple[Json, tuple[str, ...]]:
    """Return `value` with everything found replaced by its kind in brackets, such as `[email]`, and the kinds found.

    What holds nothing comes back as it is. A text in which something was found comes back in its plain form (NFKC,
    without invisible characters).
    """
    kinds: set[str] = set()
    cleaned = _redacted(value, kinds)
    return (cleaned, tuple(sorted(kinds))) if kinds else (value, ())


def _redacted(value: Json, kinds: set[str]) -> Json:
    if isinstance(value, Mapping):
        cleaned: dict[str, Json] = {}
        for key, inner in value.items():
            name = _redacted(key, kinds)
            while name in cleaned:
                name += "+"
            cleaned[name] = _redacted(inner, kinds)
        return cleaned
    if isinstance(value, list | tuple):
        return [_redacted(inner, kinds) for inner in value]
    found = _found(value)
    if not found:
        return value
    kinds.update(find.kind for find in found)
    return _without(plain(_text(value)), found)


def _found(value: Json) -> tuple[Find, ...]:
    text = _text(value)
    return finds(plain(text)) if text else ()


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= _CARD_DIGITS:
        return str(value)
    return ""


def _without(text: str, found: tuple[Find, ...]) -> str:
    pieces: list[str] = []
    position = 0
    for find in found:
        pieces.append(text[position : find.start])
        pieces.append(f"[{find.kind}]")
        position = find.end
    pieces.append(text[position:])
    return "".join(pieces)
