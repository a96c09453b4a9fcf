"""The alerts and the dashboard: Prometheus's own tool says that they are right, and that each goes off when it should."""

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML

from interlock.cli.app import app
from interlock.cli.metrics import dashboard_text, rules_text
from interlock.metrics.dashboard import ROWS
from interlock.metrics.definitions import LABELS, METRICS, Kind
from interlock.metrics.rules import ALERTS, RECORDINGS

ROOT = Path(__file__).resolve().parents[3]
INFO = 'interlock_workflow_info{tenant="acme",workflow="%s",owner="support-leads"}'
HOUR, DAY = 60, 1440
"""In minutes."""


@dataclass(frozen=True)
class Quick:
    """An alert that needs only minutes: the series that set it off, and those that must not."""

    alert: str
    fires: dict[str, str]
    quiet: dict[str, str]
    at: str
    labels: str = 'owner="platform"'


QUICK = (
    Quick(
        "InterlockDown",
        {'up{job="interlock"}': "1 0x9"},
        {'up{job="interlock"}': "1x10"},
        "5m",
        'owner="platform",job="interlock"',
    ),
    Quick(
        "InterlockOutcomeUnknown",
        {"interlock_outcomes_unknown": "0 2x20"},
        {"interlock_outcomes_unknown": "0x20"},
        "10m",
    ),
    Quick(
        "InterlockRecorderStopped",
        {"interlock_recorder_healthy": "1 0x9"},
        {"interlock_recorder_healthy": "1x10"},
        "5m",
    ),
    Quick(
        "InterlockRecordsPileUp",
        {"interlock_model_records_waiting": "5000x9"},
        {"interlock_model_records_waiting": "100x9"},
        "5m",
    ),
    Quick("InterlockAuditNotSigned", {"interlock_audit_signing": "1 0x9"}, {"interlock_audit_signing": "1x9"}, "5m"),
    Quick(
        "InterlockAuditBehind",
        {"interlock_audit_unplaced_events": "90000x20"},
        {"interlock_audit_unplaced_events": "30x20"},
        "10m",
    ),
    Quick(
        "InterlockDecisionsSlow",
        {
            'interlock_tool_decision_seconds_bucket{le="0.25"}': "0+10x60",
            'interlock_tool_decision_seconds_bucket{le="1.0"}': "0+90x60",
            'interlock_tool_decision_seconds_bucket{le="+Inf"}': "0+100x60",
        },
        {
            'interlock_tool_decision_seconds_bucket{le="0.001"}': "0+99.9x60",
            'interlock_tool_decision_seconds_bucket{le="0.25"}': "0+100x60",
            'interlock_tool_decision_seconds_bucket{le="+Inf"}': "0+100x60",
        },
        "40m",
    ),
    Quick("InterlockBrakeForgotten", {"interlock_brakes_on": "1x300"}, {"interlock_brakes_on": "1x200 0x100"}, "290m"),
    Quick(
        "InterlockSpansRefused",
        {'interlock_spans_refused_total{tenant="acme"}': "0+20x30"},
        {'interlock_spans_refused_total{tenant="acme"}': "0+1x30"},
        "30m",
        'owner="platform",tenant="acme"',
    ),
    Quick(
        "InterlockProviderFailing",
        {'interlock_provider_failures_total{provider="openai",code="model_timeout"}': "0+5x40"},
        {'interlock_provider_failures_total{provider="openai",code="model_timeout"}': "0+1x40"},
        "30m",
        'owner="platform",provider="openai"',
    ),
    Quick(
        "InterlockToolFailing",
        {
            'interlock_tool_calls_total{tool="refund",status="failed"}': "0+1x120",
            'interlock_tool_calls_total{tool="refund",status="succeeded"}': "0+1x120",
        },
        {
            'interlock_tool_calls_total{tool="refund",status="failed"}': "0+1x120",
            'interlock_tool_calls_total{tool="refund",status="succeeded"}': "0+50x120",
        },
        "110m",
        'owner="platform",tool="refund"',
    ),
    Quick(
        "InterlockApprovalsOverdue",
        {'interlock_approvals_overdue_total{tenant="acme",workflow="refunds"}': "0x10 1x20", INFO % "refunds": "1x40"},
        {'interlock_approvals_overdue_total{tenant="acme",workflow="refunds"}': "3x30", INFO % "refunds": "1x40"},
        "15m",
        'owner="support-leads",tenant="acme",workflow="refunds"',
    ),
    Quick(
        "InterlockLimitReached",
        {
            'interlock_budget_refusals_total{tenant="acme",workflow="refunds",limit="daily"}': "0x10 4x20",
            INFO % "refunds": "1x40",
        },
        {
            'interlock_budget_refusals_total{tenant="acme",workflow="refunds",limit="daily"}': "4x30",
            INFO % "refunds": "1x40",
        },
        "15m",
        'owner="support-leads",tenant="acme",workflow="refunds"',
    ),
)
SLOW = {
    "InterlockSuccessDropped": ("dropped", "escalating"),
    "InterlockCostPerSuccessRose": ("dear", "dropped", "spendy"),
    "InterlockSpendUnusual": ("spendy",),
    "InterlockViolationsRose": ("violating",),
    "InterlockEscalationsRose": ("escalating",),
    "InterlockPrecisionLow": ("clumsy",),
    "InterlockNearMisses": ("narrow",),
}
"""The alerts that compare with the week before, and the workflows of the test that set each off."""
WORKFLOWS = ("calm", "dropped", "dear", "spendy", "violating", "escalating", "clumsy", "narrow")
STEP = 20
"""Minutes between samples of the long test."""


