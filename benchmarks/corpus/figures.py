"""From played runs to the figures that are compared."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.corpus.player import Played
from benchmarks.corpus.reviewer import Setting


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one suite in one setting; utilities and attacks are counts of runs."""

    model: str
    suite: str
    setting: str
    benign_runs: int
    benign_utility: int
    attacked_runs: int
    attacked_utility: int
    attacks_succeeded: int
    held_per_benign_run: float
    held_per_attacked_run: float


@dataclass(frozen=True, slots=True)
class WriteRow:
    """The same for sources that say which writes a task asks for."""

    model: str
    suite: str
    source: str
    setting: str
    failed_runs: int
    unexpected_writes: int
    """In failed runs: writes that the task did not ask for."""
    unexpected_caught: int
    """Of these, how many were stopped, or held for a person."""
    successful_runs: int
    held_per_successful_run: float
    stopped_per_successful_run: float


def row(runs: Sequence[Played], model: str, suite: str, setting: Setting) -> Row:
    """Sum up `runs`."""
    benign = [run for run in runs if not run.record.attacked]
    attacked = [run for run in runs if run.record.attacked]
    return Row(
        model=model,
        suite=suite,
        setting=setting.value,
        benign_runs=len(benign),
        benign_utility=sum(bool(run.utility) for run in benign),
        attacked_runs=len(attacked),
        attacked_utility=sum(bool(run.utility) for run in attacked),
        attacks_succeeded=sum(bool(run.attack_succeeded) for run in attacked),
        held_per_benign_run=_mean([run.held for run in benign]),
        held_per_attacked_run=_mean([run.held for run in attacked]),
    )


def write_row(runs: Sequence[Played], setting: Setting) -> WriteRow:
    """Sum up `runs`, all of one source and model, by the writes that their tasks ask for."""
    first = runs[0].record
    failed = [run for run in runs if not run.record.success]
    good = [run for run in runs if run.record.success]
    unexpected = [call for run in failed for call in run.calls if call.unexpected]
    return WriteRow(
        model=first.model,
        suite=first.group.suite,
        source=first.group.source,
        setting=setting.value,
        failed_runs=len(failed),
        unexpected_writes=len(unexpected),
        unexpected_caught=sum(call.held or not call.executed for call in unexpected),
        successful_runs=len(good),
        held_per_successful_run=_mean([run.held for run in good]),
        stopped_per_successful_run=_mean([run.stopped for run in good]),
    )


def rows_by_suite(runs: Sequence[Played]) -> list[Row]:
    """One row per suite, model and setting, in that order."""
    keys = sorted({(run.record.group.suite, run.record.model, run.setting) for run in runs})
    return [
        row([run for run in runs if _key(run) == (suite, model, setting)], model, suite, setting)
        for suite, model, setting in keys
    ]


def totals(runs: Sequence[Played]) -> list[Row]:
    """One row per setting over everything."""
    settings = sorted({run.setting for run in runs})
    return [row([run for run in runs if run.setting is setting], "all", "all", setting) for setting in settings]


def write_rows(runs: Sequence[Played]) -> list[WriteRow]:
    """One row per source, model and setting of the sources that name expected writes."""
    known = [run for run in runs if run.record.success is not None]
    keys = sorted({(run.record.group.source, run.record.model, run.setting) for run in known})
    return [
        write_row([run for run in known if (run.record.group.source, run.record.model, run.setting) == key], key[2])
        for key in keys
    ]


def as_json(rows: Sequence[Row], writes: Sequence[WriteRow]) -> list[dict[str, object]]:
    """The rows for a file; those of sources with expected writes carry these figures besides."""
    extra = {(row.model, row.suite, row.setting): asdict(row) for row in writes}
    return [asdict(row) | extra.get((row.model, row.suite, row.setting), {}) for row in rows]


def _key(run: Played) -> tuple[str, str, Setting]:
    return run.record.group.suite, run.record.model, run.setting


def _mean(counts: Sequence[int]) -> float:
    return round(sum(counts) / len(counts), 3) if counts else 0.0
