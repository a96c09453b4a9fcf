"""Money is counted without rounding."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import BadInput
from interlock.domain.money import EXPONENTS, minor_units, nano_usd


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("49.00", "USD", 4900),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("-0.01", "EUR", -1),
        ("1E+3", "USD", 100_000),
    ],
)
def test_whole_units_become_minor_units(amount: str, currency: str, minor: int) -> None:
    assert minor_units(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    "amount", ["0.001", "NaN", "Infinity", "1e999999999", "1e-999999999", "1e15", "1." + "0" * 40 + "1"]
)
def test_what_is_not_exactly_countable_is_refused(amount: str) -> None:
    with pytest.raises(BadInput):
        minor_units(Decimal(amount), "USD")


def test_a_currency_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput):
        minor_units(Decimal(1), "QQQ")


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(sorted(EXPONENTS)))
def test_every_count_of_minor_units_survives_the_way_there_and_back(minor: int, currency: str) -> None:
    assert minor_units(Decimal(minor).scaleb(-EXPONENTS[currency]), currency) == minor


def test_costs_are_kept_in_nano_dollars() -> None:
    assert nano_usd(Decimal("0.000000001")) == 1
