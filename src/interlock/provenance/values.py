"""Normal forms: when two ways of writing a value mean the same, and when they only look the same."""

import re
import unicodedata

MAX_KEY = 400
"""Longer values are compared as phrases, not as keys."""
_CHUNK = re.compile(r"[^\W_]+(?:[@._+\-/:&=?#%~'’]+[^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_GROUP = re.compile(r"[a-z0-9]+", re.ASCII)
_CODE = r"(?:[a-z]{0,4}[0-9][a-z0-9]{0,11}|[a-z]{4})"
_GROUPED = re.compile(rf"(?<![a-z0-9]){_CODE}(?:[ \-./\u00a0]{_CODE})+(?![a-z0-9])", re.ASCII)
_ANGLE = re.compile(r"[^<>@]*<\s*([^<>\s]+@[^<>\s]+)\s*>")
_EDGES = " \t\r\n'\"`<>()[]{}.,;:!?#“”‘’„«»"
_SCHEMES = ("https://", "http://", "mailto:", "tel:")
_WITHOUT_GAPS = dict.fromkeys(map(ord, " -./\u00a0+"))
_WITHOUT_DIGITS = dict.fromkeys(map(ord, "0123456789"))
MAX_GROUPS = 9
# Characters whose canonical composition is an ASCII character: a look-alike must never turn into what it looks like.
_TREACHEROUS = str.maketrans(dict.fromkeys("\u212a\u037e\u1fef\u2000\u2001", "\ufffd"))
_LOOKS = str.maketrans({
    "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "і": "l", "ї": "l", "ј": "j", "ѕ": "s",
    "һ": "h", "ԁ": "d", "ԛ": "q", "ԝ": "w", "в": "b", "к": "k", "м": "m", "н": "h", "т": "t", "г": "r", "п": "n",
    "α": "a", "β": "b", "ε": "e", "ι": "l", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x",
    "γ": "y", "η": "n", "ω": "w", "ϲ": "c", "ϳ": "j", "ɑ": "a", "ɡ": "g", "ı": "l", "ɩ": "l", "օ": "o", "ս": "u",
    "0": "o", "1": "l", "i": "l", "|": "l", "’": "'", "‐": "-", "‑": "-", "–": "-", "—": "-",
})  # fmt: skip


def plain(text: str) -> str:
    """Return `text` in lower case, composed, without ever turning another character into an ASCII one."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFC", text.translate(_TREACHEROUS))
    return "".join(_lower(char) for char in text)


def _lower(char: str) -> str:
    low = char.lower()
    return low if char < "\x80" or not low.isascii() else char


def skeleton(text: str) -> str:
    """Return what `text` looks like: the form under which look-alikes are equal. Only for suspicion, never trust."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(char for char in text if unicodedata.category(char) not in {"Cf", "Mn", "Cc"})
    return text.lower().translate(_LOOKS)


def canonical(chunk: str) -> str:
    """Return a chunk of `plain` text without its wrapping: quotes, scheme, closing slash, `Name <a@b>`."""
    if chunk.endswith(">") and (match := _ANGLE.fullmatch(chunk)):
        chunk = match[1]
    chunk = chunk.strip(_EDGES)
    for scheme in _SCHEMES:
        if chunk.startswith(scheme):
            return chunk[len(scheme) :].rstrip("/")
    return chunk.rstrip("/")


def key_of(value: str) -> str:
    """Return the one form under which equal atoms (addresses, ids, links, names) are found."""
    return canonical(plain(value.strip()))


def compact(key: str) -> str:
    """Return an account, card or phone number without its spacing, or an empty text when `key` is no such number."""
    bare = key.translate(_WITHOUT_GAPS)
    if len(bare) < 6 or not bare.isalnum() or len(bare) > 64:
        return ""
    return "=" + bare if len(bare) - len(bare.translate(_WITHOUT_DIGITS)) >= 4 else ""


def chunks(text: str) -> list[str]:
    """Return the atoms of `plain` text: words with what joins them (addresses, links, file names, dates)."""
    return [canonical(chunk) for chunk in _CHUNK.findall(text)]


def words(text: str) -> list[str]:
    """Return the words of `plain` text."""
    return _WORD.findall(text)


def phrase(text: str) -> str:
    """Return the words of `plain` text between single spaces, so that `in` finds whole words only."""
    return f" {' '.join(_WORD.findall(text))} "


def spaced_numbers(text: str) -> list[str]:
    """Return the `compact` forms of numbers that `plain` text writes in groups: `GB29 NWBK 6016 1331 9268 19`.

    Where a number begins and ends among its neighbours is not known, so every run of whole groups counts.
    """
    found: list[str] = []
    for match in _GROUPED.finditer(text):
        groups = _GROUP.findall(match[0])
        for start in range(len(groups)):
            candidate = groups[start]
            for group in groups[start + 1 : start + MAX_GROUPS]:
                candidate += group
                if len(candidate) >= 8 and len(candidate) - len(candidate.translate(_WITHOUT_DIGITS)) >= 6:
                    found.append("=" + candidate)
    return found


def unmasked(text: str) -> str:
    """Return `text` without invisible characters and compatibility forms, so that untrusted atoms come out whole."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
