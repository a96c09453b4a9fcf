"""`python -m benchmarks.backtest --data DATA [--calls N] [--json]`: how long the past takes, and what the report says.

The corpus goes through a real gate once, with at most ten calls a run, and is repeated with new ids until there are N calls.
Then it is held against six calls a run, and against a stricter rule for refunds, on as many processes as asked for.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.backtest.corpus import fill
from interlock.cli.comparing import show
from interlock.cli.output import Output
from interlock.config.nodes import parse, plain
from interlock.domain.canonical import JsonObject
from interlock.gateway.replay.tally import comparison
from interlock.wiring.backtesting import ask
from interlock.wiring.candidates import Question

TARGET_CALLS, TARGET_S = 100_000, 30.0
REFUND_RULES = (
    {
        "id": "returns-need-a-person",
        "tool": "return_delivered_order_items",
        "condition": "size(input.item_ids) < 1",
        "on_fail": "require_approval",
    },
    {
        "id": "cancels-only-by-mistake",
        "tool": "cancel_pending_order",
        "condition": 'input.reason == "ordered by mistake"',
        "on_fail": "deny",
    },
)
"""A stricter refund rule: money goes back after a person has looked, or because the order was a mistake."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One back-test."""

    name: str
    calls: int
    seconds: float
    cpu_s: float
    """Over all processes."""
    calls_per_s: int
    peak_mib: int
    """The largest of the processes."""
    changed: int
    repeatable: bool | None
    """Whether one process gives the same bytes as all of them; None where nobody looked."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with runs/ and env/")
    parser.add_argument("--calls", type=int, default=0, help="repeat the corpus until there are so many calls")
    parser.add_argument("--suite", action="append", default=[], help="only this suite; repeatable")
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--check", action="store_true", help="ask again with one process, and compare the bytes")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="backtest-") as name:
        timed = asyncio.run(measure(Path(name), options))
    if options.json:
        print(json.dumps({"backtests": [asdict(one) for one in timed]}, indent=1))
    missed = [one for one in timed if one.seconds * TARGET_CALLS > TARGET_S * max(one.calls, TARGET_CALLS)]
    for one in missed:
        print(f"{one.name}: {one.seconds:.1f} s is more than {TARGET_S:g} s for {TARGET_CALLS} calls.", file=sys.stderr)
    return 1 if missed or any(one.repeatable is False for one in timed) else 0


async def measure(folder: Path, options: argparse.Namespace) -> tuple[Timed, ...]:
    """Fill a store and ask both questions of it."""
    suites = frozenset(options.suite)
    started = time.monotonic()
    shop = folder / "shop"
    size = await fill(shop, options.data, options.calls, suites)
    output = Output(as_json=options.json)
    output.say(f"{size.calls} calls in {size.runs} runs were recorded in {time.monotonic() - started:.0f} s.\n")
    questions = {
        "max_tool_calls 10 -> 6": Question(shop, edits=(("budgets.max_tool_calls", "6"),)),
        "a stricter refund rule": Question(shop, policy=stricter(shop, folder / "stricter")),
    }
    return tuple([await _timed(name, question, options, output) for name, question in questions.items()])


def stricter(shop: Path, folder: Path) -> Path:
    """Write the agent's file with the stricter refund rule into `folder`, and return that."""
    (folder / "agents").mkdir(parents=True)
    agent: dict[str, Any] = plain(parse((shop / "agents" / "retail.yaml").read_text(), "retail.yaml"))
    agent["policy"]["rules"] += REFUND_RULES
    (folder / "agents" / "retail.yaml").write_text(json.dumps(agent, indent=1))
    return folder


async def _timed(name: str, question: Question, options: argparse.Namespace, output: Output) -> Timed:
    started, spent = time.monotonic(), _cpu_s()
    found = comparison(await ask(question, options.processes))
    seconds, cpu_s = time.monotonic() - started, _cpu_s() - spent
    if not output.as_json:
        show(output, found, name)
    same = _bytes(found) == _bytes(comparison(await ask(question, 1))) if options.check else None
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    speed = f"{found['calls'] / seconds:,.0f} calls/s: {seconds:.1f} s, {cpu_s:.1f} s of CPU"
    output.say(f"\n{speed}, at most {peak // 1024} MiB in a process\n")
    return Timed(
        name,
        found["calls"],
        round(seconds, 2),
        round(cpu_s, 2),
        int(found["calls"] / seconds),
        peak // 1024,
        found["changed"],
        same,
    )


def _cpu_s() -> float:
    told = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in told)


def _bytes(found: JsonObject) -> bytes:
    return json.dumps(found).encode()


if __name__ == "__main__":
    sys.exit(main())
