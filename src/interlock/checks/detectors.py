"""The forms that personal data and secrets have. Every pattern is linear: anchored at a start, bounded in its length."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Find:
    """One place in a text."""

    start: int
    end: int
    kind: str


_SHORTEST = len("a@b.co")
_SHORTEST_KEY = 20
_SHORTEST_IBAN = 15
_FEWEST_DIGITS = 7
"""Of a phone number in any of the spellings below."""
_DOTS, _COLONS = 3, 3
_NO_DIGITS = re.compile(r"\D+")
_HINT = re.compile(r"[@\d:]|-----BEGIN")
_LOCAL = frozenset("!#$%&'*+-/=?^_`{|}~.")
_LONGEST_LOCAL = 64
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}")
_CARD = re.compile(
    r"(?<![\w.])(?:[2-6]\d{12,18}|(?:[2456]\d|3[05689])\d\d([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|3\d\d\d([ -])\d{6}\2\d{4,5})(?!\w)"
)
_IBAN_START = re.compile(r"(?<![^\W_])([A-Za-z]{2})(\d{2})")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28,
    "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
    "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_IBAN_REST = {n: re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{n - 4}}}(?![^\W_])") for n in set(_IBAN_LENGTHS.values())}
_PHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ./()-]{0,2}\d){6,13}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}([ .-])\d{3}\1\d{4}|0\d{2,4}[ /-]\d{6,8})(?![\w-])"
)
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[\w-]{20,200}|[spr]k_(?:live|test)_[A-Za-z0-9]{16,200}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{40,255}|glpat-[\w-]{20,200}|xox[abeprs]-[A-Za-z0-9-]{10,250}"
    r"|AIza[\w-]{35}|SG\.[\w-]{16,64}\.[\w-]{16,64}|npm_[A-Za-z0-9]{36}|whsec_[A-Za-z0-9]{24,200})"
)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{8,16384}\.[\w-]{8,4096}")
_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PEM_END = "PRIVATE KEY-----"
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])")


def finds(text: str) -> tuple[Find, ...]:
    """Return what the detectors find in `text`, in order, without overlaps: the one that begins first stays."""
    if len(text) < _SHORTEST or _HINT.search(text) is None:
        return ()
    found = [find for detect in _candidates(text) for find in detect(text)]
    if not found:
        return ()
    found.sort(key=lambda find: (find.start, -find.end))
    kept: list[Find] = []
    for find in found:
        if not kept or find.start >= kept[-1].end:
            kept.append(find)
    return tuple(kept)


def _candidates(text: str) -> Iterator[Callable[[str], Iterator[Find]]]:
    """Yield the detectors that have a chance: most texts lack what most detectors need."""
    if "-----BEGIN" in text:
        yield _private_keys
    if len(text) >= _SHORTEST_KEY:
        yield _keys
    if "@" in text:
        yield _emails
    if len(_NO_DIGITS.sub("", text)) >= _FEWEST_DIGITS:
        yield _cards
        yield _phones
    if len(text) >= _SHORTEST_IBAN:
        yield _ibans
    if text.count(".") >= _DOTS or text.count(":") >= _COLONS:
        yield _addresses


def _private_keys(text: str) -> Iterator[Find]:
    position = 0
    while (begin := _PEM_BEGIN.search(text, position)) is not None:
        end = text.find(_PEM_END, begin.end())
        position = len(text) if end < 0 else end + len(_PEM_END)
        yield Find(begin.start(), position, "private_key")


def _keys(text: str) -> Iterator[Find]:
    yield from (Find(match.start(), match.end(), "api_key") for match in _KEY.finditer(text))
    yield from (Find(match.start(), match.end(), "jwt") for match in _JWT.finditer(text))


def _emails(text: str) -> Iterator[Find]:
    at = text.find("@")
    while at >= 0:
        start = at
        while start > 0 and at - start < _LONGEST_LOCAL and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
            start -= 1
        domain = _DOMAIN.match(text, at + 1) if start < at else None
        if domain is not None:
            yield Find(start, domain.end(), "email")
        at = text.find("@", at + 1)


def _cards(text: str) -> Iterator[Find]:
    for match in _CARD.finditer(text):
        if _luhn([int(char) for char in match.group() if char.isdecimal()]):
            yield Find(match.start(), match.end(), "card")


def _ibans(text: str) -> Iterator[Find]:
    for start in _IBAN_START.finditer(text):
        rest = _IBAN_REST.get(_IBAN_LENGTHS.get(start.group(1).upper(), 0))
        tail = rest.match(text, start.end()) if rest is not None else None
        if tail is not None and _mod_97(tail.group() + start.group()):
            yield Find(start.start(), tail.end(), "iban")


def _phones(text: str) -> Iterator[Find]:
    return (Find(match.start(), match.end(), "phone") for match in _PHONE.finditer(text))


def _addresses(text: str) -> Iterator[Find]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            if _is_address(match.group()):
                yield Find(match.start(), match.end(), "ip")


def _luhn(digits: list[int]) -> bool:
    doubled = (2 * digit - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mod_97(rotated: str) -> bool:
    digits = "".join(str(int(char, 36)) for char in rotated if char.isalnum())
    return int(digits) % 97 == 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
