"""All paired benchmarks in turn, in one table: `python -m benchmarks [--json]`."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_NAMES = ("decide", "mcp_call", "reservations", "brake", "audit", "redaction", "ingest", "traces", "models")
"""Each is also a program of its own, in this order from the cheapest to the longest."""


def main() -> int:
    """Run each benchmark in a process of its own, one after the other, so that none disturbs another."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    failed: list[str] = []
    for name in _NAMES:
        started = time.monotonic()
        print(f"{name} ...", file=sys.stderr, end=" ", flush=True)
        ran = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--json"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
            check=False,
        )
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
        try:
            figures[name] = json.loads(ran.stdout)
        except json.JSONDecodeError:
            failed.append(f"{name} printed no figures (exit code {ran.returncode}):\n{ran.stderr.strip()[-2000:]}")
        else:
            if ran.returncode:
                failed.append(f"{name} missed a target (exit code {ran.returncode}).\n{ran.stderr.strip()[-500:]}")
    print(json.dumps(figures, indent=1) if options.json else _table(figures))
    for problem in failed:
        print(problem.strip(), file=sys.stderr)
    return 1 if failed else 0


def _table(figures: dict[str, object]) -> str:
    rows = [("benchmark", "figure", "value")]
    for name, said in figures.items():
        rows += [(name, path, value) for path, value in _leaves(said)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{name:<{widths[0]}}  {figure:<{widths[1]}}  {value:>{widths[2]}}".rstrip() for name, figure, value in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every figure with the names that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path} {key}".strip())
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _named(item, path) if isinstance(item, dict) else _leaves(item, f"{path} {index + 1}".strip())
    else:
        yield path, _plain(value)


def _named(row: dict[str, object], path: str) -> Iterator[tuple[str, str]]:
    """Yield the figures of one row of a list; its texts and counts say which row it is."""
    texts = [value for value in row.values() if isinstance(value, str)]
    counts = [f"{value} {key}" for key, value in row.items() if isinstance(value, int) and not isinstance(value, bool)]
    name = " ".join([path, *texts, *counts]).strip()
    for key, value in row.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            yield from _leaves(value, f"{name} {key}")


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= _BIG else f"{value:.4g}"
    return str(value)


_BIG = 1_000


if __name__ == "__main__":
    sys.exit(main())
