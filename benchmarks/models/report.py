"""The figures as a table for people."""

from collections.abc import Mapping, Sequence

_COLUMNS = (
    ("CPU us", "cpu_us", "median"),
    ("CPU min", "cpu_us", "min"),
    ("max req/s", "per_second", "median"),
    ("turn min ms", "turn_min_ms", "min"),
    ("turn p50 ms", "turn_p50_ms", "median"),
    ("rate p50 ms", "rate_p50_ms", "median"),
    ("rate p99 ms", "rate_p99_ms", "median"),
    ("rate CPU us", "rate_cpu_us", "median"),
    ("stream CPU us", "stream_cpu_us", "median"),
    ("paced CPU us", "paced_cpu_us", "median"),
    ("RSS MB", "rss_mb", "median"),
)
_LEGEND = """\
CPU, max req/s: 32 clients, medians of {rounds} rounds. turn: one request after the other. rate: {rate} requests per second,
"-" where that is too many. stream: {events} events in as many writes, at once. paced: the same, a millisecond apart.
"direct" has the upstream's own CPU and memory. Ratios are taken within each round: min, median, max."""


def show(figures: Mapping[str, object], rate: int, rounds: int, events: int) -> str:
    """Return the report."""
    stacks, compared = figures["stacks"], figures["ratios"]
    promises, absent, soaked = figures["promises"], figures["not available"], figures["soak"]
    assert isinstance(stacks, list)
    assert isinstance(compared, dict)
    assert isinstance(promises, dict)
    assert isinstance(absent, dict)
    assert isinstance(soaked, dict)
    lines = _grid([("", *(title for title, _, _ in _COLUMNS)), *(_row(each) for each in stacks)])
    lines += [f"{name:<12}  not available: {why}" for name, why in absent.items()]
    lines += ["", _LEGEND.format(rounds=rounds, rate=rate, events=events), ""]
    lines += [f"{name:<52} {_spread(found)}" for name, found in compared.items()]
    for name, sizes in soaked.items():
        said = ", ".join(f"{when} {size:.1f}" for when, size in sizes.items())
        lines.append(f"{f'{name}, RSS in MB over the soak':<52} {said}")
    lines += [f"{'kept  ' if kept else 'MISSED'} {name.replace('_', ' ')}" for name, kept in promises.items()]
    unrest = figures["unrest"]
    if isinstance(unrest, float) and unrest > _QUIET:
        lines.append(f"Other work took up to {unrest:.0%} of the proxies' core in a round: repeat on a quiet machine.")
    return "\n".join(lines)


_QUIET = 0.05


def _row(stack: Mapping[str, object]) -> tuple[str, ...]:
    return (str(stack["stack"]), *(_cell(stack[figure], which) for _, figure, which in _COLUMNS))


def _cell(found: object, which: str) -> str:
    return _plain(found[which]) if isinstance(found, dict) else "-"


def _spread(found: object) -> str:
    if not isinstance(found, dict):
        return "-"
    return "  ".join(f"{_plain(found[which]):>8}" for which in ("min", "median", "max"))


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


_WHOLE = 100


def _grid(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
