"""One model call, measured in turns: direct, a bare proxy, Interlock, Portkey, LiteLLM: `python -m benchmarks.models`."""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import uvloop

from benchmarks.mcp_servers import free_port
from benchmarks.models import figures, report
from benchmarks.models.exchange import EVENTS
from benchmarks.models.processes import LOAD_CORE, PROXY_CORE, NotStarted, pinned
from benchmarks.models.rounds import asks, booked, checked, one_round, soak, warmed_up
from benchmarks.models.stacks import STARTERS, Stack, proxy, upstream
from benchmarks.models.wire import LoadFailed

RATE = 100


@dataclass(slots=True)
class Measured:
    """What a run has found out so far."""

    rounds: dict[str, list[figures.Round]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    soaked: dict[str, list[float]] = field(default_factory=dict)
    wrong: str = ""
    """What is wrong in Interlock's books."""


def main() -> int:
    """Measure all in turn, again and again, so that all of them meet the same weather."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each load of a round lasts (default: 2)")
    parser.add_argument(
        "--soak",
        type=int,
        default=200_000,
        metavar="N",
        help="then send N requests to Interlock and to the bare proxy, and watch their memory (default: 200000)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=STARTERS, default=tuple(STARTERS), help="which gateways (default: all)"
    )
    options = parser.parse_args()
    if not {PROXY_CORE, LOAD_CORE} <= _cores():
        print("This benchmark needs Linux and the processors 0 and 1.", file=sys.stderr)
        return 3
    # Whoever ends this ends the servers too, which would else stand still for ever.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as folder, pinned(LOAD_CORE):
        measured = uvloop.run(_measure(Path(folder), options))
    found = _found(measured)
    print(json.dumps(found, indent=1) if options.json else report.show(found, RATE, options.rounds, EVENTS))
    missed = [name for name, kept in figures.promises(measured.rounds, measured.soaked).items() if not kept]
    missed += [f"interlock: {why}" for name, why in measured.absent.items() if name == "interlock"]
    missed += [f"every call recorded and settled: {measured.wrong}"] if measured.wrong else []
    for name in missed:
        print(f"Missed: {name.replace('_', ' ')}", file=sys.stderr)
    return int(bool(missed))


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


async def _measure(folder: Path, options: argparse.Namespace) -> Measured:
    measured = Measured()
    with ExitStack() as stack:
        direct = stack.enter_context(upstream(free_port(), folder))
        present = [direct]
        url = f"http://127.0.0.1:{direct.server.port}/v1"
        for name in options.only:
            await _raise(name, folder, url, present, measured, stack)
        for each in tuple(present):
            _say(f"{each.name}: warming up")
            await _try(warmed_up(each), each, present, measured)
        for number in range(options.rounds):
            _say(f"round {number + 1} of {options.rounds}")
            for each in tuple(present):
                ran = await _try(one_round(each, options.seconds, RATE), each, present, measured)
                if ran:
                    measured.rounds.setdefault(each.name, []).append(ran)
        for each in tuple(present):
            if options.soak and each.name in ("bare proxy", "interlock"):
                _say(f"{each.name}: {options.soak:,} requests")
                measured.soaked[each.name] = await _try(soak(each, options.soak), each, present, measured) or []
        for each in tuple(present):
            if each.name == "interlock":
                measured.wrong = await _try(booked(each, folder / each.name), each, present, measured) or ""
    return measured


_Done = TypeVar("_Done")


async def _try(work: Awaitable[_Done], on: Stack, present: list[Stack], measured: Measured) -> _Done | None:
    """Return what `work` returns; what fails is measured no further, and its row says why."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            return await work
    except TimeoutError:
        why = f"It did not answer within {_LONGEST_S:.0f} s."
    except (NotStarted, LoadFailed) as error:
        why = str(error)
    present.remove(on)
    measured.rounds.pop(on.name, None)
    measured.absent[on.name] = why
    if not on.held:
        raise SystemExit(f"The upstream failed: {why}")
    return None


_LONGEST_S = 900.0


async def _raise(name: str, folder: Path, url: str, present: list[Stack], measured: Measured, stack: ExitStack) -> None:
    """Start one gateway and see that it answers rightly; else keep the reason."""
    _say(f"{name}: starting")
    with ExitStack() as own:
        try:
            started = own.enter_context(proxy(name, free_port(), folder, url))
            await checked(asks(started))
        except (NotStarted, LoadFailed) as error:
            measured.absent[name] = str(error)
            return
        present.append(started)
        stack.push(own.pop_all())


def _found(measured: Measured) -> dict[str, object]:
    return {
        "stacks": figures.by_stack(measured.rounds),
        "not available": measured.absent,
        "ratios": figures.ratios(measured.rounds),
        "soak": figures.soaked_by_stack(measured.soaked),
        "promises": _promises(measured),
        "unrest": figures.unrest(measured.rounds),
    }


def _promises(measured: Measured) -> dict[str, bool]:
    kept = figures.promises(measured.rounds, measured.soaked)
    return {**kept, "every_call_recorded_and_settled_on_3_levels": not measured.wrong} if kept else {}


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
