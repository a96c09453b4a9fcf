"""Cards, accounts and telephone numbers."""

import re
from collections.abc import Iterator

from interlock.checks.finding import Detector, Find

# Spaces and dashes as they are before a text is brought into its plain form.
GAP = r"[ .\-\x{a0}\x{2000}-\x{200a}\x{2010}-\x{2015}\x{202f}\x{2212}\x{3000}]"
_CARD = re.compile(
    r"(?<![^\W_])(?<!\d\.)(?:[2-68]\d{12,18}|[2-68]\d{3}([ .-])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|3\d{3}([ .-])\d{6}\2\d{4,5})(?![^\W_])",
    re.ASCII,
)
_PLACES = 4
_ISSUERS = (
    (2200, 2204, (16,)), (2221, 2720, (16,)), (3000, 3059, (14, 16, 19)), (3095, 3095, (14, 16, 19)), (3400, 3499, (15,)),
    (3528, 3589, (16, 19)), (3600, 3699, (14, 16, 19)), (3700, 3799, (15,)), (3800, 3999, (14, 16, 19)),
    (4000, 4999, (13, 16, 19)), (5000, 5099, (16, 18, 19)), (5100, 5599, (16,)), (5600, 5899, (16, 18, 19)),
    (6000, 6999, (16, 18, 19)), (8100, 8299, (16, 19)),
)  # fmt: skip
"""First and last beginning, and the lengths of what begins so (ISO/IEC 7812; Maestro's shorter numbers are left out)."""
_IBAN_START = re.compile(r"(?<![^\W_])([A-Za-z]{2})(\d{2})", re.ASCII)
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
_IBAN_REST = {
    n: re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{n - 4}}}(?![^\W_])", re.ASCII) for n in set(_IBAN_LENGTHS.values())
}
_PHONE = re.compile(
    r"(?<![\w.+-])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ./()-]{0,3}\d){6,13}"
    r"|(?:1[ .-]?)?\([2-9]\d\d\) ?\d{3}[ .-]\d{4}|(?:1([ .-]))?[2-9]\d\d([ .-])[2-9]\d\d\2\d{4}"
    r"|0\d{2,4}[ /-]\d{6,8}|(?<!\d )0\d{2,4} \d{3,4} \d{3,4}|0[1-9]([ .-])\d\d\3\d\d\3\d\d\3\d\d)(?![^\W_])(?!-\w)",
    re.ASCII,
)


def _cards(text: str) -> Iterator[Find]:
    for match in _CARD.finditer(text):
        digits = only_digits(match.group())
        if luhn(digits) and _issued(digits):
            yield Find(match.start(), match.end(), "card")


def _issued(digits: str) -> bool:
    start = int(digits[:_PLACES])
    return any(first <= start <= last and len(digits) in lengths for first, last, lengths in _ISSUERS)


def _ibans(text: str) -> Iterator[Find]:
    for start in _IBAN_START.finditer(text):
        rest = _IBAN_REST.get(_IBAN_LENGTHS.get(start.group(1).upper(), 0))
        tail = rest.match(text, start.end()) if rest is not None else None
        if tail is not None and _mod_97(tail.group() + start.group()):
            yield Find(start.start(), tail.end(), "iban")


def _phones(text: str) -> Iterator[Find]:
    return (Find(match.start(), match.end(), "phone") for match in _PHONE.finditer(text))


def only_digits(text: str) -> str:
    """Return the digits of `text`."""
    return "".join(char for char in text if "0" <= char <= "9")


def luhn(digits: str) -> bool:
    """Return whether the last digit fits the others (ISO/IEC 7812-1)."""
    numbers = [int(digit) for digit in digits]
    doubled = (2 * digit - 9 * (digit > 4) for digit in numbers[-2::-2])
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _mod_97(rotated: str) -> bool:
    digits = "".join(str(int(char, 36)) for char in rotated if char.isalnum())
    return int(digits) % 97 == 1


_WORDY = frozenset(
    {"AZ", "GI", "GT", "JO", "KW", "KZ", "LB", "LC", "LU", "LV", "MD", "MK", "PK", "PS", "QA", "RO", "SA", "SC"}
)
"""Countries whose numbers may have letters anywhere. In all others five digits in a row come soon, after four letters at most."""
_WITH_LETTERS, _WITH_DIGITS = "|".join(sorted(_WORDY)), "|".join(sorted(set(_IBAN_LENGTHS) - _WORDY))
NUMBERS = (
    Detector(
        (rf"\b[2-68]\d{{3}}(?:\d{{9}}|{GAP}\d{{4}}{GAP}\d{{4}}{GAP}\d{{4}})", rf"\b3\d{{3}}{GAP}\d{{6}}{GAP}\d{{4}}"),
        _cards,
    ),
    Detector(
        (
            rf"\b(?i:{_WITH_LETTERS})\d\d(?:{GAP}?[A-Za-z0-9]){{11}}",
            rf"\b(?i:{_WITH_DIGITS})\d\d{GAP}?(?:[A-Za-z]{GAP}?){{0,4}}(?:\d{GAP}?){{5}}",
        ),
        _ibans,
    ),
    Detector(
        (
            r"\+[1-9](?:[ ./()\-\x{a0}\x{2000}-\x{200a}\x{2010}-\x{2015}\x{202f}\x{2212}\x{3000}]{0,3}\d){6}",
            r"\b00[1-9](?:[ ./()\-\x{a0}\x{2000}-\x{200a}\x{2010}-\x{2015}\x{202f}\x{2212}\x{3000}]{0,3}\d){6}",
            rf"\([2-9]\d\d\)(?:{GAP})?\d{{3}}{GAP}\d{{4}}",
            rf"\b(?:1{GAP})?[2-9]\d\d{GAP}[2-9]\d\d{GAP}\d{{4}}",
            rf"\b0\d{{2,4}}(?:{GAP}|/)\d{{6}}",
            rf"\b0\d{{2,4}}{GAP}\d{{3,4}}{GAP}\d{{3}}",
            rf"\b0[1-9]{GAP}\d\d{GAP}\d\d{GAP}\d\d{GAP}\d\d",
        ),
        _phones,
    ),
)
