"""`interlock budgets`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from interlock.budgets.overruns import shown
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.config import load_deployment
from interlock.domain.budgets import Balance, Limit, Measure
from interlock.domain.errors import ConfigurationError
from interlock.domain.money import usd
from interlock.server.api import views

app = typer.Typer(
    help="What is spent, held and left.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def budgets() -> None:
    """What is spent, held and left."""


@app.command("list")
def list_(
    prefix: Annotated[str, typer.Option(help="The beginning of the budget's name, such as `agent:refunds/`.")] = "",
    config: Config = HERE,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """List budgets: the limit, what is spent and what is held. With --json in the smallest unit of each measure."""

    async def work(session: Session) -> tuple[Balance, ...]:
        return await session.desks.records.budgets(session.principal, prefix)

    every, limits = on_deployment(config, work), _limits(config)
    found = [views.budget(one) for one in every[:limit]]
    output = Output(as_json)
    output.data({"budgets": found})
    rows = [_row(one.budget.partition("|")[2], (one.limit, one.spent, one.held, one.left), limits) for one in found]
    output.table(("budget", "limit", "spent", "held", "left"), rows, empty="Nothing was spent or held yet.")
    if len(every) > limit:
        output.say(f"\n{len(every) - limit} more; narrow with --prefix or raise --limit.")
    if any(one.held for one in found):
        output.say(
            "\nWhat is held belongs to calls under way, waiting, or unknown: interlock runs calls --status unknown"
        )


def _limits(config: Path) -> dict[str, Limit]:
    """Return the declared limits by what stands in the keys of their budgets; none where the files have problems."""
    try:
        deployment = load_deployment(config)
    except ConfigurationError:
        return {}
    found = {f"deployment/{limit.id}": limit for limit in deployment.limits}
    for agent in deployment.agents.values():
        found |= {f"agent:{agent.id}/{limit.id}": limit for limit in agent.limits}
    return found


def _row(key: str, amounts: tuple[int, ...], limits: Mapping[str, Limit]) -> tuple[str, ...]:
    """Return a row in the units that people use; in the smallest unit where the limit is not declared any more."""
    limit = limits.get(key.partition("|")[0])
    if limit is None:
        return (key, *map(str, amounts))
    if limit.measure is Measure.COST:
        return (key, *(f"{usd(amount)} USD" for amount in amounts))
    return (key, *(shown(amount, limit) for amount in amounts))
