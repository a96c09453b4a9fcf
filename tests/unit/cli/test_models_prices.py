"""Prices are printed as people compare them: dollars per million tokens."""

from __future__ import annotations

import json

import pytest

from interlock.cli.models_prices import print_prices
from interlock.cli.output import Output
from interlock.models.prices.book import load

NOW = 1_795_262_400_000


def test_prices_are_printed_per_million_tokens_with_their_source(capsys: pytest.CaptureFixture[str]) -> None:
    book = load()
    price = book.find("openai", "gpt-4.1", NOW)
    assert price is not None

    print_prices(book, [price], Output())

    printed = capsys.readouterr().out
    (row,) = (line.split() for line in printed.splitlines() if line.startswith("gpt-4.1"))
    assert row[1:5] == ["2", "8", "0.5", "2"]
    assert "genai-prices" in printed


def test_prices_are_printed_as_json_with_the_steps_of_long_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    book = load()

    print_prices(book, book.listed("anthropic", NOW), Output(as_json=True))

    (found,) = (each for each in json.loads(capsys.readouterr().out)["prices"] if each["model"] == "claude-sonnet-4-5")
    assert found["usd_per_million"]["cache_write_1h"] == "6"
    assert found["long_prompts"][0]["above_tokens"] == 200_000
    assert found["long_prompts"][0]["input"] == "6"
