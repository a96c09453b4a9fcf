"""How a name finds its price, at which moment, and what the shipped book is."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Usage
from interlock.models.prices.book import DATA, load
from interlock.models.prices.price import Matched, Price

BOOK = load()
NOW = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 1000


def at(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * 1000


def found(provider: str, model: str, moment: int = NOW) -> Price:
    price = BOOK.find(provider, model, moment)
    assert price is not None, (provider, model)
    return price


@pytest.mark.parametrize(
    ("provider", "model", "listed", "matched"),
    [
        ("openai", "gpt-4.1", "gpt-4.1", Matched.EXACT),
        ("openai", "GPT-4.1", "gpt-4.1", Matched.EXACT),
        ("openai", "gpt-4.1-2025-04-14", "gpt-4.1", Matched.EXACT),
        ("openai", "gpt-5.2-20251211", "gpt-5.2", Matched.EXACT),
        ("openai", "gpt-4.1-2027-01-31", "gpt-4.1", Matched.RELATED),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", Matched.RULE),
        ("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro", Matched.RULE),
        ("vertex", "publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro", Matched.RULE),
        ("azure", "gpt-5.6-luna", "gpt-5.6-luna", Matched.EXACT),
        ("openai", "ft:gpt-4.1-2025-04-14:my-org::AbC1", "ft:gpt-4.1-2025-04-14", Matched.EXACT),
        ("xai", "grok-4-0709", "grok-4-0709", Matched.EXACT),
    ],
)
def test_a_model_is_found_under_the_names_that_people_use(
    provider: str, model: str, listed: str, matched: Matched
) -> None:
    price = found(provider, model)

    assert (price.model, price.matched) == (listed, matched)


def test_a_region_of_bedrock_has_its_own_price() -> None:
    usage = Usage(1000, 1000)
    base = found("bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0").cost(usage)

    assert found("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0").cost(usage) == base * 11 // 10
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert found("aws", arn).cost(usage) == base * 11 // 10


def test_a_version_of_vertex_finds_the_model() -> None:
    assert found("vertex", "claude-sonnet-4-5@20250929").cost(Usage(1000, 1000)) == 18_000_000


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-17-imaginary"),
        ("openai", ""),
        ("openai", "whisper-1"),
        ("nobody", "gpt-4.1"),
        ("openai", "gpt-4.1" * 100),
        ("openai", "my-gpt-4.1"),
    ],
    ids=["unknown model", "no name", "not priced by token", "unknown provider", "endless name", "only resembles"],
)
def test_what_has_no_price_is_not_given_one(provider: str, model: str) -> None:
    assert BOOK.find(provider, model, NOW) is None


def test_a_price_holds_from_its_day_on() -> None:
    usage = Usage(input=1_000_000)

    assert found("openai", "o3", at(2025, 6, 10) - 1).cost(usage) == 10_000_000_000
    assert found("openai", "o3", at(2025, 6, 10)).cost(usage) == 2_000_000_000


def test_a_price_holds_at_its_hours() -> None:
    usage = Usage(input=1_000_000)
    dear, cheap = (
        found("deepseek", "deepseek-v4-pro", at(2026, 11, 20, 2)),
        found("deepseek", "deepseek-v4-pro", at(2026, 11, 20, 5)),
    )

    assert dear.cost(usage) > cheap.cost(usage)
    assert cheap.worst(1_000_000, 0) >= dear.cost(usage)


def test_names_that_callers_make_up_do_not_fill_the_memory() -> None:
    book = load()
    for number in range(5000):
        book.find("openai", f"made-up-{number}", NOW)

    assert len(book._found) <= 4096


def test_every_entry_of_the_shipped_book_can_be_read_and_priced() -> None:
    book = load()
    priced = 0
    for provider, shelf in book.shelves.items():
        for entry in shelf.entries:
            for moment in (at(2024, 1, 1), NOW):
                price = book.find(provider, entry["id"], moment)
                if price is not None:
                    priced += 1
                    cost = price.cost(Usage(1000, 1000, 300, 200, 100, 500))
                    assert 0 <= cost <= price.worst(1000, 1000)
                    assert cost > 0 or price.free, entry["id"]

    assert priced > 3000


def test_the_shipped_book_is_small_and_says_where_it_comes_from() -> None:
    about = json.loads(DATA.read_text())["about"]

    assert DATA.stat().st_size <= 1_500_000
    assert [source["name"] for source in about["sources"]] == ["genai-prices", "litellm"]
    assert all(source["version"] and source["licence"] for source in about["sources"])
    assert BOOK.version.startswith("genai-prices ")
    assert BOOK.origin.reviewed == about["reviewed"]


def test_the_book_is_read_in_less_than_thirty_megabytes() -> None:
    code = (
        "import tracemalloc, orjson; from interlock.models.prices.book import load; "
        "tracemalloc.start(); book = load(); print(tracemalloc.get_traced_memory()[1])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(run.stdout) < 30_000_000


def test_a_damaged_book_is_refused(tmp_path: Path) -> None:
    for text in ("", "[]", '{"about": {}}', "\x00"):
        (tmp_path / "data.json").write_text(text)
        with pytest.raises(ConfigurationError, match="price book"):
            load(tmp_path / "data.json")


def test_the_models_of_a_provider_can_be_listed_with_what_they_cost() -> None:
    listed = {price.model: price for price in BOOK.listed("openai", NOW)}

    assert len(listed) > 100
    assert "whisper-1" not in listed
    assert str(listed["gpt-4.1"].standard.per_million("input")) == "2"
    assert str(listed["gpt-4.1"].standard.per_million("cache_read")) == "0.5"
    assert list(BOOK.listed("nobody", NOW)) == []
