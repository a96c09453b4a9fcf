"""Amounts and dates as people write them, and what can be computed from trusted amounts."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation

UNIT = 10_000
"""Amounts are integers in ten-thousandths of a unit."""
MAX_POOL = 16
"""With more numbers than this a match proves nothing, and only single steps are tried."""
_AMOUNT = re.compile(
    r"(?<![\w@/#.-])(?<!\d,)\d{1,3}(?:[ \u00a0'’]\d{3})+(?:[.,]\d{1,2})?(?![\w@])|(?<![\w@/#.-])(?<!\d,)\d[\d.,]{0,24}(?![\w@])"
)
_PERCENT = re.compile(r"(?<![\w.])(\d{1,4}(?:[.,]\d{1,4})?)\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)
_ISO = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_SLASHED = re.compile(r"(?<![\d/.-])(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?!\d)")
_TIME = re.compile(r"(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b(?:,?\s+(\d{{4}})\b)?")
_SHARES = (2, 3, 4)
_LARGEST = 10**15
_CURRENCIES = "$€£¥ "


def to_units(value: object, *, minor: bool = False) -> int | None:
    """Return a JSON number, or the text of one, in UNITs; None when it is no amount. `minor`: it counts hundredths."""
    if minor:
        units = to_units(value)
        return None if units is None or units % 100 else units // 100
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        if not value[:1].isdigit() and value[:1] not in _CURRENCIES:
            return None
        found = amounts(value.strip().lstrip(_CURRENCIES))
        return next(iter(found)) if len(found) == 1 else None
    if isinstance(value, int):
        return value * UNIT if abs(value) < _LARGEST else None
    return _units(repr(value))


def _units(text: str) -> int | None:
    try:
        number = Decimal(text)
        return int((number * UNIT).to_integral_value()) if abs(number) < _LARGEST else None
    except (InvalidOperation, ValueError):
        return None


def amounts(text: str) -> dict[int, str]:
    """Return the amounts that `text` mentions, in UNITs, each with its spelling. Dates and times are none."""
    text = _TIME.sub(
        " ", _DAY_MONTH.sub(" ", _MONTH_DAY.sub(" ", _ISO.sub(" ", _SLASHED.sub(" ", _PERCENT.sub(" ", text.lower())))))
    )
    found: dict[int, str] = {}
    for match in _AMOUNT.finditer(text):
        spelling = match[0].rstrip(".,")
        for reading in _readings(spelling):
            units = _units(reading)
            if units is not None:
                found.setdefault(units, spelling)
    return found


def _readings(spelling: str) -> list[str]:
    bare = re.sub(r"[ \u00a0'’]", "", spelling)
    dot, comma = bare.rfind("."), bare.rfind(",")
    if dot >= 0 and comma >= 0:
        return [bare.replace(",", "")] if dot > comma else [bare.replace(".", "").replace(",", ".")]
    if comma >= 0:
        thousands = re.fullmatch(r"\d{1,3}(?:,\d{3})+", bare) is not None
        return [bare.replace(",", "") if thousands else bare.replace(",", ".", 1)]
    if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", bare):
        return [bare, bare.replace(".", "")] if bare.count(".") == 1 else [bare.replace(".", "")]
    return [bare]


def percentages(text: str) -> tuple[int, ...]:
    """Return the percentages that `text` mentions, in UNITs of one per cent."""
    found = (_units(match[1].replace(",", ".")) for match in _PERCENT.finditer(text))
    return tuple(dict.fromkeys(units for units in found if units is not None))


def dates(text: str) -> frozenset[str]:
    """Return the days that `text` mentions: `2024-05-26`, and `--05-26` where it names no year."""
    low = text.lower()
    found: set[str] = set()
    for match in _ISO.finditer(low):
        _put(found, match[1], match[2], match[3])
    for match in _SLASHED.finditer(low):
        _put(found, match[3], match[1], match[2])
        _put(found, match[3], match[2], match[1])
    for match in _MONTH_DAY.finditer(low):
        _put(found, match[3], str(_MONTHS.index(match[1]) + 1), match[2])
    for match in _DAY_MONTH.finditer(low):
        _put(found, match[3], str(_MONTHS.index(match[2]) + 1), match[1])
    return frozenset(found)


def _put(found: set[str], year: str | None, month: str, day: str) -> None:
    try:
        known = date(int(year or 2000), int(month), int(day)).isoformat()
    except ValueError:
        return
    found.add(known if year else f"--{known[5:]}")


def same_day(value: str, mentioned: frozenset[str]) -> bool:
    """Whether the day that `value` begins with (ISO) is among those `mentioned`."""
    return value[:10] in mentioned or (len(value) >= 10 and f"--{value[5:10]}" in mentioned)


def derives(target: int, given: Iterable[int], rates: Iterable[int], said: Iterable[int] = ()) -> bool:
    """Whether `target` is a given amount, or one or two steps of everyday arithmetic away from given ones.

    The steps: a share (half, third, quarter, or by a number the user said), a percentage that the user said, taken of,
    added to or subtracted from an amount; then the sum or difference with one given amount. Or the sum of all.
    """
    pool = tuple(dict.fromkeys(given))
    if target in pool:
        return True
    if len(pool) > MAX_POOL:
        return False
    if len(pool) > 1 and target == sum(pool):
        return True
    reached = _one_step(pool, tuple(rates), tuple(said))
    if any(abs(target - one) <= _CENT for one in reached):
        return True
    near = {round(one / _CENT) for one in reached}
    steps = (round(step / _CENT) for one in pool for step in (target - one, target + one, one - target))
    return any(step in near for step in steps)


_CENT = UNIT // 100


def _one_step(pool: tuple[int, ...], rates: tuple[int, ...], said: tuple[int, ...]) -> set[int]:
    reached: set[int] = set(pool)
    factors = [number for number in said if 2 * UNIT <= number <= 100 * UNIT and number % UNIT == 0]
    for amount in pool:
        reached.update(amount // share for share in _SHARES)
        for factor in factors:
            reached.update((amount * (factor // UNIT), amount * UNIT // factor))
        for rate in rates:
            part = round(amount * rate / (100 * UNIT))
            reached.update((part, amount + part, amount - part))
    return reached