@pytest.fixture
def promtool(prometheus: Path) -> Path:
    return prometheus / "promtool"


def told(promtool: Path, folder: Path, tests: list[object], every: str = "1m") -> None:
    """Run promtool's unit tests over our rules, all computed as often as `every` says; what it says is the message."""
    (folder / "rules.yml").write_bytes(rules_text())
    document = {"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": tests}
    (folder / "test.yml").write_text(json.dumps(document))
    run = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


_WHOSE = "owner, tenant, workflow, tool, provider, job"


def one_test(series: dict[str, str], at: str, expected: dict[str, list[str]], step: str = "1m") -> object:
    return {
        "interval": step,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'sum by ({_WHOSE}) (ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": at,
                "exp_samples": [{"labels": f"{{{labels}}}", "value": 1} for labels in whose],
            }
            for alert, whose in expected.items()
        ],
    }


def test_prometheus_takes_the_rules(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_bytes(rules_text())

    run = subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.alert)
def test_an_alert_goes_off_when_it_should_and_not_otherwise(case: Quick, promtool: Path, tmp_path: Path) -> None:
    told(
        promtool,
        tmp_path,
        [one_test(case.fires, case.at, {case.alert: [case.labels]}), one_test(case.quiet, case.at, {case.alert: []})],
    )


def test_what_is_worse_than_a_week_ago_is_told_to_the_workflows_owner(promtool: Path, tmp_path: Path) -> None:
    series = {INFO % name: f"1x{9 * DAY // STEP}" for name in WORKFLOWS}
    for name in WORKFLOWS:
        series |= workflow(name)

    expected = {
        alert: [f'owner="support-leads",tenant="acme",workflow="{name}"' for name in names]
        for alert, names in SLOW.items()
    }
    # Once an hour is enough for nine days, and takes seconds in place of minutes.
    told(promtool, tmp_path, [one_test(series, f"{9 * DAY}m", expected, f"{STEP}m")], every="1h")


def workflow(name: str) -> dict[str, str]:
    """Return nine days of a workflow that is calm for eight and then does what its name says."""
    calm, last = 8 * DAY // STEP, DAY // STEP
    fewer, handed = (5, 0) if name == "dropped" else (9, 1) if name == "escalating" else (10, 0)
    cost = (0.4, 1.0) if name == "dear" else (0.4, 0.4)
    counts = {
        'runs_ended_total{%s,status="closed"}': (10, 10),
        'run_outcomes_total{%s,outcome="succeeded"}': (10, fewer),
        'run_outcomes_total{%s,outcome="failed"}': (0, 10 - fewer - handed),
        'run_outcomes_total{%s,outcome="escalated"}': (0, handed),
        'model_cost_usd_total{%s,model="m"}': cost,
        'violations_total{%s,rule="tier.3"}': (0.1, 1.0 if name == "violating" else 0.1),
        'near_misses_total{%s,rule="cap"}': (0, 2 if name == "narrow" else 0),
        'tool_decisions_total{%s,tool="refund",effect="allow",code=""}': (30, 30),
        'tool_decisions_total{%s,tool="unknown",effect="deny",code="unknown_tool"}': (0, 10 if name == "clumsy" else 0),
    }
    labels = f'tenant="acme",workflow="{name}"'
    made = {}
    for series, (usual, new) in counts.items():
        reached = usual * calm
        values = f"0+{usual}x{calm} {reached + new}+{new}x{last}"
        if name == "spendy" and series.startswith("model_cost"):
            # Steady with a small wave for eight days and most of the ninth, then an hour of spending.
            values = _spending(calm + last)
        made["interlock_" + series % labels] = values
    return made


