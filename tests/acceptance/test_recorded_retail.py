"""Recorded runs of a real model through a real server: the ledger says what the record says, to the token and the cent."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.retail.__main__ import price_of
from benchmarks.retail.ledger import Measured, measure
from benchmarks.retail.records import FILE, Tally
from benchmarks.retail.report import figures
from interlock.models.recorded import Rates

pytestmark = [pytest.mark.data, pytest.mark.xdist_group("recorded_retail")]
GPT_4_1 = Rates(input=2_000, cache_read=500, output=8_000)
"""In nano-dollars a token."""
BLOCK = 128
"""OpenAI's cache holds prompts in steps of so many tokens."""


@pytest.fixture(scope="module")
def measured(data_folder: Path) -> Measured:
    """All forty runs, played once by a client over HTTP, every second one streamed."""
    return asyncio.run(measure(data_folder, (sys.executable, "-m", "interlock")))


def test_tokens_and_cost_of_each_run_are_those_of_the_record(measured: Measured) -> None:
    assert len(measured.played) == 40
    assert sum(one.streamed for one in measured.played) == 20
    for one in measured.played:
        entry, recorded = measured.entries[one.run.id], one.run.agent
        assert entry.records == recorded, one.run.id
        assert (entry.budget_tokens, entry.budget_nano_usd) == (recorded.tokens, recorded.cost_nano_usd), one.run.id
        assert (entry.held, entry.retried) == (0, 0), one.run.id


def test_the_product_reports_what_a_successful_run_cost(measured: Measured) -> None:
    found = figures(measured, price_of("gpt-4.1"))

    assert found.problems == ()
    assert found.ledger == Tally(calls=476, input=2_425_565, output=30_486, cost_nano_usd=1_888_618_000)
    assert found.succeeded == sum(one.run.success for one in measured.played) == 34
    assert found.per_success_nano_usd == 1_888_618_000 // 34
    assert measured.report["groups"][0]["cost_per_success_usd"] == "0.055547588"


def test_what_the_record_and_the_ledger_do_not_share_has_a_reason_and_a_size(measured: Measured) -> None:
    found = figures(measured, price_of("gpt-4.1"))

    # The customer was played by a model of its own, and the agent's greeting by nobody.
    assert found.simulator == Tally(calls=290, input=244_869, output=10_261, cost_nano_usd=486_962_000)
    assert found.greetings == 40
    # What came from the provider's cache is not recorded; its cost is.
    assert (found.cache_read, found.cache_block) == (2_137_600, BLOCK)
    assert found.uncached_nano_usd == 2_425_565 * GPT_4_1.input + 30_486 * GPT_4_1.output


def test_the_costs_imply_whole_blocks_of_cached_tokens_at_the_price_of_the_model_and_at_no_other(
    data_folder: Path,
) -> None:
    def odd(rates: Rates) -> int:
        """Return the replies whose cost implies no whole number of blocks."""
        return sum(_implied(rates, line) is None for line in _replies(data_folder))

    assert odd(GPT_4_1) == 0
    for other in (replace(GPT_4_1, input=2_500), replace(GPT_4_1, cache_read=200), replace(GPT_4_1, output=10_000)):
        assert odd(other) > 200, other


def _implied(rates: Rates, line: dict[str, Any]) -> int | None:
    prompt, completion = line["usage"]["prompt_tokens"], line["usage"]["completion_tokens"]
    saved = prompt * rates.input + completion * rates.output - round(line["cost_usd"] * 10**9)
    tokens = rates.cache_read_of(prompt, completion, line["cost_usd"])
    explained = saved == tokens * (rates.input - rates.cache_read)
    return tokens if explained and tokens % BLOCK == 0 else None


def _replies(data: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield from (one for one in json.loads(line)["messages"] if one["role"] == "assistant" and one.get("usage"))
