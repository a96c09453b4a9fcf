"""The retail benchmark finds every difference between a record and the ledger, and reads streams as they stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.retail.__main__ import main, price_of
from benchmarks.retail.ledger import Entry, Measured
from benchmarks.retail.player import Played, PlayFailed, assembled, spoken
from benchmarks.retail.records import RetailRun, Tally
from benchmarks.retail.report import figures, page

TALLY = Tally(calls=2, input=1_000, output=50, cost_nano_usd=1_500_000)
RUN = RetailRun(
    id="retail-1-0",
    label="tau2-bench:retail:1:0@gpt-4.1",
    model="gpt-4.1",
    messages=(),
    agent=TALLY,
    simulator=Tally(1, 100, 10, 280_000),
    greetings=1,
    stated_nano_usd=1_500_000,
    success=True,
)
ENTRY = Entry(TALLY, 640, 64, 0, 1_050, 1_500_000, 0)


def measured(run: RetailRun = RUN, entry: Entry = ENTRY, told: Tally = TALLY, **report: Any) -> Measured:
    total = {
        "calls": 2,
        "input_tokens": 1_000,
        "output_tokens": 50,
        "cost_nano_usd": 1_500_000,
        "successes": 1,
        "cost_per_success_nano_usd": 1_500_000,
    }
    return Measured((Played(run, streamed=False, told=told),), {run.id: entry}, {"total": total | report}, 0.1)


def test_a_run_that_agrees_has_no_problem_and_its_page_says_what_a_success_cost() -> None:
    found = figures(measured(), price_of("gpt-4.1"))

    assert found.problems == ()
    assert found.uncached_nano_usd == 1_500_000 + 640 * 1_500
    shown = page(measured(), found)
    assert "0.0015 USD per successful run" in shown
    assert "Differences" not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        measured(entry=replace(ENTRY, records=replace(TALLY, input=999))),
        measured(entry=replace(ENTRY, records=replace(TALLY, cost_nano_usd=1_500_001))),
        measured(entry=replace(ENTRY, budget_tokens=1_051)),
        measured(entry=replace(ENTRY, budget_nano_usd=1)),
        measured(entry=replace(ENTRY, held=1)),
        measured(entry=replace(ENTRY, retried=1)),
        measured(run=replace(RUN, stated_nano_usd=1_500_001)),
        measured(told=replace(TALLY, output=51)),
        measured(successes=0),
        measured(cost_nano_usd=1),
    ],
)
def test_every_difference_is_a_problem_and_stands_on_the_page(wrong: Measured) -> None:
    found = figures(wrong, price_of("gpt-4.1"))

    assert found.problems
    assert found.problems[0] in page(wrong, found)


def test_a_stream_makes_the_message_that_was_recorded() -> None:
    chunks = (
        '{"choices":[{"delta":{"role":"assistant","content":"One "}}]}',
        '{"choices":[{"delta":{"content":"moment."}}]}',
        '{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"find","arguments":"{\\"a\\""}}]}}]}',
        '{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}',
        '{"choices":[]}',
        "[DONE]",
    )
    stream = "".join(f"data: {chunk}\n\n" for chunk in chunks)
    recorded = {
        "content": "One moment.",
        "tool_calls": [{"id": "c1", "function": {"name": "find", "arguments": {"a": 1}}}],
    }

    assert spoken(assembled(stream)) == spoken(recorded)
    with pytest.raises(PlayFailed, match="ended early"):
        assembled(stream.removesuffix("data: [DONE]\n\n"))


def test_a_folder_without_the_runs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert "tau2_retail_gpt-4.1.jsonl.gz cannot be read" in capsys.readouterr().err
