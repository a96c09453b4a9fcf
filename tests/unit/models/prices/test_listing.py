"""The rules of the list: which entry a name means, and which of several prices holds."""

from __future__ import annotations

from datetime import date

from interlock.domain.models import Usage
from interlock.models.prices.listing import listing, midnight
from interlock.models.prices.names import Names
from interlock.models.prices.price import Matched, Price

SOURCES = ("one 1.0", "two 2.0")
RATES = {"input": 1000, "output": 1000}


def priced(said: dict[str, object], day: date, matched: Matched = Matched.EXACT) -> Price:
    price = listing({"id": "a-model", **said}, SOURCES).at(midnight(day), "a-provider", matched)
    assert price is not None
    return price


def test_the_first_entry_that_a_name_fits_is_the_one_it_means() -> None:
    names = Names(
        [
            {"id": "one", "rule": {"starts": "ONE-"}},
            {"id": "one-more"},
            {"id": "two", "names": ["two", "deux"]},
            {"id": "all", "rule": {"all": [{"contains": "a"}, {"ends": "z"}]}},
            {"id": "any", "rule": {"any": [{"regex": "^x+$"}, {"equals": "Why"}]}},
        ]
    )

    assert names.find("one-more") == (0, True)
    assert names.find("one") == (0, False)
    assert names.find("deux") == (2, False)
    assert names.find("abcz") == (3, True)
    assert names.find("abc") is None
    assert names.find("xxx") == (4, True)
    assert names.find("why") == (4, True)


def test_the_last_price_that_holds_wins_and_the_first_stands_in_for_none() -> None:
    said: dict[str, object] = {
        "prices": [
            {"since": "2026-01-01", "rates": RATES},
            {"since": "2026-02-01", "rates": {"input": 2000, "output": 0}},
            {"since": "2026-03-01", "rates": {"input": 3000, "output": 0}},
        ]
    }
    costs = [priced(said, day).cost(Usage(input=1)) for day in (date(2025, 1, 1), date(2026, 2, 28), date(2026, 3, 1))]

    assert costs == [1, 2, 3]


def test_the_first_rule_of_a_service_wins_for_each_kind_of_token() -> None:
    said: dict[str, object] = {
        "prices": RATES,
        "services": [
            {"service": "batch", "since": "2026-02-01", "rates": {"input": 300}},
            {"service": "batch", "rates": {"input": 500, "output": 500}},
        ],
    }
    thousand = Usage(1000, 1000)

    assert priced(said, date(2026, 1, 31)).cost(thousand, batch=True) == 1000
    assert priced(said, date(2026, 2, 1)).cost(thousand, batch=True) == 800


def test_rules_of_the_maker_for_batches_are_not_those_of_who_else_offers_the_model() -> None:
    said: dict[str, object] = {"prices": RATES, "services": [{"service": "batch", "rates": {"input": 500}}]}
    elsewhere = priced(said, date(2026, 1, 1), Matched.ELSEWHERE)

    assert elsewhere.cost(Usage(input=1000), batch=True) == 1000
    assert elsewhere.covers(batch=True)


def test_hours_may_run_over_midnight() -> None:
    found = listing(
        {"id": "m", "prices": [{"rates": RATES}, {"hours": [1380, 60], "rates": {"input": 9000, "output": 0}}]}, SOURCES
    )
    day, hour = midnight(date(2026, 1, 1)), 3_600_000
    prices = [found.at(day + at * hour, "p", Matched.EXACT) for at in (0, 1, 22, 23)]

    assert [price.cost(Usage(input=1)) for price in prices if price] == [9, 1, 1, 9]
    assert all(price.worst(1, 0) == 9 for price in prices if price)


def test_a_model_that_is_not_priced_by_token_has_no_price() -> None:
    assert listing({"id": "a-model", "beside": ["audio_hours"]}, SOURCES).at(0, "p", Matched.EXACT) is None
