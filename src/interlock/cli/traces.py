"""`interlock traces`."""

import time
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import duration_ms, shown
from interlock.cli.traces_archive import archive, query
from interlock.cli.traces_tables import figures_text, tree_lines
from interlock.domain.ids import TenantId
from interlock.domain.money import usd
from interlock.gateway.trace_desk import TraceView
from interlock.server.api import traces_views
from interlock.server.api.traces import By
from interlock.traces.ports import Order, RunQuery, RunSummary
from interlock.traces.rates import Compared

app = typer.Typer(
    help="What runs did and what came of it: traces, figures, the archive.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command()(archive)
app.command()(query)
Since = Annotated[str | None, typer.Option(help="Only what began within this time, such as 4h or 7d.")]


@app.command("list")
def list_(
    workflow: Annotated[str, typer.Option(help="Only of this agent or workflow.")] = "",
    user: Annotated[str, typer.Option(help="Only on behalf of this user.")] = "",
    state: Annotated[str, typer.Option(help="Only `open`, `closed` or `stopped` runs.")] = "",
    outcome: Annotated[str, typer.Option(help="Only runs of which this came, such as `failed`.")] = "",
    since: Since = None,
    order: Annotated[Order, typer.Option(help="What comes first.")] = Order.NEWEST,
    config: Config = HERE,
    limit: Limited = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, and traces that came from outside, with what they did and cost."""
    query = RunQuery(
        TenantId(""),
        since=_began(since, "--since"),
        workflow=workflow,
        user=user,
        state=state,
        outcome=outcome,
        limit=limit,
    )

    async def work(session: Session) -> tuple[RunSummary, ...]:
        await session.desks.traces.refresh()
        return await session.desks.traces.list(session.principal, query, order)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"traces": [traces_views.sums(one) for one in found]})
    columns = ("trace", "run", "workflow", "state", "began", "took", "models", "tools", "denied", "spans", "USD")
    output.table(columns, [_row(one) for one in found], empty="There are no such runs or traces.")
    if found:
        output.say(f"\nNext: interlock traces show {found[0].run or found[0].trace_id}")


@app.command()
def show(
    trace: Annotated[str, typer.Argument(metavar="TRACE|RUN", help="The id of a trace, or of a run in it.")],
    attributes: Annotated[bool, typer.Option("--attributes", "-a", help="Print what each span says.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Show one trace as a tree: Interlock's own work, and the spans that others sent."""

    async def work(session: Session) -> TraceView:
        await session.desks.traces.refresh()
        return await session.desks.traces.show(session.principal, trace)

    view = on_deployment(config, work)
    output = Output(as_json)
    output.data(traces_views.trace(view))
    output.say(f"trace {view.trace_id}   ({counted(len(view.spans), 'span')})")
    for one in view.sums:
        cost = usd(one.known_cost_nano_usd)
        output.say(f"  {one.run or 'from outside'} of {one.workflow or '-'}   {_state(one)}, {_took(one)}, {cost} USD")
    output.say()
    for line in tree_lines(view.spans, attributes=attributes):
        output.say(line)


@app.command()
def figures(
    by: Annotated[By, typer.Option(help="Each workflow, or the tenant as one.")] = By.WORKFLOW,
    since: Annotated[str, typer.Option(help="Over what began within this time, such as 24h or 7d.")] = "7d",
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Tell how each workflow did, beside the same length of time before: success, cost, escalations, violations, latency."""
    until = time.time_ns() // 1_000_000 + 1
    began = max(0, until - duration_ms(since, "--since"))

    async def work(session: Session) -> tuple[Compared, ...]:
        await session.desks.traces.refresh()
        return await session.desks.traces.figures(session.principal, began, until, whole=by is By.TENANT)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data(traces_views.figures(began, until, by.value, found))
    if not found:
        output.say(f"Nothing ran in the last {since}.")
    for one in found:
        name = one.now.workflow or ("all workflows" if by is By.TENANT else "(no name)")
        output.say(f"{name}   last {since}")
        output.table(("", "now", "before"), figures_text(one))
        for reason in one.now.reasons[:5]:
            output.say(f"  {reason.times} x {reason.kind}: {reason.reason}")
        output.say()


def _began(since: str | None, option: str) -> int:
    return 0 if since is None else max(0, time.time_ns() // 1_000_000 - duration_ms(since, option))


def _row(one: RunSummary) -> tuple[object, ...]:
    return (
        one.trace_id,
        one.run or one.session or "-",
        one.workflow or "-",
        _state(one),
        shown(one.started_at),
        _took(one),
        one.model_calls,
        one.tool_calls,
        one.denied or "",
        one.spans or "",
        usd(one.known_cost_nano_usd),
    )


def _state(one: RunSummary) -> str:
    return one.outcome or one.state or "outside"


def _took(one: RunSummary) -> str:
    return "-" if one.duration_ms is None else f"{one.duration_ms / 1_000:,.1f} s"
