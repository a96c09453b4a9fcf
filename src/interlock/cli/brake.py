"""`interlock brake`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import duration_ms, shown
from interlock.config import Deployment, load_deployment, nearest
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.errors import BadInput, ConfigurationError
from interlock.server.api import views

app = typer.Typer(
    help="Stop what must not happen any more.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def on(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, in a sentence; others will read it.")],
    length: Annotated[str, typer.Option("--for", help="For how long: 30s, 15m, 4h, 2d.")],
    tool: Annotated[str | None, typer.Option(help="Stop this tool.")] = None,
    category: Annotated[str | None, typer.Option(help="Stop the tools of this category.")] = None,
    agent: Annotated[str | None, typer.Option(help="Stop this agent.")] = None,
    model: Annotated[str | None, typer.Option(help="Stop calls to this model or provider.")] = None,
    writes: Annotated[bool, typer.Option("--writes", help="Stop every write.")] = False,
    models: Annotated[bool, typer.Option("--models", help="Stop every model call.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Stop everything.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Pull the brake. It holds everywhere for tool calls once this command returns, for model calls half a second later."""
    target, name = _target(
        {
            BrakeTarget.TOOL: tool,
            BrakeTarget.CATEGORY: category,
            BrakeTarget.AGENT: agent,
            BrakeTarget.MODEL: model,
        },
        {BrakeTarget.WRITES: writes, BrakeTarget.MODELS: models, BrakeTarget.ALL: everything},
    )
    for_ms = duration_ms(length, "--for")

    async def work(session: Session) -> Brake:
        return await session.desks.brakes.on(session.principal, target, name, reason=reason, for_ms=for_ms)

    brake = on_deployment(config, work)
    doubt = _doubt(brake, config)
    output = Output(as_json)
    output.data({"brake": views.brake(brake), "warning": doubt or None})
    output.say(f"Stopped: {_what(brake)}, until {shown(brake.expires_at)}.")
    if doubt:
        output.say(f"Look again: {doubt}")
    output.say(f"\nLift it with: interlock brake off {brake.id}")


@app.command()
def off(
    id: Annotated[str | None, typer.Argument(metavar="BRAKE", help="Its id; left out when only one is on.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lift every brake that is on.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Lift the brake; who did is recorded."""

    async def work(session: Session) -> tuple[Brake, ...]:
        desk, principal = session.desks.brakes, session.principal
        lifted = [id] if id is not None else _choose(await desk.status(principal), everything=everything)
        return tuple([await desk.off(principal, one) for one in lifted])

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"lifted": [views.brake(one) for one in found]})
    for brake in found:
        output.say(f"Lifted: {_what(brake)}.")


@app.command()
def status(config: Config = HERE, as_json: AsJson = False) -> None:
    """Show the brakes that are on."""

    async def work(session: Session) -> tuple[Brake, ...]:
        return await session.desks.brakes.status(session.principal)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"brakes": [views.brake(one) for one in found]})
    rows = [(one.id, _what(one), one.reason, one.set_by, shown(one.set_at), shown(one.expires_at)) for one in found]
    output.table(("brake", "stops", "because", "set by", "since", "until"), rows, empty="No brake is on.")
    if found:
        output.say(f"\nLift one with: interlock brake off {found[0].id}")


def _target(named: Mapping[BrakeTarget, str | None], unnamed: Mapping[BrakeTarget, bool]) -> tuple[BrakeTarget, str]:
    given = [(target, name) for target, name in named.items() if name is not None]
    given += [(target, "") for target, wanted in unnamed.items() if wanted]
    if len(given) != 1:
        raise BadInput(
            "Say what is to be stopped" if not given else "One brake stops one thing",
            do="Give one of --tool, --category, --agent, --model, --writes, --models, --all",
        )
    return given[0]


def _choose(brakes: tuple[Brake, ...], *, everything: bool) -> list[str]:
    if everything or len(brakes) == 1:
        return [one.id for one in brakes]
    raise BadInput(
        f"{len(brakes)} brakes are on" if brakes else "No brake is on", do="Name one that interlock brake status shows"
    )


def _what(brake: Brake) -> str:
    match brake.target:
        case BrakeTarget.ALL:
            return "everything"
        case BrakeTarget.WRITES:
            return "all writes"
        case BrakeTarget.MODELS:
            return "all model calls"
        case _:
            return f"{brake.target} {brake.name}"


def _doubt(brake: Brake, config: Path) -> str:
    """Return a warning when nothing of that name is declared: a brake with a misspelt name stops nothing."""
    try:
        deployment = load_deployment(config)
    except ConfigurationError:
        return "the configuration has problems, so nobody checked the name; see interlock check."
    known: Iterable[str]
    match brake.target:
        case BrakeTarget.TOOL:
            allowed = {name for agent in deployment.agents.values() for name in agent.tools}
            known = allowed | {one.rename or one.tool for one in deployment.overlays}
        case BrakeTarget.CATEGORY:
            known = {one.category for one in deployment.overlays if one.category}
        case BrakeTarget.AGENT:
            known = set(deployment.agents)
        case BrakeTarget.MODEL:
            known = _models(deployment)
        case _:
            return ""
    if brake.name in known:
        return ""
    near = nearest(brake.name, sorted(known))
    hint = f" Did you mean '{near}'?" if near else ""
    return f"the configuration names no {brake.target} '{brake.name}', so this brake may stop nothing.{hint}"


def _models(deployment: Deployment) -> set[str]:
    """Return the names of models and providers that the deployment declares."""
    if deployment.router is None:
        return set()
    models = deployment.router.routes.models.values()
    return {name for one in models for name in (one.id, one.name, one.provider)}
