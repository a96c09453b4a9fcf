"""`interlock tools`."""

from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.contracts import Standing, ToolContract
from interlock.domain.errors import BadInput
from interlock.gateway.contract_desk import Review
from interlock.server.api import views
from interlock.tools.ports import Pin

app = typer.Typer(help="The tools, as reviewed.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="TOOL", help="Its name, as `interlock tools list` shows it.")]


@app.command("list")
def list_(
    held: Annotated[bool, typer.Option("--held", help="Only those that wait for a review.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """List every tool that the upstreams offer now."""

    async def work(session: Session) -> tuple[tuple[ToolContract, ...], tuple[str, ...]]:
        return await session.desks.contracts.list(session.principal), session.desks.publisher.problems

    every, problems = on_deployment(config, work, discover=True)
    found = [one for one in every if not held or one.standing is Standing.QUARANTINED]
    output = Output(as_json)
    output.data({"tools": [views.tool(one) for one in found], "problems": list(problems)})
    rows = [(one.name, one.kind, int(one.tier), one.category, one.standing, _guessed(one)) for one in found]
    empty = "No tool waits for a review." if held else "No tool is offered."
    output.table(("tool", "kind", "tier", "category", "standing", "guessed"), rows, empty=empty)
    for problem in problems:
        output.say(f"\n{problem}")
    waiting = next((one.name for one in found if one.standing is Standing.QUARANTINED), None)
    if waiting is not None:
        output.say(f"\nNext: interlock tools diff {waiting}")


@app.command()
def show(tool: Name, config: Config = HERE, as_json: AsJson = False) -> None:
    """Show the contract of a tool."""
    found = _review(config, tool)
    output = Output(as_json)
    output.data(views.contract(found))
    contract = found.contract
    output.say(f"{contract.name}   ({contract.standing})\n  {contract.description}")
    output.say(f"  kind       {contract.kind}, tier {int(contract.tier)}, {contract.category}, {contract.environment}")
    output.say(f"  upstream   {contract.upstream.operation} of {contract.upstream.server} ({contract.upstream.kind})")
    output.say(f"  owner      {contract.owner or '-'}")
    output.say(f"  repeating  {contract.idempotency} {contract.idempotency_name}".rstrip())
    output.say(f"  amount     {contract.amount.pointer if contract.amount else '-'}")
    for pointer, role in contract.roles:
        output.say(f"  argument   {pointer}: {role}")
    output.say(f"  guessed    {_guessed(contract)}")
    output.say(f"  surface    {contract.surface_hash}")
    pinned = found.pin
    output.say(f"  reviewed   {f'by {pinned.pinned_by}, {shown(pinned.pinned_at)}' if pinned else 'never'}")


@app.command()
def diff(tool: Name, config: Config = HERE, as_json: AsJson = False) -> None:
    """Show what its upstream changed since the tool was reviewed."""
    found = _review(config, tool)
    output = Output(as_json)
    output.data(views.diff(found))
    contract = found.contract
    if contract.standing is Standing.APPROVED:
        output.say(f"{tool} is what was reviewed; nothing changed.")
        return
    if found.pin is None:
        output.say(f"{tool} was never reviewed. See it with: interlock tools show {tool}")
    for change in found.changes:
        output.say(str(change))
    output.say(f"\nIf that is fine: interlock tools approve {tool} --surface {contract.surface_hash}")


@app.command()
def approve(
    tool: Name,
    surface: Annotated[str, typer.Option("--surface", help="The hash that `interlock tools diff` showed you.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Approve what the upstream offers now, if it is still what you looked at."""
    if not surface:
        raise BadInput("Say which surface you looked at", do=f"interlock tools diff {tool} shows its hash")

    async def work(session: Session) -> Pin:
        return await session.desks.contracts.approve(session.principal, tool, surface)

    pinned = on_deployment(config, work, discover=True)
    output = Output(as_json)
    output.data(views.pin(pinned))
    output.say(f"Approved: {tool} may be used as it is now. Running servers follow at their next refresh.")


def _review(config: Config, tool: str) -> Review:
    async def work(session: Session) -> Review:
        return await session.desks.contracts.review(session.principal, tool)

    return on_deployment(config, work, discover=True)


def _guessed(contract: ToolContract) -> str:
    return ", ".join(sorted(contract.guessed)) or "-"
