"""Every figure that a server tells at /metrics: its name, its labels, what it means. Alerts and dashboards follow from it."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What Prometheus may do with a figure."""

    COUNTER = "counter"
    """Only grows, from 0 at the start of the process; its name ends in `_total`."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, in the unit of its name."""


LABELS = {
    "tenant": "The tenant.",
    "workflow": "The agent: its file's name under agents/.",
    "tool": "A tool of the catalogue; `unknown` for names that no contract has.",
    "effect": "`allow`, `require_approval`, `dry_run`, `escalate` or `deny`.",
    "code": "The error code of a refusal, as docs/reference/errors.md lists them; empty otherwise.",
    "rule": "The rule that determined it, such as `tier.3` or `config:refund_cap`.",
    "status": "How it ended.",
    "outcome": "What came of a run: `succeeded`, `partial`, `failed` or `escalated`.",
    "provider": "The provider's name in the router file; empty when none was asked.",
    "model": "The model, as its provider was asked for it; empty when none was asked.",
    "direction": "`input` or `output`.",
    "state": "`granted`, `denied`, `edited` or `expired`.",
    "owner": "Who the agent's file names as its owner.",
    "version": "Of Interlock.",
    "limit": "The id of the limit that had no room left.",
}
"""Every label, and which values it has."""

MOST_VALUES = 200
"""Different values that one label takes in one process; what comes beyond is counted as `other`."""
OTHER = "other"

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_CALLS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_RUNS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_PEOPLE = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0)
_WORKFLOW = ("tenant", "workflow")

