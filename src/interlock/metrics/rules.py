"""What is computed from the figures, and when somebody is told: Prometheus recording and alerting rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.metrics import definitions as d

EVERY = "4m"
"""How often figures over hours and days are computed: often enough that a graph has no gaps, which come after five minutes."""
PLATFORM = "platform"
"""Owner of what concerns no single workflow."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A figure that Prometheus computes every minute and keeps."""

    name: str
    """`interlock:` what, `:` over which time."""
    expr: str
    help: str
    unit: str = "short"
    """How Grafana shows it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know."""

    name: str
    expr: str
    wait: str
    """How long it must hold before anybody is told."""
    severity: str
    """`page`: now; `ticket`: on a working day; `info`: good to know."""
    summary: str
    """What it means. May use `{{ $labels.workflow }}` and `{{ $value }}`."""
    do: str
    """What to do, with the command."""
    workflow: bool = False
    """Whether it concerns one workflow and goes to that workflow's owner; else it goes to the platform's."""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """The expression, with the owner that the configuration names."""
        if not self.workflow:
            return self.expr
        return f"({self.expr}) * on (tenant, workflow) group_left (owner) {_OWNERS}"


_BY = "sum by (tenant, workflow)"
_OWNERS = f"max by (tenant, workflow, owner) ({d.WORKFLOW_INFO.name})"
_SUCCEEDED = '{outcome="succeeded"}'
_CLUMSY = "unknown_tool|invalid_arguments|unproposed"
"""Codes of calls that a model got wrong, whatever the policy says."""


def _increase(metric: d.Metric, over: str, matching: str = "") -> str:
    return f"{_BY} (increase({metric.name}{matching}[{over}]))"


def _ratio(part: str, whole: str) -> str:
    # Nothing happened is no figure at all, and not a zero. A part without a series is zero, though.
    return f"(({part}) or 0 * ({whole})) / (({whole}) > 0)"


def _quantile(q: str, metric: d.Metric, over: str) -> str:
    return f"histogram_quantile({q}, sum by (tenant, workflow, le) (rate({metric.name}_bucket[{over}])))"


RECORDINGS = (
    Recording("interlock:runs:1d", _increase(d.RUNS_ENDED, "1d"), "Runs that ended in a day."),
    Recording(
        "interlock:outcomes:1d", _increase(d.RUN_OUTCOMES, "1d"), "Runs of which somebody said what came of them."
    ),
    Recording(
        "interlock:success_ratio:1d",
        _ratio(_increase(d.RUN_OUTCOMES, "1d", _SUCCEEDED), _increase(d.RUN_OUTCOMES, "1d")),
        "Share of runs that succeeded.",
        "percentunit",
    ),
    Recording(
        "interlock:escalation_ratio:1d",
        _ratio(_increase(d.RUN_OUTCOMES, "1d", '{outcome="escalated"}'), _increase(d.RUN_OUTCOMES, "1d")),
        "Share of runs that were handed to a person.",
        "percentunit",
    ),
    Recording("interlock:cost_usd:1h", _increase(d.MODEL_COST, "1h"), "What models cost in an hour.", "currencyUSD"),
    Recording("interlock:cost_usd:1d", _increase(d.MODEL_COST, "1d"), "What models cost in a day.", "currencyUSD"),
    Recording(
        "interlock:cost_per_success_usd:1d",
        f"({_increase(d.MODEL_COST, '1d')}) / (({_increase(d.RUN_OUTCOMES, '1d', _SUCCEEDED)}) > 0)",
        "Cost per successful completion.",
        "currencyUSD",
    ),
    Recording(
        "interlock:violations_per_1000_runs:1d",
        "1000 * " + _ratio(_increase(d.VIOLATIONS, "1d"), _increase(d.RUNS_ENDED, "1d")),
        "Calls that a rule refused, per 1,000 runs.",
    ),
    Recording("interlock:near_misses:1d", _increase(d.NEAR_MISSES, "1d"), "Near misses in a day."),
    Recording(
        "interlock:tool_precision:1d",
        "1 - " + _ratio(_increase(d.DECISIONS, "1d", f'{{code=~"{_CLUMSY}"}}'), _increase(d.DECISIONS, "1d")),
        "Share of proposed calls that name a tool, fit its schema, and are the model's own.",
        "percentunit",
    ),
    Recording(
        "interlock:tool_failure_ratio:1h",
        f'((sum by (tool) (increase({d.TOOL_CALLS.name}{{status=~"failed|unknown"}}[1h]))) or 0 * '
        f"(sum by (tool) (increase({d.TOOL_CALLS.name}[1h])))) / ((sum by (tool) (increase({d.TOOL_CALLS.name}[1h]))) >= 10)",
        "Share of carried-out calls of a tool that failed, of tools with ten calls in the hour.",
        "percentunit",
    ),
    Recording("interlock:run_seconds:p95_1d", _quantile("0.95", d.RUN_SECONDS, "1d"), "95 of 100 runs took less.", "s"),
    Recording("interlock:run_seconds:p99_1d", _quantile("0.99", d.RUN_SECONDS, "1d"), "99 of 100 runs took less.", "s"),
    Recording(
        "interlock:approval_wait_seconds:p95_1d",
        _quantile("0.95", d.APPROVAL_SECONDS, "1d"),
        "95 of 100 questions were answered sooner.",
        "s",
    ),
    Recording(
        "interlock:trace_coverage:1d",
        _ratio(_increase(d.RUNS_TRACED, "1d"), _increase(d.RUNS_STARTED, "1d")),
        "Share of runs that stand in a trace of their caller.",
        "percentunit",
    ),
    Recording(
        "interlock:success_ratio:drift_7d",
        "interlock:success_ratio:1d - interlock:success_ratio:1d offset 7d",
        "Success ratio against the same day a week before.",
        "percentunit",
    ),
    Recording(
        "interlock:cost_per_success_usd:drift_7d",
        "interlock:cost_per_success_usd:1d / (interlock:cost_per_success_usd:1d offset 7d > 0)",
        "Cost per success as a multiple of a week before.",
    ),
    Recording(
        "interlock:cost_usd:surprise_1h",
        "(interlock:cost_usd:1h - avg_over_time(interlock:cost_usd:1h[7d])) / (stddev_over_time(interlock:cost_usd:1h[7d]) > 0)",
        "How many standard deviations of the week the hour's spend lies above its mean.",
    ),
)

