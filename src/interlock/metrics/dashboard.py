"""The Grafana dashboard, made of the same figures as the alerts."""

from dataclasses import dataclass

from interlock.metrics import definitions as d
from interlock.metrics.rules import RECORDINGS, Recording

_WHERE = '{tenant=~"$tenant", workflow=~"$workflow"}'
_COLUMNS = 24
_HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart."""

    title: str
    expr: str
    legend: str
    unit: str
    help: str
    width: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the charts below it."""

    title: str
    panels: tuple[Panel, ...]


_KNOWN = {one.name: one for one in RECORDINGS}


def _recorded(name: str, title: str) -> Panel:
    one: Recording = _KNOWN[name]
    return Panel(title, f"{one.name}{_WHERE}", "{{workflow}}", one.unit, one.help)


def _rate(metric: d.Metric, by: str, title: str, unit: str = "short", where: str = _WHERE) -> Panel:
    return Panel(
        title,
        f"sum by ({by}) (increase({metric.name}{where}[$__rate_interval]))",
        " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")),
        unit,
        metric.help,
    )


def _gauge(metric: d.Metric, title: str, fold: str = "max") -> Panel:
    return Panel(title, f"{fold}({metric.name})", title, "short", metric.help, 4)


ROWS = (
    Row(
        "Is it worth it",
        (
            _recorded("interlock:success_ratio:1d", "Success"),
            _recorded("interlock:cost_per_success_usd:1d", "Cost per success"),
            _recorded("interlock:escalation_ratio:1d", "Handed to a person"),
            _recorded("interlock:success_ratio:drift_7d", "Success against a week before"),
            _recorded("interlock:cost_per_success_usd:drift_7d", "Cost per success, times a week before"),
            _recorded("interlock:cost_usd:1h", "Spend per hour"),
        ),
    ),
    Row(
        "Is it safe",
        (
            _recorded("interlock:violations_per_1000_runs:1d", "Refused by a rule, per 1,000 runs"),
            _rate(d.VIOLATIONS, "workflow, rule", "Refused, by rule"),
            _recorded("interlock:near_misses:1d", "Near misses"),
            _rate(d.DECISIONS, "effect", "Decisions"),
            _rate(d.ESCALATIONS, "workflow, rule", "Escalations, by rule"),
            _rate(d.BUDGET_REFUSALS, "workflow, limit", "Limits without room"),
        ),
    ),
    Row(
        "People",
        (
            _rate(d.APPROVALS_ASKED, "workflow, tool", "Questions"),
            _rate(d.APPROVALS_ENDED, "state", "Answers"),
            _recorded("interlock:approval_wait_seconds:p95_1d", "95 of 100 answered within"),
        ),
    ),
    Row(
        "How it works",
        (
            _recorded("interlock:run_seconds:p95_1d", "95 of 100 runs take less than"),
            _recorded("interlock:run_seconds:p99_1d", "99 of 100 runs take less than"),
            _recorded("interlock:tool_precision:1d", "Well-formed proposals"),
            _rate(d.TOOL_CALLS, "tool, status", "Tool calls"),
            _rate(d.MODEL_CALLS, "model, status", "Model calls"),
            _rate(d.ATTEMPTS_FAILED, "provider, code", "Failures of providers", where=""),
            _rate(d.MODEL_TOKENS, "model, direction", "Tokens"),
            _rate(d.CACHE_HITS, "workflow", "Replies from the cache"),
            _recorded("interlock:trace_coverage:1d", "Runs within their caller's trace"),
        ),
    ),
    Row(
        "The machine",
        (
            _gauge(d.OUTCOMES_UNKNOWN, "Outcomes unknown"),
            _gauge(d.APPROVALS_WAITING, "Questions waiting"),
            _gauge(d.BRAKES_ON, "Brakes on"),
            _gauge(d.RECORDS_WAITING, "Records waiting"),
            _gauge(d.LOG_UNPLACED, "Audit events unplaced"),
            _gauge(d.LOG_SIGNING, "Audit log signed", "min"),
            Panel(
                "99 of 100 decisions within",
                f"histogram_quantile(0.99, sum by (le) (rate({d.DECISION_SECONDS.name}_bucket[$__rate_interval])))",
                "p99",
                "s",
                d.DECISION_SECONDS.help,
            ),
            _rate(d.SPANS_TAKEN, "tenant", "Spans received", where='{tenant=~"$tenant"}'),
        ),
    ),
)


def dashboard_document() -> dict[str, object]:
    """Return the dashboard as Grafana imports it (schema version 39)."""
    panels: list[dict[str, object]] = []
    top = 0
    for row in ROWS:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row.title,
                "gridPos": _at(0, top, _COLUMNS, 1),
                "panels": [],
            }
        )
        top += 1
        left = 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                left, top = 0, top + _HEIGHT
            panels.append(_chart(panel, len(panels) + 1, _at(left, top, panel.width, _HEIGHT)))
            left += panel.width
        top += _HEIGHT
    return {
        "uid": "interlock",
        "title": "Interlock",
        "tags": ["interlock"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": [_source(), _variable("tenant"), _variable("workflow")]},
        "panels": panels,
    }


def _chart(panel: Panel, id: int, place: dict[str, int]) -> dict[str, object]:
    return {
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.help,
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": None}, "overrides": []},
        "targets": [{"refId": "A", "expr": panel.expr, "legendFormat": panel.legend}],
    }


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _source() -> dict[str, object]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _variable(label: str) -> dict[str, object]:
    return {
        "name": label,
        "type": "query",
        "label": label.capitalize(),
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "query": f"label_values({d.WORKFLOW_INFO.name}, {label})",
        "includeAll": True,
        "multi": True,
        "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }
