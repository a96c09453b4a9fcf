"""A user's own prices: when they hold, what they leave alone, and how bad ones are told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from interlock.domain.models import Usage
from interlock.models.prices.book import PriceBook, load
from interlock.models.prices.price import Matched

BOOK = load()
NOW = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 1000
MILLION = Usage(input=1_000_000, output=1_000_000)
OWN = {"provider": "openai", "model": "gpt-4.1", "input": 1.5, "output": 6}


def over(*entries: dict[str, Any]) -> PriceBook:
    book, problems = BOOK.with_overrides({"prices": list(entries)})
    assert problems == ()
    return book


def cost(
    book: PriceBook, provider: str, model: str, moment: int = NOW, usage: Usage = MILLION, **service: Any
) -> int | None:
    price = book.find(provider, model, moment)
    return None if price is None else price.cost(usage, **service)


def test_an_override_replaces_the_price_and_leaves_other_models_alone() -> None:
    book = over(OWN)

    assert cost(book, "openai", "gpt-4.1") == 7_500_000_000
    assert cost(book, "openai", "gpt-4.1-2025-04-14") == 7_500_000_000
    assert cost(book, "openai", "gpt-4o") == cost(BOOK, "openai", "gpt-4o")
    assert cost(BOOK, "openai", "gpt-4.1") == 10_000_000_000
    price = book.find("openai", "gpt-4.1", NOW)
    assert price is not None
    assert (price.matched, price.source, price.max_output) == (Matched.OVERRIDE, "prices.yaml", 32768)


def test_an_override_holds_from_its_first_day_until_before_its_last() -> None:
    book = over({**OWN, "from": date(2026, 11, 1), "until": "2026-11-21"})
    last = int(datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC).timestamp()) * 1000

    assert cost(book, "openai", "gpt-4.1", last) == 7_500_000_000
    assert cost(book, "openai", "gpt-4.1", last + 999) == 7_500_000_000
    assert cost(book, "openai", "gpt-4.1", last + 1000) == 10_000_000_000
    assert cost(book, "openai", "gpt-4.1") == 10_000_000_000


def test_an_override_prices_a_model_that_the_book_does_not_know() -> None:
    book = over({"provider": "vllm", "model": "qwen3-8b", "input": "0.05", "output": "0.1", "cache_read": "0.000001"})

    assert cost(book, "vllm", "Qwen3-8B") == 150_000_000
    assert cost(book, "vllm", "qwen3-8b", usage=Usage(input=1_000_000, cache_read=1_000_000)) == 1000
    assert cost(book, "vllm", "qwen3-9b") is None


def test_free_is_said_and_never_assumed() -> None:
    book = over(
        {"provider": "ollama", "model": "*", "free": True},
        {"provider": "ollama", "model": "big-*", "input": 1, "output": 1},
    )

    assert cost(book, "ollama", "llama3") == 0
    assert cost(book, "ollama", "big-one") == 2_000_000_000
    price = book.find("ollama", "llama3", NOW)
    assert price is not None
    assert price.free


def test_an_override_has_steps_and_services() -> None:
    steps = [{"tokens": 200_000, "input": 3, "output": 12}]
    book = over(
        {**OWN, "above": steps, "batch": {"input": 0.75, "output": 3}, "service_tiers": {"Priority": {"input": 5}}}
    )

    assert cost(book, "openai", "gpt-4.1", usage=Usage(100_000, 100_000)) == 750_000_000
    assert cost(book, "openai", "gpt-4.1", usage=Usage(300_000, 100_000)) == 2_100_000_000
    assert cost(book, "openai", "gpt-4.1", usage=Usage(100_000, 100_000), batch=True) == 375_000_000
    assert cost(book, "openai", "gpt-4.1", usage=Usage(100_000, 0), service_tier="priority") == 500_000_000


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"input": -1}, "prices[0].input"),
        ({"input": "two"}, "prices[0].input"),
        ({"input": True}, "prices[0].input"),
        ({"input": float("nan")}, "prices[0].input"),
        ({"input": 1e300}, "prices[0].input"),
        ({"input": "1e-999999"}, "prices[0].input"),
        ({"input": 0, "output": 0}, "prices[0]"),
        ({"output": None}, "prices[0].output"),
        ({"model": ""}, "prices[0].model"),
        ({"provider": 7}, "prices[0].provider"),
        ({"inputs": 1}, "prices[0].inputs"),
        ({"free": True}, "prices[0].free"),
        ({"free": "yes"}, "prices[0].free"),
        ({"from": "2026-13-01"}, "prices[0].from"),
        ({"from": "2026-11-02", "until": "2026-11-02"}, "prices[0].until"),
        ({"above": [{"tokens": 10, "cache_read": 1}]}, "prices[0].above[0].cache_read"),
        ({"above": [{"tokens": 10, "input": 1}, {"tokens": 10, "input": 2}]}, "prices[0].above[1].tokens"),
        ({"above": 3}, "prices[0].above"),
        ({"batch": 3}, "prices[0].batch"),
        ({"batch": {"inptu": 3}}, "prices[0].batch.inptu"),
        ({"service_tiers": []}, "prices[0].service_tiers"),
        ({"context_window": "big"}, "prices[0].context_window"),
    ],
)
def test_a_bad_price_is_told_at_its_place_and_changes_nothing(change: dict[str, Any], key: str) -> None:
    book, problems = BOOK.with_overrides({"prices": [{**OWN, **change}]}, "mine.yaml")

    assert book is BOOK
    assert key in [problem.spot.key for problem in problems]
    assert {problem.spot.file for problem in problems} == {"mine.yaml"}


@pytest.mark.parametrize("parsed", [[], "prices", {"prices": {}}, {"prices": [3]}, {"prices": [], "more": 1}])
def test_a_file_of_another_kind_is_told_and_changes_nothing(parsed: Any) -> None:
    book, problems = BOOK.with_overrides(parsed)

    assert book is BOOK
    assert problems


def test_two_prices_at_the_same_time_are_told() -> None:
    _, problems = BOOK.with_overrides({"prices": [OWN, {**OWN, "from": "2026-01-01"}]})

    assert [problem.spot.key for problem in problems] == ["prices[1]"]


def test_two_prices_one_after_the_other_are_fine() -> None:
    book = over({**OWN, "until": "2026-01-01"}, {**OWN, "from": "2026-01-01", "input": 3})

    assert cost(book, "openai", "gpt-4.1") == 9_000_000_000


@pytest.mark.parametrize("parsed", [None, {}, {"prices": []}])
def test_an_empty_file_changes_nothing(parsed: Any) -> None:
    book, problems = BOOK.with_overrides(parsed)

    assert problems == ()
    assert book.version == BOOK.version
