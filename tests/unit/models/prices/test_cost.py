"""What a usage costs: as the source computes it, exactly, and never more than was reserved."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.models import Usage
from interlock.models.prices.book import PriceBook, load
from interlock.models.prices.price import Matched, Price
from interlock.models.prices.rates import ladder

SOURCE: dict[str, Any] = json.loads(Path(__file__).with_name("source_costs.json").read_text())
"""Made by scripts/prices.py, which lets genai-prices compute every cost."""
AT = SOURCE["at_ms"]
BOOK = load()
counts = st.integers(0, 2_000_000)


def price(provider: str, model: str, at: int = AT, book: PriceBook = BOOK) -> Price:
    found = book.find(provider, model, at)
    assert found is not None
    return found


def test_twenty_models_of_five_providers_are_compared_with_the_source() -> None:
    models = {(case["provider"], case["model"]) for case in SOURCE["cases"]}

    assert len(models) >= 20
    assert len({provider for provider, _ in models}) >= 5
    assert SOURCE["source"] == BOOK.origin.sources[0]


@pytest.mark.parametrize(
    "case", SOURCE["cases"], ids=lambda case: "-".join(case[k] for k in ("model", "usage", "service"))
)
def test_a_cost_is_what_the_source_itself_computes(case: dict[str, Any]) -> None:
    found = price(case["provider"], case["model"])
    service = case["service"]
    tier = "" if service == "batch" else service

    cost = found.cost(Usage(**SOURCE["usages"][case["usage"]]), batch=service == "batch", service_tier=tier)

    # Both are exact; the book rounds once to a whole nano-dollar.
    assert abs(Fraction(cost) - Fraction(case["usd"]) * 10**9) <= Fraction(1, 2)


def test_a_cost_is_rounded_half_up_once_and_not_for_each_kind_of_token() -> None:
    halves = replace(price("openai", "gpt-4o"), standard=ladder({"input": 500, "output": 500, "cache_read": 499}))

    assert halves.cost(Usage(input=1)) == 1
    assert halves.cost(Usage(input=1, cache_read=1)) == 0
    assert halves.cost(Usage(input=1, output=1)) == 1
    assert halves.cost(Usage(input=3)) == 2


def test_a_rate_finer_than_a_pico_dollar_stays_exact() -> None:
    fine = ladder({"input": "83333.3333333333", "output": 0})

    assert fine.nano(Usage(input=30_000_000)) == 2_500_000_000  # 2,499,999,999.999, rounded once
    assert fine.nano(Usage(input=3)) == 250


def test_the_rates_of_a_long_prompt_hold_for_all_its_tokens_and_only_beyond_the_limit() -> None:
    long = price("google", "gemini-2.5-pro")

    assert long.cost(Usage(input=200_000)) == 200_000 * 1250
    assert long.cost(Usage(input=200_001)) == 200_001 * 2500


def test_tokens_without_a_rate_of_their_own_cost_what_usual_ones_do() -> None:
    plain = replace(price("openai", "gpt-4o"), standard=ladder({"input": 2000, "output": 8000}))

    assert plain.cost(Usage(input=10, cache_read=3, cache_write=2, cache_write_1h=1, audio_input=1)) == 20
    assert plain.cost(Usage(output=10, reasoning=5, audio_output=2)) == 80


def test_a_cache_write_for_an_hour_costs_more_than_one_for_five_minutes() -> None:
    claude = price("anthropic", "claude-sonnet-4-5")

    assert claude.cost(Usage(input=100, cache_write=100)) == 375_000
    assert claude.cost(Usage(input=100, cache_write_1h=100)) == 600_000


def test_tokens_that_a_provider_counts_twice_are_never_charged_less() -> None:
    found = price("anthropic", "claude-sonnet-4-5")

    assert found.cost(Usage(input=10, cache_read=20)) >= found.cost(Usage(input=20, cache_read=20))


def test_an_unknown_service_tier_costs_the_dearest_that_is_known_and_says_so() -> None:
    found = price("openai", "gpt-4.1")
    usage = Usage(input=1000, output=1000)

    assert not found.covers(service_tier="imperial")
    assert found.cost(usage, service_tier="imperial") == found.cost(usage, service_tier="priority")
    assert found.covers(service_tier="priority")
    assert found.covers(service_tier="default")
    assert found.cost(usage, service_tier="auto") == found.cost(usage)


def test_a_batch_is_cheaper_where_the_source_says_so() -> None:
    found = price("anthropic", "claude-opus-5")

    assert found.cost(Usage(input=1000, output=10), batch=True) * 2 == found.cost(Usage(input=1000, output=10))


PRICED = [
    ("openai", "gpt-4.1", ""),
    ("openai", "gpt-5.6-luna", "priority"),
    ("anthropic", "claude-sonnet-4-5", ""),
    ("anthropic", "claude-haiku-5-5", "batch"),
    ("google", "gemini-2.5-flash", ""),
    ("deepseek", "deepseek-chat", ""),
    ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
]


@given(
    st.sampled_from(PRICED),
    counts,
    counts,
    st.lists(st.integers(0, 100), min_size=6, max_size=6),
    st.integers(0, 10**8),
)
def test_the_worst_case_bounds_every_usage_of_so_many_tokens_at_every_hour(
    which: tuple[str, str, str], prompt: int, reply: int, shares: list[int], later: int
) -> None:
    provider, model, service = which
    parts = [prompt * share // 600 for share in shares[:4]]
    usage = Usage(
        prompt, reply, parts[0], parts[1], parts[2], reply * shares[4] // 200, parts[3], reply * shares[5] // 200
    )
    tier = {"batch": service == "batch", "service_tier": "" if service == "batch" else service}
    reserved = price(provider, model).worst(prompt + 7, reply + 7, **tier)  # type: ignore[arg-type]

    assert price(provider, model).cost(usage, **tier) <= reserved  # type: ignore[arg-type]
    assert price(provider, model, AT + later % 43_200_000).cost(usage, **tier) <= reserved  # type: ignore[arg-type]


def test_the_worst_case_is_tighter_once_media_and_hour_caches_are_ruled_out() -> None:
    claude, gemini = price("anthropic", "claude-sonnet-4-5"), price("google", "gemini-2.5-flash")

    assert claude.worst(1000, 0) == 6_000_000
    assert claude.worst(1000, 0, hour_cache=False) == 3_750_000
    assert gemini.worst(1000, 0, media=False) < gemini.worst(1000, 0)


def test_a_free_model_costs_nothing_and_is_marked_as_free() -> None:
    free = price("openrouter", "deepseek/deepseek-r1:free")

    assert (free.free, free.cost(Usage(10**6, 10**6)), free.worst(10**6, 10**6)) == (True, 0, 0)
    assert free.matched is Matched.EXACT


def test_the_worst_case_is_rounded_up() -> None:
    crumbs = replace(price("openai", "gpt-4o"), standard=ladder({"input": 1, "output": 1}), services={})

    assert (crumbs.worst(1, 0), crumbs.worst(999, 2), crumbs.worst(500, 500)) == (1, 2, 1)


def test_the_worst_case_knows_the_step_that_the_prompt_may_reach() -> None:
    gemini = price("google", "gemini-2.5-pro")

    assert gemini.worst(200_001, 0) >= gemini.cost(Usage(input=200_001))
    assert gemini.worst(200_000, 0, hour_cache=False, media=False) == gemini.cost(Usage(input=200_000))
