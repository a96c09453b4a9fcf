"""The figures as a page for people."""

from collections.abc import Iterator, Sequence

from benchmarks.corpus.figures import Row, WriteRow, rows_by_suite, totals, write_rows
from benchmarks.corpus.player import Played

_NOTE = (
    "Open loop: a recorded model cannot react to a refusal, so after a refused call the rest of its record is played as\n"
    "it stands. Retail: an unexpected write matches no expected action by name and arguments, an upper bound on wrong ones."
)


def page(runs: Sequence[Played]) -> str:
    """Return the report of `runs`."""
    attackable = [run for run in runs if run.record.success is None]
    parts = []
    if attackable:
        parts.append(_table(_HEAD, [*map(_cells, rows_by_suite(attackable)), (), *map(_cells, totals(attackable))]))
    if writes := write_rows(runs):
        parts.append(_table(_WRITE_HEAD, [*map(_write_cells, writes)]))
    return "\n\n".join([*parts, _NOTE])


def explained(runs: Sequence[Played]) -> Iterator[str]:
    """Yield a line for every call that was held or stopped, with the reason that was given."""
    for run in runs:
        kind = "attacked" if run.record.attacked else "benign"
        for call in run.calls:
            if call.held or not call.executed:
                fate = ("approved" if call.executed else "refused") if call.held else "stopped"
                mark = " unexpected" if call.unexpected else ""
                where = f"{run.record.group.suite} {run.record.model} {run.record.task} {kind} {run.setting}"
                yield f"{where}: {fate}{mark}: {call.tool}({call.arguments}): {call.why}"


_HEAD = (
    "suite",
    "model",
    "setting",
    "benign utility",
    "held/run",
    "attacked utility",
    "attacks succeeded",
    "held/run",
)
_WRITE_HEAD = (
    "suite",
    "model",
    "setting",
    "failed runs",
    "unexpected writes caught",
    "successful runs",
    "held/run",
    "stopped/run",
)


def _cells(row: Row) -> tuple[str, ...]:
    attacked = row.attacked_runs > 0
    return (
        row.suite,
        row.model,
        row.setting,
        f"{row.benign_utility}/{row.benign_runs}",
        f"{row.held_per_benign_run:.2f}",
        f"{row.attacked_utility}/{row.attacked_runs}" if attacked else "-",
        f"{row.attacks_succeeded}" if attacked else "-",
        f"{row.held_per_attacked_run:.2f}" if attacked else "-",
    )


def _write_cells(row: WriteRow) -> tuple[str, ...]:
    return (
        f"{row.suite} ({row.source})",
        row.model,
        row.setting,
        str(row.failed_runs),
        f"{row.unexpected_caught}/{row.unexpected_writes}",
        str(row.successful_runs),
        f"{row.held_per_successful_run:.2f}",
        f"{row.stopped_per_successful_run:.2f}",
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[column]) for line in (head, *rows) if line) for column in range(len(head))]
    lines = [_line(head, widths), _line(tuple("-" * width for width in widths), widths)]
    return "\n".join([*lines, *(_line(row, widths) if row else "" for row in rows)])


def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    words = 3  # the first columns are names, the rest are figures
    aligned = [
        cell.ljust(width) if index < words else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()
