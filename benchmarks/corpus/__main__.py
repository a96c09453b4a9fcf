"""`python -m benchmarks.corpus --data DATA --config CONFIG [--out FILE]`: see README.md beside this file."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpus.benchmark import Job, Progress, play_all
from benchmarks.corpus.configuration import BadConfiguration, find
from benchmarks.corpus.figures import as_json, rows_by_suite, write_rows
from benchmarks.corpus.player import Played
from benchmarks.corpus.processes import ProcessFailed
from benchmarks.corpus.records import BadData, Group, Record, load
from benchmarks.corpus.report import explained, page
from benchmarks.corpus.reviewer import Setting
from benchmarks.corpus.roads import RoadFailed

_ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code: 1 a call got past its refusal, 2 wrong input, 3 a server failed."""
    options = _options(argv)
    started = time.monotonic()
    try:
        jobs = _jobs(load(options.data, frozenset(options.suite)), options)
        program = [str(options.interlock)] if options.interlock else _program()
        runs = asyncio.run(play_all(jobs, options.data.resolve(), program, at_once=options.jobs, progress=_progress()))
    except (BadData, BadConfiguration) as error:
        return _end(str(error), 2)
    except ExceptionGroup as group:
        known = group.subgroup((ProcessFailed, RoadFailed))
        if known is None or len(known.exceptions) < len(group.exceptions):
            raise
        return _end("\n".join(str(error) for error in known.exceptions), 3)
    return _report(runs, options, time.monotonic() - started)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with runs/ and env/")
    parser.add_argument("--config", type=Path, help="folder with one sub-folder per suite")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON rows")
    parser.add_argument("--suite", action="append", default=[], help="only this suite; may be repeated")
    parser.add_argument(
        "--setting",
        action="append",
        choices=["refuse", "reviewer", "literal"],
        help="only this; default: refuse and reviewer",
    )
    parser.add_argument("--ungated", action="store_true", help="play without Interlock: the yardstick")
    parser.add_argument("--rest", action="store_true", help="propose calls over REST in place of MCP")
    parser.add_argument("--explain", action="store_true", help="print every call that was held or stopped, and why")
    parser.add_argument("--jobs", type=int, default=2, help="servers at a time (default: 2)")
    parser.add_argument("--interlock", type=Path, help="the program to run (default: .venv/bin/interlock)")
    options = parser.parse_args(argv)
    if options.config is None and not options.ungated:
        parser.error("--config is needed, except with --ungated")
    return options


def _jobs(groups: dict[Group, tuple[Record, ...]], options: argparse.Namespace) -> list[Job]:
    if options.ungated:
        return [Job(group, records, (Setting.UNGATED,), None) for group, records in groups.items()]
    settings = tuple(Setting(name) for name in options.setting or ("refuse", "reviewer"))
    largest_first = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [
        Job(group, records, settings, find(options.config, group), options.rest) for group, records in largest_first
    ]


def _program() -> list[str]:
    runtime = _ROOT / ".venv" / "bin" / "interlock"
    beside = Path(sys.executable).parent / "interlock"
    for program in (runtime, beside):
        if program.exists():
            return [str(program)]
    raise BadConfiguration(f"There is no {runtime}. Run `make setup`, or name the program with --interlock.")


def _progress() -> Progress:
    shown: dict[tuple[Group, Setting], tuple[int, int]] = {}
    live = sys.stderr.isatty()

    def show(group: Group, setting: Setting, done: int, of: int) -> None:
        shown[group, setting] = (done, of)
        if live:
            parts = [f"{one.suite} {how} {n}/{all_}" for (one, how), (n, all_) in shown.items() if n < all_]
            sys.stderr.write(f"\r\x1b[K{'  '.join(parts)}")
        elif done == of:
            sys.stderr.write(f"played {group}, {setting}: {of} runs\n")
        sys.stderr.flush()

    return show


def _report(runs: list[Played], options: argparse.Namespace, seconds: float) -> int:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if options.explain:
        print("\n".join(explained(runs)), end="\n\n")
    print(page(runs))
    print(f"{len(runs)} runs, {sum(len(run.calls) for run in runs)} calls, {seconds:.0f} s.")
    if options.out:
        rows = as_json(rows_by_suite(runs), write_rows(runs))
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    surprises = [f"{run.record.group} {run.record.task}: {call}" for run in runs for call in run.surprises]
    if surprises:
        return _end("Calls reached the tools unannounced or changed:\n" + "\n".join(surprises), 1)
    return 0


def _end(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