RUNS_STARTED = Metric("interlock_runs_started_total", Kind.COUNTER, "Runs that were opened.", _WORKFLOW)
RUNS_ENDED = Metric(
    "interlock_runs_ended_total",
    Kind.COUNTER,
    "Runs that ended: `closed`, or `stopped` by a person.",
    (*_WORKFLOW, "status"),
)
RUN_OUTCOMES = Metric(
    "interlock_run_outcomes_total",
    Kind.COUNTER,
    "What came of runs, counted when it is said: with their end or after it.",
    (*_WORKFLOW, "outcome"),
)
RUN_SECONDS = Metric(
    "interlock_run_duration_seconds", Kind.HISTOGRAM, "From the opening of a run to its end.", _WORKFLOW, _RUNS
)
DECISIONS = Metric(
    "interlock_tool_decisions_total",
    Kind.COUNTER,
    "Decisions on proposed tool calls. A call that is decided anew after an approval counts again.",
    (*_WORKFLOW, "tool", "effect", "code"),
)
DECISION_SECONDS = Metric(
    "interlock_tool_decision_seconds",
    Kind.HISTOGRAM,
    "From the proposal of a tool call to its recorded decision, with the commit.",
    ("tenant",),
    _FAST,
)
VIOLATIONS = Metric(
    "interlock_violations_total", Kind.COUNTER, "Calls that a rule refused, by rule.", (*_WORKFLOW, "rule")
)
NEAR_MISSES = Metric(
    "interlock_near_misses_total",
    Kind.COUNTER,
    "Calls that were allowed with little margin, or refused and later approved, by rule.",
    (*_WORKFLOW, "rule"),
)
BUDGET_REFUSALS = Metric(
    "interlock_budget_refusals_total", Kind.COUNTER, "Tool calls for which a limit had no room.", (*_WORKFLOW, "limit")
)
ESCALATIONS = Metric(
    "interlock_escalations_total", Kind.COUNTER, "Calls handed to a person, by rule.", (*_WORKFLOW, "rule")
)
TOOL_CALLS = Metric(
    "interlock_tool_calls_total",
    Kind.COUNTER,
    "Tool calls that were carried out, by how they ended; `unknown` needs a person.",
    (*_WORKFLOW, "tool", "status"),
)
TOOL_SECONDS = Metric(
    "interlock_tool_call_seconds", Kind.HISTOGRAM, "How long tools took, all attempts together.", ("tool",), _CALLS
)
APPROVALS_ASKED = Metric(
    "interlock_approvals_asked_total", Kind.COUNTER, "Questions put to people.", (*_WORKFLOW, "tool")
)
APPROVALS_ENDED = Metric(
    "interlock_approvals_ended_total", Kind.COUNTER, "Questions that were answered or ran out.", (*_WORKFLOW, "state")
)
APPROVAL_SECONDS = Metric(
    "interlock_approval_wait_seconds", Kind.HISTOGRAM, "From a question to its end.", _WORKFLOW, _PEOPLE
)
APPROVALS_OVERDUE = Metric(
    "interlock_approvals_overdue_total", Kind.COUNTER, "Questions whose SLA clock ran out.", _WORKFLOW
)
MODEL_CALLS = Metric(
    "interlock_model_calls_total",
    Kind.COUNTER,
    "Model calls that ended, by how.",
    (*_WORKFLOW, "provider", "model", "status"),
)
MODEL_SECONDS = Metric(
    "interlock_model_call_seconds", Kind.HISTOGRAM, "How long model calls took.", ("workflow", "model"), _CALLS
)
FIRST_BYTE_SECONDS = Metric(
    "interlock_model_first_byte_seconds",
    Kind.HISTOGRAM,
    "From a model call to the first bytes of its reply.",
    ("model",),
    _CALLS,
)
MODEL_TOKENS = Metric("interlock_model_tokens_total", Kind.COUNTER, "Tokens used.", (*_WORKFLOW, "model", "direction"))
MODEL_COST = Metric("interlock_model_cost_usd_total", Kind.COUNTER, "What models cost, in USD.", (*_WORKFLOW, "model"))
ATTEMPTS_FAILED = Metric(
    "interlock_provider_failures_total",
    Kind.COUNTER,
    "Attempts at providers that failed, by error code.",
    ("provider", "code"),
)
CACHE_HITS = Metric("interlock_model_cache_hits_total", Kind.COUNTER, "Replies from Interlock's cache.", _WORKFLOW)
SPANS_TAKEN = Metric("interlock_spans_received_total", Kind.COUNTER, "Spans taken in by OTLP.", ("tenant",))
SPANS_REFUSED = Metric("interlock_spans_refused_total", Kind.COUNTER, "Spans that were not taken in.", ("tenant",))
RUNS_TRACED = Metric(
    "interlock_runs_traced_total",
    Kind.COUNTER,
    "Runs that were opened under a span of their caller; with the runs started, the trace coverage.",
    _WORKFLOW,
)
APPROVALS_WAITING = Metric(
    "interlock_approvals_waiting", Kind.GAUGE, "Questions that wait for people now. The same in every process."
)
OUTCOMES_UNKNOWN = Metric(
    "interlock_outcomes_unknown",
    Kind.GAUGE,
    "Calls whose outcome nobody knows; each holds its budget until a person resolves it. The same in every process.",
)
BRAKES_ON = Metric("interlock_brakes_on", Kind.GAUGE, "Brakes that are pulled. The same in every process.")
RECORDS_WAITING = Metric(
    "interlock_model_records_waiting", Kind.GAUGE, "Records of model calls that are not on disk yet."
)
RECORDER_HEALTHY = Metric(
    "interlock_recorder_healthy", Kind.GAUGE, "1 while model calls can be recorded; at 0 none is taken."
)
LOG_UNPLACED = Metric(
    "interlock_audit_unplaced_events",
    Kind.GAUGE,
    "Audit events that have no place in the log yet. The same in every process.",
)
LOG_SIGNING = Metric(
    "interlock_audit_signing",
    Kind.GAUGE,
    "1 while checkpoints of the audit log are signed; 0 when signing has stopped.",
)
WORKFLOW_INFO = Metric(
    "interlock_workflow_info", Kind.GAUGE, "1 for each declared agent, with its owner.", (*_WORKFLOW, "owner")
)
BUILD_INFO = Metric("interlock_build_info", Kind.GAUGE, "1, with the version.", ("version",))

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
"""All of them, in order of definition."""
