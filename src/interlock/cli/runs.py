"""`interlock runs`."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from interlock.cli import replays
from interlock.cli.models_calls import calls_table
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.canonical import canonical_json, parse_json
from interlock.domain.errors import BadInput
from interlock.domain.ids import CallId, RunId
from interlock.domain.models import ModelCallRecord
from interlock.domain.money import usd
from interlock.domain.runs import Run
from interlock.models.ports import ModelCallFilter, Spending
from interlock.runs.ports import CallFilter
from interlock.server.api import models_views, traces_views, views
from interlock.traces.ports import RunSummary

app = typer.Typer(
    help="Runs, their calls, and outcomes that nobody knows.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command()(replays.replay)
app.command()(replays.fork)
app.command("near-misses")(replays.near_misses)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `interlock runs list` shows it.")]


@app.command("list")
def list_(config: Config = HERE, limit: Limited = 20, as_json: AsJson = False) -> None:
    """List the newest runs."""

    async def work(session: Session) -> tuple[tuple[Run, ...], dict[RunId, RunSummary]]:
        desks = session.desks
        listed = await desks.runs.runs(session.principal, limit)
        await desks.traces.refresh()
        return listed, await desks.traces.sums(session.principal, tuple(run.id for run in listed))

    found, sums = on_deployment(config, work)
    output = Output(as_json)
    output.data({"runs": [_listed(one, sums.get(one.id)) for one in found]})
    columns = ("run", "agent", "state", "user", "opened", "took", "models", "tools", "USD")
    rows = [
        (
            one.id,
            one.agent,
            one.outcome or one.state,
            one.user or "-",
            shown(one.opened_at),
            *_sums(one, sums.get(one.id)),
        )
        for one in found
    ]
    output.table(columns, rows, empty="No run was opened yet.")
    if found:
        output.say(f"\nNext: interlock runs show {found[0].id}")


@app.command()
def show(run: RunArgument, config: Config = HERE, limit: Limited = 50, as_json: AsJson = False) -> None:
    """Show a run, its tool calls, its model calls, and what the models cost."""
    id = RunId(run)

    async def work(session: Session) -> _Whole:
        runs, models, principal = session.desks.runs, session.desks.model_calls, session.principal
        return _Whole(
            await runs.find(principal, id),
            await runs.calls(principal, CallFilter(run=id, limit=limit)),
            await models.calls(principal, ModelCallFilter(principal.tenant, run=id, limit=limit)),
            await models.spent(principal, id),
        )

    whole = on_deployment(config, work)
    output = Output(as_json)
    output.data(
        {
            "run": views.run(whole.run),
            "calls": [views.call(one) for one in whole.calls],
            "model_calls": [models_views.model_call(one) for one in whole.model_calls],
            "models": models_views.sums(whole.spent),
        }
    )
    _summary(output, whole)
    output.say()
    _table(output, whole.calls, empty="No tool was called.")
    if whole.model_calls:
        output.say()
        calls_table(output, whole.model_calls)


@app.command()
def calls(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Only those of this run.")] = None,
    status: Annotated[CallStatus | None, typer.Option(help="Only those that stand there, such as `unknown`.")] = None,
    config: Config = HERE,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """List calls, the newest first."""
    query = CallFilter(
        run=RunId(run) if run is not None else None,
        statuses=frozenset({status}) if status is not None else None,
        limit=limit,
    )

    async def work(session: Session) -> tuple[CallRecord, ...]:
        return await session.desks.runs.calls(session.principal, query)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"calls": [views.call(one) for one in found]})
    _table(output, found, with_run=run is None)
    lost = next((one.call.key for one in found if one.status is CallStatus.UNKNOWN), None)
    if lost is not None:
        output.say(f'\nNext: interlock runs resolve {lost.run} {lost.call} --happened --note "how you know"')
    elif found:
        output.say(f"\nNext: interlock explain {found[0].call.key.run}/{found[0].call.key.call}")


@app.command()
def resolve(
    run: RunArgument,
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call of unknown outcome.")],
    happened: Annotated[
        bool | None, typer.Option("--happened/--did-not-happen", help="Whether the tool did it.")
    ] = None,
    note: Annotated[str, typer.Option("--note", "-n", help="How you know.")] = "",
    result: Annotated[str | None, typer.Option(help="What the tool answered, as JSON, if that is known.")] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what became of a call of unknown outcome; its held budget is settled accordingly."""
    if happened is None:
        raise BadInput("Say whether it happened", do="Give --happened or --did-not-happen")
    content = parse_json(result) if result is not None else None

    async def work(session: Session) -> CallRecord:
        return await session.desks.runs.resolve(
            session.principal, RunId(run), CallId(call), happened=happened, note=note, result=content
        )

    record = on_deployment(config, work)
    output = Output(as_json)
    output.data(views.call(record))
    output.say(f"Recorded: call {call} is {record.status}. Its budget is settled accordingly.")


@app.command()
def stop(run: RunArgument, config: Config = HERE, as_json: AsJson = False) -> None:
    """Stop a run: no call of it is admitted any more. A call under way is finished."""

    async def work(session: Session) -> Run:
        await session.desks.runs.close(session.principal, RunId(run), stop=True)
        return await session.desks.runs.find(session.principal, RunId(run))

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data(views.run(found))
    output.say(f"Run {run} is {found.state}.")


@dataclass(frozen=True, slots=True)
class _Whole:
    """A run and what is known of it."""

    run: Run
    calls: tuple[CallRecord, ...]
    model_calls: tuple[ModelCallRecord, ...]
    spent: Spending


def _listed(run: Run, sums: RunSummary | None) -> dict[str, object]:
    """Return the document of a run with its sums; null while nothing has been added up."""
    return {**asdict(views.run(run)), "sums": None if sums is None else traces_views.sums(sums)}


def _sums(run: Run, sums: RunSummary | None) -> tuple[str, ...]:
    took = "-" if run.ended_at is None else f"{(run.ended_at - run.opened_at) / 1_000:,.1f} s"
    if sums is None:
        return (took, "-", "-", "-")
    return (took, str(sums.model_calls), str(sums.tool_calls), usd(sums.known_cost_nano_usd))


def _summary(output: Output, whole: _Whole) -> None:
    run, spent = whole.run, whole.spent
    output.say(f"{run.id} of {run.agent}   ({run.outcome or run.state})")
    output.say(f"  opened     {shown(run.opened_at)} by {run.principal}")
    if run.ended_at is None:
        output.say(f"  ends       {shown(run.deadline)}")
    else:
        output.say(f"  ended      {shown(run.ended_at)}")
    output.say(f"  user       {run.user or '-'}")
    tokens = f"{spent.input:,} tokens in, {spent.output:,} out"
    output.say(f"  models     {spent.calls} calls, {tokens}, {usd(spent.cost_nano_usd)} USD")


def _table(
    output: Output,
    records: tuple[CallRecord, ...],
    *,
    with_run: bool = False,
    empty: str = "There are no such calls.",
) -> None:
    rows = [
        (
            f"{one.call.key.run}/{one.call.key.call}" if with_run else one.call.key.call,
            one.call.tool,
            one.status,
            _brief(canonical_json(one.call.arguments).decode()),
            one.failure.code if one.failure is not None else one.approval or "",
            shown(one.created_at),
        )
        for one in records
    ]
    output.table(("call", "tool", "status", "arguments", "note", "made"), rows, empty=empty)


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
