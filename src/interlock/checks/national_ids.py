"""Numbers that states give to people. Those with strong check digits stand for themselves; others need a word beside them."""

import re
from collections.abc import Callable, Iterator
from datetime import date

from interlock.checks.finding import Detector, Find
from interlock.checks.numbers import GAP, luhn, only_digits

Check = Callable[[str], bool]

_SPANISH = "TRWAGMYFPDXBNJZSQVHLCKE"
_FINNISH = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ITALIAN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_ITALIAN_DIGITS = str.maketrans("LMNPQRSTUV", "0123456789")
"""Where two people would have the same code, digits are written as letters."""
_ITALIAN_PLACES = (6, 7, 9, 10, 12, 13, 14)
_CHINESE_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
_TURNED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _rest(digits: str, weights: tuple[int, ...], modulus: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % modulus


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _american(said: str) -> bool:
    digits = only_digits(said)
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _british(said: str) -> bool:
    return said[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def _nhs(digits: str) -> bool:
    return len(digits) == 10 and (11 - _rest(digits[:9], tuple(range(10, 1, -1)), 11)) % 11 == int(digits[9])


def _german(said: str) -> bool:
    digits = only_digits(said)
    if len(digits) != 11 or digits[0] == "0" or not 8 <= len(set(digits[:10])) <= 9:
        return False
    product = 10
    for digit in digits[:10]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(digits[10])


def _french(said: str) -> bool:
    plain = said.replace(" ", "").upper().replace("2A", "19").replace("2B", "18")
    return len(plain) == 15 and plain.isdecimal() and 97 - int(plain[:13]) % 97 == int(plain[13:])


def _spanish(said: str) -> bool:
    plain = said.replace("-", "").replace(" ", "").upper()
    number = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _SPANISH[int(number) % 23] == plain[-1]


def _dutch(digits: str) -> bool:
    return len(digits) == 9 and _rest(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0


def _italian(said: str) -> bool:
    code = said.upper()
    total = 0
    for place, char in enumerate(code[:15]):
        index = int(char) if char.isdecimal() else ord(char) - 65
        total += index if place % 2 else _ITALIAN_ODD[index]
    plain = "".join(c.translate(_ITALIAN_DIGITS) if place in _ITALIAN_PLACES else c for place, c in enumerate(code))
    days = plain[9:11]
    return chr(65 + total % 26) == code[15] and days.isdecimal() and 1 <= int(days) % 40 <= 31


def _polish(digits: str) -> bool:
    if len(digits) != 11 or _rest(digits, _PESEL_WEIGHTS, 10) != 0:
        return False
    century, month = divmod(int(digits[2:4]), 20)
    year = {4: 1800, 0: 1900, 1: 2000, 2: 2100, 3: 2200}.get(century, 1900) + int(digits[:2])
    return _is_date(year, month, int(digits[4:6]))


def _brazilian(said: str) -> bool:
    digits = only_digits(said)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        rest = _rest(digits[:length], tuple(range(length + 1, 1, -1)), 11)
        if int(digits[length]) != (0 if rest < 2 else 11 - rest):
            return False
    return True


def _dihedral(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 + (5 if right >= 5 else 0)
    return (left - right) % 5 + (0 if right >= 5 else 5)


def _indian(said: str) -> bool:
    digits = only_digits(said)
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = int(char)
        for _ in range(place % 8):
            digit = _TURNED[digit]
        total = _dihedral(total, digit)
    return len(digits) == 12 and digits[0] not in "01" and total == 0


def _swedish(said: str) -> bool:
    digits = only_digits(said)[-10:]
    # Sixty days are added for those who have no number of their own yet.
    day = int(digits[4:6])
    return luhn(digits) and _is_date(2000, int(digits[2:4]), day - 60 if day > 60 else day)


def _finnish(said: str) -> bool:
    number = int(said[:6] + said[7:10])
    return _FINNISH[number % 31] == said[10] and _is_date(2000, int(said[2:4]), int(said[:2]))


def _belgian(said: str) -> bool:
    digits = only_digits(said)
    return int(digits[9:]) in (97 - int(digits[:9]) % 97, 97 - int("2" + digits[:9]) % 97)


def _swiss(said: str) -> bool:
    digits = only_digits(said)
    return len(digits) == 13 and _rest(digits, (1, 3) * 6 + (1,), 10) == 0


def _chinese(said: str) -> bool:
    code = said.upper()
    right = "10X98765432"[_rest(code[:17], _CHINESE_WEIGHTS, 11)] == code[17]
    return right and _is_date(int(code[6:10]), int(code[10:12]), int(code[12:14]))


def _luhn_nine(digits: str) -> bool:
    return len(digits) == 9 and luhn(digits)


def _number(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:{pattern})(?![^\W_])(?!-\w)", re.ASCII)


def _standing(pattern: str, check: Check, *hints: str) -> Detector:
    number = re.compile(rf"(?<![\w.])(?:{pattern})(?![^\W_])(?!-\w)", re.ASCII)

    def find(text: str) -> Iterator[Find]:
        for match in number.finditer(text):
            if check(match.group()):
                yield Find(match.start(), match.end(), "national_id")

    return Detector(hints, find)


_STANDING = (
    _standing(r"\d{3}-\d{2}-\d{4}", _american, rf"\b\d{{3}}{GAP}\d{{2}}{GAP}\d{{4}}\z"),
    _standing(
        r"[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]",
        _british,
        rf"\b[A-Z]{{2}}{GAP}?\d\d{GAP}?\d\d{GAP}?\d\d{GAP}?[A-D]\z",
    ),
    _standing(
        r"[1-9]\d{10}|[1-9]\d \d{3} \d{3} \d{3}", _german, rf"\b\d{{11}}\z|\b\d\d{GAP}\d{{3}}{GAP}\d{{3}}{GAP}\d{{3}}\z"
    ),
    _standing(
        r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[ABab]) ?\d{3} ?\d{3} ?\d\d",
        _french,
        rf"\b[12]{GAP}?\d\d{GAP}?\d\d{GAP}?\d[0-9ABab]{GAP}?\d{{3}}{GAP}?\d{{3}}{GAP}?\d\d\z",
    ),
    _standing(
        r"\d{8}[- ]?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]",
        _spanish,
        rf"\b\d{{8}}{GAP}?[A-HJ-NP-TV-Z]\z|\b[XYZ]{GAP}?\d{{7}}{GAP}?[A-HJ-NP-TV-Z]\z",
    ),
    _standing(
        r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])",
        _italian,
        r"\b[A-Za-z]{6}[0-9L-Vl-v]{2}[A-Ta-t][0-9L-Vl-v]{2}[A-Za-z][0-9L-Vl-v]{3}[A-Za-z]\z",
    ),
    _standing(r"\d{11}", _polish, r"\b\d{11}\z"),
    _standing(r"\d{3}\.\d{3}\.\d{3}-\d\d", _brazilian, rf"\b\d{{3}}{GAP}\d{{3}}{GAP}\d{{3}}{GAP}\d\d\z"),
    _standing(
        r"(?<!\d[ -])[2-9]\d{3}([ -])\d{4}\1\d{4}(?![ -]\d)", _indian, rf"\b[2-9]\d{{3}}{GAP}\d{{4}}{GAP}\d{{4}}\z"
    ),
    _standing(r"(?:19|20)?\d{6}[-+]\d{4}", _swedish, rf"\b(?:19|20)?\d{{6}}(?:{GAP}|\+)\d{{4}}\z"),
    _standing(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", _finnish, rf"\b\d{{6}}(?:{GAP}|[+A-FU-Y])\d{{3}}[0-9A-Y]\z"),
    _standing(r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _belgian, rf"\b\d\d{GAP}\d\d{GAP}\d\d{GAP}\d{{3}}{GAP}\d\d\z"),
    _standing(r"756(?:\.\d{4}\.\d{4}\.\d\d|\d{10})", _swiss, rf"\b756(?:{GAP}\d{{4}}{GAP}\d{{4}}{GAP}\d\d|\d{{10}})\z"),
    _standing(
        r"[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d\d{3}[0-9Xx]",
        _chinese,
        r"\b[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d\d{3}[0-9Xx]\z",
    ),
)
_NAMED = re.compile(
    r"(?<![A-Za-z])(?:(?P<nhs>NHS)|(?P<nl>BSN|burgerservicenummer|sofi)|(?P<ca>SIN|NAS|social insurance)"
    r"|(?P<us>SSN|social security)|(?P<br>CPF)|(?P<india>aadhaar|aadhar|UID)|(?P<se>personnummer)|(?P<pl>PESEL))"
    r"[^\d\n]{0,30}(?P<number>\d(?:[ .-]?\d){8,13})(?!\d)",
    re.ASCII | re.IGNORECASE,
)
_NAMED_CHECKS: dict[str, Check] = {
    "nhs": _nhs,
    "nl": _dutch,
    "ca": _luhn_nine,
    "us": lambda digits: len(digits) == 9 and _american(digits),
    "br": _brazilian,
    "india": _indian,
    "se": lambda digits: len(digits) in (10, 12) and _swedish(digits),
    "pl": _polish,
}


def _named(text: str) -> Iterator[Find]:
    for match in _NAMED.finditer(text):
        start, end = match.span("number")
        if any(match[name] and check(only_digits(match["number"])) for name, check in _NAMED_CHECKS.items()):
            yield Find(start, end, "national_id")


_NAMED_HINT = (
    rf"(?i)\b(?:NHS|BSN|burgerservicenummer|sofi|SIN|NAS|social (?:insurance|security)|SSN|CPF|aadhaar|aadhar|UID|PESEL"
    rf"|personnummer)[^\d\n]*\d(?:{GAP}?\d){{8}}"
)
NATIONAL_IDS = (*_STANDING, Detector((_NAMED_HINT,), _named))