def _spending(samples: int) -> str:
    total, values = 0.0, []
    for place in range(samples):
        total += 30.0 if place >= samples - 4 else 0.4 + 0.05 * (place % 3)
        values.append(f"{total:.2f}")
    return " ".join(values)


def test_every_alert_is_tested() -> None:
    assert {case.alert for case in QUICK} | set(SLOW) == {alert.name for alert in ALERTS}


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    for alert in ALERTS:
        assert len(alert.summary.split()) > 5, alert.name
        assert len(alert.do.split()) > 2, alert.name
        assert alert.severity in {"page", "ticket", "info"}


def test_the_commands_of_an_alert_run_as_they_stand() -> None:
    """Each stands in backquotes, and takes what the alert gives it: nobody looks up an option at three in the morning."""
    lines = [line for alert in ALERTS for line in re.findall(r"`interlock ([^`]+)`", f"{alert.summary} {alert.do}")]

    assert len(lines) >= len(ALERTS) - 5
    assert not [alert.name for alert in ALERTS if re.search(r"(?<!`)\binterlock [a-z]", alert.do)]
    for line in lines:
        words = shlex.split(re.sub(r"\{\{.*?\}\}", "refunds", line))
        command = typer.main.get_command(app)
        while children := getattr(command, "commands", None):
            assert words[0] in children, line
            command = children[words.pop(0)]
        command.make_context(line, words)


def test_rules_and_panels_use_only_figures_that_there_are(promtool: Path, tmp_path: Path) -> None:
    panels = [panel.expr for row in ROWS for panel in row.panels]
    known = {metric.name for metric in METRICS} | {one.name for one in RECORDINGS}
    known |= {
        f"{metric.name}_{part}"
        for metric in METRICS
        if metric.kind is Kind.HISTOGRAM
        for part in ("bucket", "sum", "count")
    }
    exprs = [*panels, *(one.expr for one in RECORDINGS), *(one.whole for one in ALERTS)]

    for expr in exprs:
        assert set(re.findall(r"interlock[_:][a-z0-9_:]+", expr)) <= known, expr

    plain = [
        expr.replace("$__rate_interval", "5m").replace("$tenant", ".*").replace("$workflow", ".*") for expr in panels
    ]
    document = {
        "groups": [{"name": "panels", "rules": [{"record": f"p{n}", "expr": expr} for n, expr in enumerate(plain)]}]
    }
    (tmp_path / "panels.yml").write_text(json.dumps(document))
    run = subprocess.run([promtool, "check", "rules", tmp_path / "panels.yml"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_figure_is_in_the_dashboard_or_behind_a_rule() -> None:
    used = " ".join(
        [
            *(panel.expr for row in ROWS for panel in row.panels),
            *(one.expr for one in RECORDINGS),
            *(one.whole for one in ALERTS),
        ]
    )
    unseen = {metric.name for metric in METRICS if metric.name not in used}

    assert unseen <= {
        "interlock_build_info",
        "interlock_model_call_seconds",
        "interlock_model_first_byte_seconds",
        "interlock_tool_call_seconds",
    }


def test_every_label_has_a_meaning() -> None:
    assert {label for metric in METRICS for label in metric.labels} <= set(LABELS)


def test_the_files_in_the_repository_are_what_the_definitions_say() -> None:
    """`make format` writes them anew."""
    assert (ROOT / "deploy" / "prometheus" / "interlock.rules.yml").read_bytes() == rules_text()
    assert (ROOT / "deploy" / "grafana" / "interlock.json").read_bytes() == dashboard_text()
    assert YAML(typ="safe").load(rules_text())["groups"][0]["rules"][0]["alert"] == "InterlockDown"
