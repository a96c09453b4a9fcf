"""The meter of a server: counts what the roads tell into Prometheus's data model."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

from interlock.domain.approvals import Approval
from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.canonical import JsonObject
from interlock.domain.ids import TenantId
from interlock.domain.models import ModelCallRecord
from interlock.domain.runs import Run
from interlock.metrics import definitions as d
from interlock.metrics.meter import Meter

_NANO = 1e-9
_MS = 1e-3
_DONE = frozenset({"served", "not_needed"})

Instrument = Any  # prometheus_client's classes share no type


class RoadMeter(Meter):
    """Counts in this process's memory, under a registry of its own. Used from any thread."""

    def __init__(self, version: str) -> None:
        """Start at zero."""
        # When a counter began says nothing that the restart of the process does not.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._made: Mapping[str, Instrument] = {one.name: _instrument(one, self._registry) for one in d.METRICS}
        self._children: dict[tuple[str, ...], Instrument] = {}
        self._models: dict[tuple[str, ...], tuple[Instrument, ...]] = {}
        self._values: dict[str, set[str]] = {}
        self._made[d.BUILD_INFO.name].labels(version).set(1)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def declare(self, tenant: str, owners: Iterable[tuple[str, str]]) -> None:
        """Name the workflows and their owners."""
        info = self._made[d.WORKFLOW_INFO.name]
        info.clear()
        for workflow, owner in owners:
            info.labels(tenant, workflow, owner or "nobody").set(1)

    def watch(self, metric: d.Metric, value: Callable[[], float]) -> None:
        """Have a gauge without labels ask `value`, which must not wait, whenever it is told."""
        self._made[metric.name].set_function(value)

    def set(self, metric: d.Metric, value: float) -> None:
        """Set a gauge without labels."""
        self._made[metric.name].set(value)

    def run_opened(self, run: Run) -> None:
        self._of(d.RUNS_STARTED, run.tenant, run.agent).inc()
        if run.parent_span:
            self._of(d.RUNS_TRACED, run.tenant, run.agent).inc()

    def run_ended(self, run: Run) -> None:
        if run.outcome is not None:
            self._of(d.RUN_OUTCOMES, run.tenant, run.agent, run.outcome.value).inc()
        if run.ended_at is not None:
            self._of(d.RUNS_ENDED, run.tenant, run.agent, run.state.value).inc()
            self._of(d.RUN_SECONDS, run.tenant, run.agent).observe(max(0, run.ended_at - run.opened_at) * _MS)

    def decided(self, record: CallRecord, seconds: float) -> None:
        call, decision = record.call, record.decision
        tenant, agent, tool = call.key.tenant, call.agent, _tool(record)
        effect = str(decision.get("effect", ""))
        refused = record.failure.code if record.failure is not None else ""
        self._of(d.DECISIONS, tenant, agent, tool, effect, refused).inc()
        self._of(d.DECISION_SECONDS, tenant).observe(seconds)
        if record.status is CallStatus.PENDING:
            self._of(d.APPROVALS_ASKED, tenant, agent, tool).inc()
        rule = _deciding(decision, effect)
        if record.status is CallStatus.ESCALATED:
            self._of(d.ESCALATIONS, tenant, agent, rule).inc()
        elif record.status is CallStatus.DENIED:
            if rule.startswith("budget"):
                self._of(d.BUDGET_REFUSALS, tenant, agent, rule.removeprefix("budget").lstrip(".")).inc()
            else:
                self._of(d.VIOLATIONS, tenant, agent, rule).inc()
        for near in _near(record):
            self._of(d.NEAR_MISSES, tenant, agent, near).inc()

    def settled(self, record: CallRecord) -> None:
        call = record.call
        self._of(d.TOOL_CALLS, call.key.tenant, call.agent, _tool(record), record.status.value).inc()
        busy = record.extras.get("busy_ms")
        if isinstance(busy, int):
            self._of(d.TOOL_SECONDS, _tool(record)).observe(busy * _MS)

    def approval_ended(self, approval: Approval, now: int) -> None:
        tenant, agent = approval.binding.key.tenant, approval.binding.agent
        self._of(d.APPROVALS_ENDED, tenant, agent, approval.state.value).inc()
        self._of(d.APPROVAL_SECONDS, tenant, agent).observe(max(0, now - approval.created_at) * _MS)

    def approval_overdue(self, approval: Approval) -> None:
        self._of(d.APPROVALS_OVERDUE, approval.binding.key.tenant, approval.binding.agent).inc()

    def model_called(self, record: ModelCallRecord) -> None:
        call = record.call
        last = record.attempts[-1] if record.attempts else None
        provider, model = (last.provider, last.model) if last is not None else ("", "")
        tenant, agent = call.tenant, call.agent
        calls, seconds, first_byte, read, written, cost = self._of_model(
            tenant, agent, provider, model, record.status.value
        )
        calls.inc()
        seconds.observe(record.duration_ms * _MS)
        if record.first_byte_ms is not None:
            first_byte.observe(record.first_byte_ms * _MS)
        for attempt in record.attempts:
            if attempt.usage.input:
                read.inc(attempt.usage.input)
            if attempt.usage.output:
                written.inc(attempt.usage.output)
            if attempt.cost_nano_usd:
                cost.inc(attempt.cost_nano_usd * _NANO)
            if attempt.outcome not in _DONE:
                self._of(d.ATTEMPTS_FAILED, attempt.provider, attempt.outcome).inc()
        if record.cache:
            self._of(d.CACHE_HITS, tenant, agent).inc()

    def spans(self, tenant: TenantId, taken: int, refused: int) -> None:
        if taken:
            self._of(d.SPANS_TAKEN, tenant).inc(taken)
        if refused:
            self._of(d.SPANS_REFUSED, tenant).inc(refused)

    def _of_model(self, *names: str) -> tuple[Instrument, ...]:
        """Return what one kind of model call is counted by: tenant, workflow, provider, model and status name it."""
        found = self._models.get(names)
        if found is None:
            tenant, agent, provider, model, status = names
            found = (
                self._of(d.MODEL_CALLS, tenant, agent, provider, model, status),
                self._of(d.MODEL_SECONDS, agent, model),
                self._of(d.FIRST_BYTE_SECONDS, model),
                self._of(d.MODEL_TOKENS, tenant, agent, model, "input"),
                self._of(d.MODEL_TOKENS, tenant, agent, model, "output"),
                self._of(d.MODEL_COST, tenant, agent, model),
            )
            if (d.MODEL_CALLS.name, *names) in self._children:
                self._models[names] = found
        return found

    def _of(self, metric: d.Metric, *values: str) -> Instrument:
        """Return the instrument of `metric` for these label values."""
        key = (metric.name, *values)
        child = self._children.get(key)
        if child is None:
            bounded = [self._bounded(label, value) for label, value in zip(metric.labels, values, strict=True)]
            child = self._made[metric.name].labels(*bounded)
            if list(values) == bounded:
                # Values beyond the bound are not remembered: there may be any number of them.
                self._children[key] = child
        return child

    def _bounded(self, label: str, value: str) -> str:
        known = self._values.setdefault(label, set())
        if value in known:
            return value
        if len(known) >= d.MOST_VALUES:
            return d.OTHER
        known.add(value)
        return value


def _instrument(metric: d.Metric, registry: CollectorRegistry) -> Instrument:
    match metric.kind:
        case d.Kind.COUNTER:
            return Counter(metric.name, metric.help, metric.labels, registry=registry)
        case d.Kind.GAUGE:
            return Gauge(metric.name, metric.help, metric.labels, registry=registry)
        case d.Kind.HISTOGRAM:
            return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)


def _tool(record: CallRecord) -> str:
    # A name that no contract has is the model's invention, and there is no end to them.
    return record.call.tool if record.contract_hash else "unknown"


def _deciding(decision: JsonObject, effect: str) -> str:
    """Return the rule that determined the effect; the first in order of rule id where several did."""
    for finding in decision.get("findings", ()):
        if finding["effect"] == effect:
            return str(finding["rule"])
    return ""


def _near(record: CallRecord) -> list[str]:
    found = record.extras.get("near", ())
    return [str(one.get("rule", "")) for one in found if isinstance(one, Mapping)]
