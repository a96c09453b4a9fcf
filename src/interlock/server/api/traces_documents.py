"""What the API tells of traces and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.canonical import Json
from interlock.domain.spans import Category, SpanKind, SpanStatus


@dataclass(frozen=True, slots=True)
class RunSumsDocument:
    """What is known of one run, or of a trace from outside, in sums."""

    trace_id: str
    run: Annotated[str | None, "null for a trace from outside that no run of Interlock belongs to."]
    session: Annotated[str, "What spans from outside name: a session, a conversation."]
    workflow: Annotated[str, "The agent; of traces from outside, what their top span names."]
    user: str
    state: Annotated[str, "`open`, `closed` or `stopped`; empty for traces from outside."]
    outcome: Annotated[str, "Empty while nobody has said it."]
    started_at: int
    ended_at: int | None
    duration_ms: int | None
    model_calls: int
    tool_calls: int
    failed_calls: Annotated[int, "Calls whose tool is known to have failed."]
    denied: Annotated[int, "Calls that rules or people denied, or that nobody answered in time."]
    held: Annotated[int, "Calls that waited, or wait, for a person."]
    escalated: Annotated[int, "Calls that were handed to a person."]
    near_misses: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: Annotated[int, "In 10^-9 USD, as Interlock counted it."]
    spans: Annotated[int, "Spans that came from outside."]
    errors: Annotated[int, "Of those, the ones that say error."]
    reported_input_tokens: Annotated[int, "What the spans from outside say; never part of the sums above."]
    reported_output_tokens: int
    reported_cost_nano_usd: int


@dataclass(frozen=True, slots=True)
class TracesDocument:
    """Runs and traces from outside."""

    traces: tuple[RunSumsDocument, ...]


@dataclass(frozen=True, slots=True)
class SpanEventDocument:
    """Something that happened at one instant of a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class SpanLinkDocument:
    """Another span that this one has to do with."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TraceSpanDocument:
    """One span of a trace, and where it stands in its tree."""

    span_id: str
    parent_id: str | None
    depth: Annotated[int, "0 at the top of the tree."]
    source: Annotated[str, "`interlock` for its own work, `outside` for what was sent to it."]
    orphan: Annotated[
        bool, "Whether the parent that it names never came; it then stands below the first span at the top."
    ]
    name: str
    category: Category
    kind: SpanKind
    status: SpanStatus
    message: Annotated[str, "Of an error: what it says, redacted."]
    start_ns: Annotated[int, "Nanoseconds since the epoch."]
    end_ns: int
    attributes: Mapping[str, Json]
    events: tuple[SpanEventDocument, ...]
    links: tuple[SpanLinkDocument, ...]


@dataclass(frozen=True, slots=True)
class TraceDocument:
    """One trace: from the top down, what stands below a span right after it."""

    trace_id: str
    sums: tuple[RunSumsDocument, ...]
    spans: tuple[TraceSpanDocument, ...]


@dataclass(frozen=True, slots=True)
class ReasonDocument:
    """Why something happened, and how often."""

    kind: Annotated[
        str,
        "`denied` (by a rule), `refused` (by a person, or unanswered), `escalated`, `overdue`, `failed` or `near_miss`.",
    ]
    reason: Annotated[str, "The rule, or the code of the failure."]
    times: int


@dataclass(frozen=True, slots=True)
class FiguresDocument:
    """How one workflow did. Shares are between 0 and 1, and null where there is nothing to have a share of."""

    workflow: Annotated[str, "Empty for all of the tenant's together, and for traces that name none."]
    runs: int
    ended: int
    succeeded: int
    success_rate: Annotated[float | None, "Of the runs of which somebody said what came of them."]
    cost_nano_usd: Annotated[int, "Of all runs, failed ones too, in 10^-9 USD."]
    cost_per_success_nano_usd: Annotated[int | None, "The cost of all runs, divided by those that succeeded."]
    p50_cost_nano_usd: int
    p95_cost_nano_usd: int
    p50_ms: int
    p95_ms: int
    p99_ms: int
    escalated: Annotated[int, "Runs that ended with a person, or had a call that did."]
    escalation_rate: float | None
    violations: Annotated[int, "Proposals that a rule denied."]
    violations_per_1000_runs: float | None
    blocked: Annotated[int, "Calls that were not made: denied, unanswered in time, or handed to a person."]
    held: int
    near_misses: int
    tool_calls: int
    tool_failures: int
    tool_failure_rate: float | None
    model_calls: int
    coverage: Annotated[float | None, "The share of runs of which spans came from outside."]
    whole: Annotated[
        float | None, "The share of runs that ended and whose models are known to Interlock or from outside."
    ]
    reasons: tuple[ReasonDocument, ...]


@dataclass(frozen=True, slots=True)
class ComparedDocument:
    """A workflow's figures beside those of the same length of time right before."""

    now: FiguresDocument
    before: FiguresDocument | None


@dataclass(frozen=True, slots=True)
class FiguresReportDocument:
    """The figures of each workflow over [since, until)."""

    since: int
    until: int
    by: str
    figures: tuple[ComparedDocument, ...]
