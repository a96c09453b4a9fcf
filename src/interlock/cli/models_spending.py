"""`interlock models spending`."""

import time
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import duration_ms
from interlock.gateway.models.desk import Grouping, GroupSpending
from interlock.server.api import models_views
from interlock.server.api.models_documents import SpendingGroupDocument

app = typer.Typer(rich_markup_mode=None)

_NAMELESS = {
    Grouping.RUN: "(outside any run)",
    Grouping.USER: "(no user)",
    Grouping.STEP: "(no step)",
    Grouping.MODEL: "(none)",
    Grouping.PROVIDER: "(none answered)",
}


@app.command()
def spending(
    by: Annotated[Grouping, typer.Option(help="What makes a group.")] = Grouping.AGENT,
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d.")] = "30d",
    until: Annotated[str | None, typer.Option(help="How far back it ends; left out, now.")] = None,
    config: Config = HERE,
    limit: Limited = 20,
    as_json: AsJson = False,
) -> None:
    """Add up what model calls used and cost, the dearest group first, and what a successful run cost."""
    now = time.time_ns() // 1_000_000 + 1
    start = now - duration_ms(since, "--since")
    end = now - duration_ms(until, "--until") if until is not None else now

    async def work(session: Session) -> tuple[GroupSpending, ...]:
        return await session.desks.model_calls.spending(session.principal, by=by, since=start, until=end)

    found = on_deployment(config, work)
    document = models_views.spending(by, start, end, found, limit)
    output = Output(as_json)
    output.data(document)
    rows = [_row(one, one.group or _NAMELESS.get(by, "-")) for one in document.groups]
    if len(found) > 1:
        rows.append(_row(document.total, "all"))
    of_runs = document.total.successes is not None
    columns = (by.value, "calls", "tokens in", "tokens out", "USD")
    more = ("successful runs", "USD per successful run") if of_runs else ()
    shown = [row if of_runs else row[: len(columns)] for row in rows]
    output.table((*columns, *more), shown, empty="No model was asked in that time.")
    if len(found) > limit:
        output.say(f"\n{len(found) - limit} more, counted under 'all'; raise --limit to see them.")
    if of_runs and found and not document.total.successes:
        output.say("\nNo run was closed as succeeded, so nobody knows what a success costs.")


def _row(one: SpendingGroupDocument, name: str) -> tuple[object, ...]:
    return (
        name,
        f"{one.calls:,}",
        f"{one.input_tokens:,}",
        f"{one.output_tokens:,}",
        one.cost_usd,
        one.successes,
        one.cost_per_success_usd or "-",
    )
