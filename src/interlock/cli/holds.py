"""`interlock holds`."""

from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.errors import BadInput
from interlock.runs.keeping import HoldScope, LegalHold
from interlock.server.api.keeping_documents import hold_document

app = typer.Typer(
    help="Legal holds: what may not be erased.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def place(
    because: Annotated[str, typer.Option("--because", "-b", help="Why, in a sentence: the matter, who asked for it.")],
    run: Annotated[str, typer.Option(help="Keep this run.")] = "",
    user: Annotated[str, typer.Option(help="Keep what there is of this user.")] = "",
    agent: Annotated[str, typer.Option(help="Keep the runs of this agent.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Keep everything.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Place a hold. Nothing that it covers is erased or expires while it stands."""
    given = [
        (scope, name)
        for scope, name in ((HoldScope.RUN, run), (HoldScope.USER, user), (HoldScope.AGENT, agent))
        if name
    ]
    given += [(HoldScope.TENANT, "")] if everything else []
    if len(given) != 1:
        raise BadInput("One hold keeps one thing", do="Give one of --run, --user, --agent, --all")
    [(scope, name)] = given

    async def work(session: Session) -> LegalHold:
        return await session.desks.keeping.place(session.principal, scope, name, because)

    hold = on_deployment(config, work)
    output = Output(as_json)
    output.data({"hold": hold_document(hold)})
    output.say(f"Held: {_what(hold)}. Lift it with: interlock holds lift {hold.id}")


@app.command()
def lift(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="Its id, as `interlock holds list` shows it.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Lift a hold; who did is recorded."""

    async def work(session: Session) -> LegalHold:
        return await session.desks.keeping.lift(session.principal, hold)

    lifted = on_deployment(config, work)
    output = Output(as_json)
    output.data({"hold": hold_document(lifted)})
    output.say(f"Lifted: {_what(lifted)}. It expires and may be erased again.")


@app.command("list")
def list_(
    lifted: Annotated[bool, typer.Option("--lifted", help="Show those too that were lifted.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """List the holds that stand."""

    async def work(session: Session) -> tuple[LegalHold, ...]:
        return await session.desks.keeping.holds(session.principal, lifted=lifted)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"holds": [hold_document(one) for one in found]})
    rows = [
        (
            one.id,
            _what(one),
            one.reason,
            one.placed_by,
            shown(one.placed_at),
            shown(one.lifted_at) if one.lifted_at else "-",
        )
        for one in found
    ]
    output.table(("hold", "keeps", "because", "placed by", "since", "lifted"), rows, empty="No hold stands.")


def _what(hold: LegalHold) -> str:
    return "everything" if hold.scope is HoldScope.TENANT else f"{hold.scope} {hold.name}"
