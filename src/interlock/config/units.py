"""Quantities as people write them: `4h`, `500 USD`, `2%`, `1 MiB`, turned into exact integers."""

import re
from decimal import Decimal

from interlock.config.shapes import Text
from interlock.domain.contracts import Money
from interlock.domain.errors import BadInput
from interlock.domain.money import exponent, minor_units, nano_usd

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 366 * _MILLISECONDS["d"]
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
_LARGEST_BYTES = 64 << 20
_DURATION = r"[0-9]{1,12}(ms|s|m|h|d)"
_AMOUNT = r"[0-9]{1,15}(\.[0-9]{1,9})?"


def milliseconds(text: str) -> int:
    """Return a duration such as `30s` in milliseconds. Raises BadInput for none at all or more than 366 days."""
    found = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text, re.ASCII)
    if found is None:
        raise ValueError(text)
    length = int(found[1]) * _MILLISECONDS[found[2]]
    if not 0 < length <= _LONGEST_MS:
        raise BadInput("The duration is out of range", why="more than 0, at most 366 days")
    return length


def money(text: str) -> Money:
    """Return an amount such as `500 USD`. Raises BadInput for a fraction of a minor unit or an unknown currency."""
    number, _, currency = text.partition(" ")
    return Money(minor_units(Decimal(number), currency), currency)


def cost(text: str) -> int:
    """Return a cost such as `0.002 USD` in nano-dollars. Raises BadInput for another currency."""
    number, _, currency = text.partition(" ")
    if currency != "USD":
        raise BadInput("Costs are counted in US dollars", why="write USD")
    return nano_usd(Decimal(number))


def share(text: str) -> int:
    """Return a percentage such as `2%` in 1/10,000, between 1 % and 5 % (requirement T4)."""
    scaled = Decimal(text.removesuffix("%").strip()) * 100
    if scaled != int(scaled) or not 100 <= scaled <= 500:
        raise BadInput("The share is out of range", why="from 1% to 5%, in steps of 0.01%")
    return int(scaled)


def size(text: str) -> int:
    """Return a size such as `512 KiB` in bytes, up to 64 MiB."""
    number, _, unit = text.partition(" ")
    length = int(number) * _BYTES[unit]
    if not 0 < length <= _LARGEST_BYTES:
        raise BadInput("The size is out of range", why="more than 0, at most 64 MiB")
    return length


def currency(text: str) -> str:
    """Return `text` if it is an ISO 4217 code, or raise BadInput."""
    exponent(text)
    return text


DURATION = Text("a duration such as 30s, 15m, 4h or 2d", _DURATION, milliseconds)
MONEY = Text("an amount with its currency, such as 500 USD", rf"{_AMOUNT} [A-Z]{{3}}", money)
COST = Text("an amount in US dollars, such as 0.25 USD", rf"{_AMOUNT} [A-Z]{{3}}", cost)
SHARE = Text("a percentage from 1% to 5%", r"[0-9]{1,2}(\.[0-9]{1,2})? ?%", share)
SIZE = Text("a size such as 512 KiB or 4 MiB", r"[0-9]{1,9} (B|KiB|MiB)", size)
