"""`interlock metrics`."""

import io
from typing import Annotated

import orjson
import typer
from ruamel.yaml import YAML

from interlock.cli.output import AsJson, Output
from interlock.metrics.dashboard import dashboard_document
from interlock.metrics.definitions import METRICS
from interlock.metrics.rules import ALERTS, rules_document

app = typer.Typer(
    help="The figures at /metrics, with the alerts and the dashboard that go with them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback()
def metrics() -> None:
    """The figures at /metrics, with the alerts and the dashboard that go with them."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List every figure, its labels, and what it means."""
    output = Output(as_json)
    fields = ("name", "kind", "labels", "help")
    rows = [(one.name, one.kind.value, ", ".join(one.labels), one.help) for one in METRICS]
    output.data(
        {
            "metrics": [
                dict(zip(fields, row, strict=True)) | {"labels": list(one.labels)}
                for row, one in zip(rows, METRICS, strict=True)
            ]
        }
    )
    output.table(fields, rows)


@app.command()
def alerts(as_json: AsJson = False) -> None:
    """List the alerts: when each goes off, what it means, what to do."""
    output = Output(as_json)
    output.data(
        {
            "alerts": [
                {
                    "name": one.name,
                    "severity": one.severity,
                    "expr": one.whole,
                    "for": one.wait,
                    "summary": one.summary,
                    "do": one.do,
                }
                for one in ALERTS
            ]
        }
    )
    output.table(
        ("alert", "severity", "what it means", "what to do"),
        [(one.name, one.severity, one.summary, one.do) for one in ALERTS],
    )


@app.command()
def rules(
    to: Annotated[
        typer.FileBinaryWrite | None, typer.Option("--to", help="The file; left out: standard output.")
    ] = None,
) -> None:
    """Write the rule file for Prometheus: figures over time, and alerts that name their owner."""
    _write(rules_text(), to)


@app.command()
def dashboard(
    to: Annotated[
        typer.FileBinaryWrite | None, typer.Option("--to", help="The file; left out: standard output.")
    ] = None,
) -> None:
    """Write the dashboard for Grafana."""
    _write(dashboard_text(), to)


def rules_text() -> bytes:
    """Return the rule file."""
    yaml = YAML()
    yaml.width = 1_000
    text = io.BytesIO()
    text.write(b"# Made by `interlock metrics rules`; docs/how-to/watch.md says how to use it.\n")
    yaml.dump(rules_document(), text)
    return text.getvalue()


def dashboard_text() -> bytes:
    """Return the dashboard file."""
    return orjson.dumps(dashboard_document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _write(text: bytes, to: typer.FileBinaryWrite | None) -> None:
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write(text)
