"""`interlock budgets`."""

from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.domain.budgets import Balance
from interlock.server.api import views

app = typer.Typer(help="What is spent, held and left.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def budgets() -> None:
    """What is spent, held and left."""


@app.command("list")
def list_(
    prefix: Annotated[str, typer.Option(help="The beginning of the budget's key, such as `agent=refunds`.")] = "",
    config: Config = HERE,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """List budgets: the limit, what is spent and what is held, in the unit of each measure."""

    async def work(session: Session) -> tuple[Balance, ...]:
        return await session.desks.records.budgets(session.principal, prefix)

    every = on_deployment(config, work)
    found = [views.budget(one) for one in every[:limit]]
    output = Output(as_json)
    output.data({"budgets": found})
    rows = [(one.budget.partition("|")[2], one.limit, one.spent, one.held, one.left) for one in found]
    output.table(("budget", "limit", "spent", "held", "left"), rows, empty="Nothing was spent or held yet.")
    if len(every) > limit:
        output.say(f"\n{len(every) - limit} more; narrow with --prefix or raise --limit.")
    if any(one.held for one in found):
        output.say(
            "\nWhat is held belongs to calls under way, waiting, or unknown: interlock runs calls --status unknown"
        )