ALERTS = (
    Alert(
        "InterlockDown",
        'up{job="interlock"} == 0',
        "1m",
        "page",
        "A server of Interlock does not answer. Agents that use it can call no tool and no model.",
        "Look at its log and restart it: `interlock serve`. Calls under way are settled after the restart.",
    ),
    Alert(
        "InterlockOutcomeUnknown",
        f"max({d.OUTCOMES_UNKNOWN.name}) > 0",
        "5m",
        "page",
        "{{ $value }} calls were sent to a tool and nobody knows whether it did them. "
        "They are not repeated, and their budget stays held.",
        "Which ones: `interlock runs calls --status unknown`. Look at the tool's own records, then say what became of each: "
        "`interlock runs resolve RUN CALL --happened`, or `--did-not-happen`.",
    ),
    Alert(
        "InterlockRecorderStopped",
        f"min({d.RECORDER_HEALTHY.name}) == 0",
        "30s",
        "page",
        "Model calls cannot be recorded, so none is taken.",
        "The database does not answer, or its disk is full: see the server's log. "
        "What waits in memory is kept and written once it answers.",
    ),
    Alert(
        "InterlockRecordsPileUp",
        f"max({d.RECORDS_WAITING.name}) > 2000",
        "1m",
        "ticket",
        "{{ $value }} records of model calls wait for the database; at 10,000 no call is taken.",
        "The database is slow: look at its disk and at what else uses it.",
    ),
    Alert(
        "InterlockAuditNotSigned",
        f"min({d.LOG_SIGNING.name}) == 0",
        "1m",
        "page",
        "Checkpoints of the audit log are no longer signed: the log is not the one that was signed last, or its key is missing.",
        "`interlock audit checkpoint` says why. After a restored backup: docs/how-to/audit.md.",
    ),
    Alert(
        "InterlockAuditBehind",
        f"max({d.LOG_UNPLACED.name}) > 20000",
        "5m",
        "ticket",
        "{{ $value }} audit events have no place in the log yet. They are recorded, and not yet provable.",
        "Nothing is lost. See the server's log for what keeps the sequencer from working.",
    ),
    Alert(
        "InterlockDecisionsSlow",
        f"histogram_quantile(0.99, sum by (le) (rate({d.DECISION_SECONDS.name}_bucket[5m]))) > 0.25",
        "10m",
        "ticket",
        "One in a hundred tool calls waits longer than 250 ms for its decision.",
        "Usually the database: look at its commit latency. `make bench` shows what this machine can do.",
    ),
    Alert(
        "InterlockBrakeForgotten",
        f"max({d.BRAKES_ON.name}) > 0",
        "4h",
        "info",
        "A brake has been on for more than four hours.",
        "Which one, and why: `interlock brake status`. Lift it with `interlock brake off`.",
    ),
    Alert(
        "InterlockSpansRefused",
        f"sum by (tenant) (increase({d.SPANS_REFUSED.name}[15m])) > 100",
        "0m",
        "ticket",
        "Spans that {{ $labels.tenant }} sends are refused.",
        "The sender is told why in its answers (partial_success); usually clocks or sizes.",
    ),
    Alert(
        "InterlockProviderFailing",
        f"sum by (provider) (increase({d.ATTEMPTS_FAILED.name}[10m])) > 20",
        "5m",
        "ticket",
        "The provider {{ $labels.provider }} fails again and again; calls go to the fallbacks, where there are some.",
        "`interlock models test`, then the provider's status page. Stop asking it: "
        '`interlock brake on --model {{ $labels.provider }} --for 1h --reason "it fails"`.',
    ),
    Alert(
        "InterlockToolFailing",
        "interlock:tool_failure_ratio:1h > 0.2",
        "10m",
        "ticket",
        "More than a fifth of the calls of {{ $labels.tool }} fail.",
        "`interlock runs calls --status failed`. Stop it meanwhile: "
        '`interlock brake on --tool {{ $labels.tool }} --for 1h --reason "it fails"`.',
    ),
    Alert(
        "InterlockApprovalsOverdue",
        f"{_increase(d.APPROVALS_OVERDUE, '15m')} > 0",
        "0m",
        "page",
        "Questions of {{ $labels.workflow }} have waited longer than their SLA.",
        "`interlock approvals list`; approve, deny or edit each.",
        workflow=True,
    ),
    Alert(
        "InterlockSuccessDropped",
        "interlock:success_ratio:drift_7d < -0.05 and interlock:outcomes:1d >= 50",
        "1h",
        "ticket",
        "{{ $labels.workflow }} succeeds less often than a week ago: {{ $value | humanizePercentage }}.",
        "Which runs: `interlock traces list --workflow {{ $labels.workflow }} --outcome failed`. "
        "What changed: `interlock audit search --kind policy.published`.",
        workflow=True,
    ),
    Alert(
        "InterlockCostPerSuccessRose",
        "interlock:cost_per_success_usd:drift_7d > 1.3 and interlock:outcomes:1d >= 50",
        "1h",
        "ticket",
        "A success of {{ $labels.workflow }} costs {{ $value | humanize }} times what it cost a week ago.",
        "`interlock models spending --by step`, and `--by model`.",
        workflow=True,
    ),
    Alert(
        "InterlockSpendUnusual",
        "interlock:cost_usd:surprise_1h > 6 and interlock:cost_usd:1h > 1",
        "10m",
        "page",
        "{{ $labels.workflow }} spends far more than usual this hour.",
        "`interlock models spending --by run --since 1h`. Stop it: "
        '`interlock brake on --agent {{ $labels.workflow }} --for 1h --reason "unusual spend"`.',
        workflow=True,
    ),
    Alert(
        "InterlockViolationsRose",
        "interlock:violations_per_1000_runs:1d > 2 * (interlock:violations_per_1000_runs:1d offset 7d) + 10 "
        "and interlock:runs:1d >= 50",
        "1h",
        "ticket",
        "Rules refuse {{ $labels.workflow }} more than twice as often as a week ago: {{ $value | humanize }} per 1,000 runs.",
        "`interlock runs calls --status denied` shows what it tried. An attack, or a rule that became too strict?",
        workflow=True,
    ),
    Alert(
        "InterlockEscalationsRose",
        "interlock:escalation_ratio:1d > 1.5 * (interlock:escalation_ratio:1d offset 7d) + 0.02 and interlock:outcomes:1d >= 50",
        "1h",
        "ticket",
        "{{ $labels.workflow }} hands over far more runs than a week ago: {{ $value | humanizePercentage }}.",
        "`interlock traces figures --by workflow` tells the reasons.",
        workflow=True,
    ),
    Alert(
        "InterlockPrecisionLow",
        "interlock:tool_precision:1d < 0.9 and interlock:runs:1d >= 20",
        "1h",
        "ticket",
        "More than a tenth of the calls that {{ $labels.workflow }} proposes are malformed or invented.",
        "Usually a changed model, prompt or tool: `interlock runs calls --status denied`; `interlock tools list --held`.",
        workflow=True,
    ),
    Alert(
        "InterlockNearMisses",
        "interlock:near_misses:1d > 20",
        "1h",
        "info",
        "{{ $labels.workflow }} came close to its limits {{ $value | humanize }} times in a day.",
        "`interlock runs near-misses --since 1d`. Are the limits where they should be?",
        workflow=True,
    ),
    Alert(
        "InterlockLimitReached",
        f"{_increase(d.BUDGET_REFUSALS, '15m')} > 0",
        "0m",
        "ticket",
        "A limit had no room left for calls of {{ $labels.workflow }}.",
        "Which one: `interlock traces figures --since 1d`, below the figures. Who took it up: "
        "`interlock budgets list --prefix agent:{{ $labels.workflow }}/`. Raise it in the agent's file if that is right.",
        workflow=True,
    ),
)


def rules_document() -> dict[str, object]:
    """Return the rule file as plain values, for YAML."""
    trends = [one for one in ALERTS if "interlock:" in one.expr]
    figures = [{"record": one.name, "expr": one.expr} for one in RECORDINGS]
    return {
        "groups": [
            {"name": "interlock.alerts", "rules": [_alert(one) for one in ALERTS if one not in trends]},
            {"name": "interlock.figures", "interval": EVERY, "rules": [*figures, *(_alert(one) for one in trends)]},
        ]
    }


def _alert(alert: Alert) -> dict[str, object]:
    labels = {"severity": alert.severity, **alert.labels}
    if not alert.workflow:
        labels["owner"] = PLATFORM
    return {
        "alert": alert.name,
        "expr": alert.whole,
        "for": alert.wait,
        "labels": labels,
        "annotations": {"summary": alert.summary, "do": alert.do},
    }
