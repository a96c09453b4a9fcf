"""Costs that were recorded beside real usage are costs that the book computes."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from interlock.domain.models import Usage
from interlock.models.prices.book import load

_BLOCK = 128
"""OpenAI reads from its cache in blocks of so many tokens."""


def test_every_recorded_cost_of_gpt_4_1_is_that_of_its_usage_with_some_of_the_prompt_cached(data_folder: Path) -> None:
    """The records do not say how much was cached, so it follows from the cost; it must be whole blocks of the prompt."""
    price = load().find("openai", "gpt-4.1", int(datetime(2025, 8, 1, tzinfo=UTC).timestamp()) * 1000)
    assert price is not None
    checked = 0
    for line in gzip.decompress((data_folder / "runs" / "tau2_retail_gpt-4.1.jsonl.gz").read_bytes()).splitlines():
        for message in json.loads(line)["messages"]:
            if "usage" in message:
                prompt, reply = message["usage"]["prompt_tokens"], message["usage"]["completion_tokens"]
                cost = round(message["cost_usd"] * 10**9)
                possible = {price.cost(Usage(prompt, reply, cached)) for cached in range(0, prompt + 1, _BLOCK)}
                assert cost in possible
                checked += 1

    assert checked > 700
