"""Amounts are read as people write them, and only everyday arithmetic leads from one to another."""

import pytest

from interlock.provenance.numbers import UNIT, amounts, dates, derives, percentages, to_units


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("$12.50", 12.5),
        ("1,200.50", 1200.5),
        ("1.200,50", 1200.5),
        ("1 200", 1200),
        ("1'200.00", 1200),
        ("12,5", 12.5),
        ("1,200", 1200),
        ("€98,70.", 98.7),
        ("(30.00)", 30),
    ],
)
def test_an_amount_is_read_in_any_common_spelling(text: str, expected: float) -> None:
    assert round(expected * UNIT) in amounts(f"pay {text} now")


@pytest.mark.parametrize(
    "text", ["2024-05-19", "12:30", "May 26th", "10%", "A-113", "x13", "#13", "13@home", "19/05/2024"]
)
def test_dates_times_percentages_and_codes_are_no_amounts(text: str) -> None:
    assert amounts(f"so {text} it is") == {}


@pytest.mark.parametrize(
    ("target", "given_", "rates", "said"),
    [
        (1200, (1100, 100), (), ()),
        (4, (12, 10), (), ()),
        (5, (50,), (10,), ()),
        (200.29, (1000, 5.29), (19.5,), ()),
        (55, (50,), (10,), ()),
        (30, (10, 20), (), ()),
        (25, (100,), (), ()),
        (20, (100,), (), (5,)),
    ],
)
def test_everyday_arithmetic_is_followed(
    target: float, given_: tuple[float, ...], rates: tuple[float, ...], said: tuple[float, ...]
) -> None:
    assert derives(_units(target), map(_units, given_), map(_units, rates), map(_units, said))


@pytest.mark.parametrize(
    ("target", "given_"), [(1195.29, (1000, 5.29)), (9000, (1100, 50)), (1, (1100,)), (10000, (30, 1100))]
)
def test_other_amounts_are_not(target: float, given_: tuple[float, ...]) -> None:
    assert not derives(_units(target), map(_units, given_), ())


def test_many_numbers_prove_nothing() -> None:
    half = _units(1.5)
    assert derives(half, (_units(3), _units(6)), ())
    assert not derives(half, range(0, 100 * UNIT, 3 * UNIT), ())


def test_a_chance_amount_is_rarely_explained() -> None:
    given_ = [_units(one) for one in (1100, 50, 10, 98.7)]
    tried = range(1, 300_000, 7)
    explained = [cents for cents in tried if derives(cents * UNIT // 100, given_, (_units(10),))]
    assert len(explained) < 0.005 * len(tried)


def test_days_are_read_in_any_common_spelling() -> None:
    assert "2024-05-15" in dates("on May 15th, 2024")
    assert "2024-05-15" in dates("15 May 2024") & dates("2024-05-15") & dates("15.05.2024")
    assert "--05-26" in dates("the event on May 26th")
    assert dates("on 2024-13-45") == frozenset()


def test_percentages_are_read() -> None:
    assert percentages("an additional 19.5% and 3 percent") == (_units(19.5), _units(3))


def test_what_is_no_number_is_no_amount() -> None:
    values: tuple[object, ...] = (True, None, "x", [], "1e400", float("nan"), float("inf"), "12 or 13")
    for value in values:
        assert to_units(value) is None


def _units(value: float) -> int:
    return round(value * UNIT)
