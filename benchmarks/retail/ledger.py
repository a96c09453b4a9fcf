"""What Interlock says of the runs: its records of model calls, its budgets, and its own report of spending."""

import asyncio
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.retail import deployment
from benchmarks.retail.player import Played, PlayFailed, play_all
from benchmarks.retail.records import FILE, Tally, load, stage

_PATIENCE_S = 10.0
_MOST = 1_000
_NOTHING: Mapping[str, Any] = dict.fromkeys(("calls", "input_tokens", "output_tokens", "cost_nano_usd"), 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in Interlock's books."""

    records: Tally
    """Its model calls, as spending adds them up."""
    cache_read: int
    """Of the input, over all calls."""
    cache_block: int
    """The largest number of which each call's `cache_read` is a multiple."""
    retried: int
    """Calls with another outcome than one attempt that was served."""
    budget_tokens: int
    """Spent, as the budget of the run counts."""
    budget_nano_usd: int
    held: int
    """Still held on its budgets once the server has ended; none may be."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs, as recorded and as Interlock has them."""

    played: tuple[Played, ...]
    entries: dict[str, Entry]
    """By run."""
    report: dict[str, Any]
    """`interlock models spending --by agent --json`, after the server has ended."""
    seconds: float


async def measure(data: Path, program: Sequence[str]) -> Measured:
    """Play every recorded run through a real server and read its books. Raises PlayFailed, BadRecord, ProcessFailed."""
    runs = load(data)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="retail-") as name:
        folder = Path(name)
        deployment.write(folder, (data / FILE).resolve(), runs[0].model)
        async with deployment.served(program, folder) as served:
            played = await play_all(runs, stage(data), served)
            spent, calls = await _read(served, sum(run.agent.calls for run in runs))
        balances, report = await asyncio.gather(
            deployment.command(program, folder, "budgets", "list", "--limit", str(_MOST)),
            deployment.command(program, folder, "models", "spending", "--by", "agent"),
        )
    entries = {one.run.id: _entry(one.run.id, spent, calls, balances["budgets"]) for one in played}
    return Measured(played, entries, report, time.monotonic() - started)


async def _read(served: deployment.Served, expected: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return spending by run, and every model call, once all of them are written down."""
    headers, deadline = {"Authorization": f"Bearer {served.operator_key}"}, time.monotonic() + _PATIENCE_S
    async with aiohttp.ClientSession(served.url, headers=headers, raise_for_status=True) as http:
        while True:
            spending = await _get(http, f"/api/v1/spending?by=run&limit={_MOST}")
            if spending["total"]["calls"] >= expected:
                calls = await _get(http, f"/api/v1/model-calls?limit={_MOST}")
                return spending["groups"], calls["model_calls"]
            if time.monotonic() > deadline:
                raise PlayFailed(f"{spending['total']['calls']} of {expected} model calls were written down.")
            await asyncio.sleep(0.05)


async def _get(http: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401 - parsed JSON
    async with http.get(path) as answer:
        return await answer.json()


def _entry(
    run: str, spent: Sequence[dict[str, Any]], calls: Sequence[dict[str, Any]], balances: Sequence[dict[str, Any]]
) -> Entry:
    group = next((one for one in spent if one["group"] == run), _NOTHING)
    own = [one for one in calls if one["run"] == run]
    budgets = [one for one in balances if f"|run={run}|" in f"{one['budget']}|"]
    return Entry(
        records=Tally(group["calls"], group["input_tokens"], group["output_tokens"], group["cost_nano_usd"]),
        cache_read=sum(one["usage"]["cache_read"] for one in own),
        cache_block=math.gcd(*(one["usage"]["cache_read"] for one in own)),
        retried=sum([each["outcome"] for each in one["attempts"]] != ["served"] for one in own),
        budget_tokens=sum(one["spent"] for one in budgets if "run-tokens" in one["budget"]),
        budget_nano_usd=sum(one["spent"] for one in budgets if "run-cost" in one["budget"]),
        held=sum(one["held"] for one in budgets),
    )
