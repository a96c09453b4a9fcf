"""The figures by which an operator judges a workflow (requirement O4), computed from its sums. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.traces.ports import Notable, WorkflowCounts, WorkflowFigures


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something happened, and how often."""

    kind: str
    """A `Notable`."""
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How one workflow did in a span of time. None stands for a share of nothing."""

    workflow: str
    """Empty for all of the tenant's together, and for traces that name none."""
    runs: int
    ended: int
    succeeded: int
    success_rate: float | None
    """Of the runs of which somebody said what came of them."""
    cost_nano_usd: int
    """Of all runs, failed ones too."""
    cost_per_success_nano_usd: int | None
    """The cost of all runs, divided by those that succeeded."""
    p50_cost_nano_usd: int
    p95_cost_nano_usd: int
    p50_ms: int
    p95_ms: int
    p99_ms: int
    escalated: int
    """Runs that ended with a person, or had a call that did."""
    escalation_rate: float | None
    violations: int
    """Proposals that a rule denied."""
    violations_per_1000_runs: float | None
    blocked: int
    """Calls that were not made: denied by rules or people, unanswered in time, or handed to a person."""
    held: int
    """Calls that waited, or wait, for a person."""
    near_misses: int
    tool_calls: int
    tool_failures: int
    tool_failure_rate: float | None
    model_calls: int
    coverage: float | None
    """The share of runs of which spans came from outside."""
    whole: float | None
    """The share of runs whose trace is whole: ended, with its models asked through Interlock or told of from outside."""
    reasons: tuple[Reason, ...]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A workflow's figures beside those of the same span of time right before."""

    now: Figures
    before: Figures | None
    """None when it had no runs then."""


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest of `ordered` that at least `percent` of them do not exceed; 0 where there are none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0


def figures_of(
    figures: Iterable[WorkflowFigures], counts: Iterable[WorkflowCounts], most_reasons: int
) -> tuple[Figures, ...]:
    """Return the figures of each workflow, by name, with its `most_reasons` most frequent reasons."""
    counted = {one.workflow: one for one in counts}
    return tuple(_joined(one, counted[one.workflow], most_reasons) for one in figures if one.workflow in counted)


def compared(now: Iterable[Figures], before: Iterable[Figures]) -> tuple[Compared, ...]:
    """Return each of `now` beside the one of the same workflow in `before`."""
    earlier = {one.workflow: one for one in before}
    return tuple(Compared(one, earlier.get(one.workflow)) for one in now)


def _joined(one: WorkflowFigures, counts: WorkflowCounts, most_reasons: int) -> Figures:
    refused = sum(times for kind, _, times in counts.notable if kind == Notable.REFUSED)
    violations = counts.denied - refused
    return Figures(
        workflow=one.workflow,
        runs=one.runs,
        ended=one.ended,
        succeeded=one.succeeded,
        success_rate=_share(one.succeeded, one.judged),
        cost_nano_usd=one.cost_nano_usd,
        cost_per_success_nano_usd=one.cost_nano_usd // one.succeeded if one.succeeded else None,
        p50_cost_nano_usd=one.p50_cost_nano_usd,
        p95_cost_nano_usd=one.p95_cost_nano_usd,
        p50_ms=one.p50_ms,
        p95_ms=one.p95_ms,
        p99_ms=one.p99_ms,
        escalated=one.escalated,
        escalation_rate=_share(one.escalated, one.runs),
        violations=violations,
        violations_per_1000_runs=_share(1_000 * violations, one.runs),
        blocked=counts.denied + counts.escalated,
        held=counts.held,
        near_misses=counts.near_misses,
        tool_calls=counts.tool_calls,
        tool_failures=counts.failed_calls,
        tool_failure_rate=_share(counts.failed_calls, counts.tool_calls),
        model_calls=counts.model_calls,
        coverage=_share(counts.seen, one.runs),
        whole=_share(counts.whole, one.runs),
        reasons=tuple(Reason(*found) for found in counts.notable[:most_reasons]),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
