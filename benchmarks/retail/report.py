"""The figures on one page: recorded against ledger, run by run and in total, and where the two must differ."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.retail.ledger import Measured
from benchmarks.retail.player import Played
from benchmarks.retail.records import Tally, total
from interlock.domain.money import usd
from interlock.models.prices.price import Price


@dataclass(frozen=True, slots=True)
class Figures:
    """All runs together."""

    recorded: Tally
    ledger: Tally
    simulator: Tally
    greetings: int
    cache_read: int
    cache_block: int
    """The largest number of which the tokens from the cache are a multiple, reply by reply: providers cache in blocks."""
    uncached_nano_usd: int
    """What the same tokens would have cost if none had come from the provider's cache."""
    succeeded: int
    per_success_nano_usd: int
    """As Interlock's own report says it."""
    problems: tuple[str, ...]
    """Differences that nothing explains; none may be."""


def figures(measured: Measured, price: Price) -> Figures:
    """Add everything up and compare."""
    runs = [one.run for one in measured.played]
    entries = list(measured.entries.values())
    ledger, cache_read = total(one.records for one in entries), sum(one.cache_read for one in entries)
    saved = (price.standard.per_million("input") - price.standard.per_million("cache_read")) * 1_000
    own = measured.report["total"]
    return Figures(
        recorded=total(run.agent for run in runs),
        ledger=ledger,
        simulator=total(run.simulator for run in runs),
        greetings=sum(run.greetings for run in runs),
        cache_read=cache_read,
        cache_block=math.gcd(*(one.cache_block for one in entries)),
        uncached_nano_usd=ledger.cost_nano_usd + int(cache_read * saved),
        succeeded=own["successes"] or 0,
        per_success_nano_usd=own["cost_per_success_nano_usd"] or 0,
        problems=(*_of_runs(measured), *_of_the_report(measured, ledger)),
    )


def page(measured: Measured, found: Figures) -> str:
    """Return the page."""
    head = ("run", "calls", "tokens in", "tokens out", "USD recorded", "USD ledger", "difference", "done")
    rows = [_row(one, measured) for one in measured.played]
    rows.append(("all", *_cells(found.recorded, found.ledger), f"{found.succeeded} of {len(rows)}"))
    return "\n".join([*_table(head, rows), "", *_words(measured, found)])


def _of_runs(measured: Measured) -> Iterator[str]:
    for one in measured.played:
        run, entry = one.run, measured.entries[one.run.id]
        if entry.records != run.agent:
            yield f"{run.id}: recorded {run.agent}, in Interlock's records {entry.records}"
        if (entry.budget_tokens, entry.budget_nano_usd) != (run.agent.tokens, run.agent.cost_nano_usd):
            spent = f"{entry.budget_tokens} tokens and {entry.budget_nano_usd} nano-USD"
            yield f"{run.id}: recorded {run.agent}, spent on its budgets {spent}"
        if entry.held:
            yield f"{run.id}: {entry.held} still held"
        if entry.retried:
            yield f"{run.id}: {entry.retried} calls were not served at the first attempt"
        if run.stated_nano_usd != run.agent.cost_nano_usd:
            yield f"{run.id}: the record says {run.stated_nano_usd} in all, its messages {run.agent.cost_nano_usd}"
        if not one.streamed and (one.told.input, one.told.output) != (run.agent.input, run.agent.output):
            yield f"{run.id}: recorded {run.agent}, told to the client {one.told}"


def _of_the_report(measured: Measured, ledger: Tally) -> Iterator[str]:
    own, successes = measured.report["total"], sum(one.run.success for one in measured.played)
    said = Tally(own["calls"], own["input_tokens"], own["output_tokens"], own["cost_nano_usd"])
    if said != ledger:
        yield f"Interlock's report by agent says {said}, by run {ledger}"
    if own["successes"] != successes:
        yield f"{successes} runs succeeded, Interlock's report says {own['successes']}"


def _row(one: Played, measured: Measured) -> tuple[object, ...]:
    return (
        one.run.id,
        *_cells(one.run.agent, measured.entries[one.run.id].records),
        "yes" if one.run.success else "no",
    )


def _cells(recorded: Tally, ledger: Tally) -> tuple[object, ...]:
    apart = ledger - recorded
    wrong = f"{apart.input:+} {apart.output:+} {usd(apart.cost_nano_usd)}" if apart != Tally() else "none"
    return (
        f"{ledger.calls}",
        f"{ledger.input:,}",
        f"{ledger.output:,}",
        f"{recorded.cost_nano_usd / 1e9:.6f}",
        f"{ledger.cost_nano_usd / 1e9:.6f}",
        wrong,
    )


def _table(head: Sequence[str], rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    lines = [head, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        first, *others = line
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([f"{first:<{widths[0]}}", *cells])


def _words(measured: Measured, found: Figures) -> Iterator[str]:
    runs, share = len(measured.played), 100 * found.cache_read / max(found.ledger.input, 1)
    yield f"{runs} runs, {found.succeeded} succeeded: {usd(found.ledger.cost_nano_usd)} USD of models in all,"
    yield f"{usd(found.per_success_nano_usd)} USD per successful run, as `interlock models spending` says it."
    yield ""
    yield "Recorded, and not in the ledger:"
    yield f"- the model that played the customer: {found.simulator.calls} messages, {found.simulator.input:,} tokens in,"
    yield f"  {found.simulator.output:,} out, {usd(found.simulator.cost_nano_usd)} USD. It is no part of the agent."
    yield f"- {found.greetings} greetings that no model said: without usage, at no cost."
    yield "Not recorded, and in the ledger:"
    yield f"- {found.cache_read:,} input tokens ({share:.1f} %) read from the provider's cache. The record says tokens and cost,"
    yield "  not what came from the cache; at the model's price the cost of each reply implies a number:"
    yield f"  always a whole one, and a multiple of {found.cache_block}. Without it the ledger would say"
    yield f"  {usd(found.uncached_nano_usd)} USD."
    if found.problems:
        yield ""
        yield "Differences that nothing explains:"
        yield from found.problems
