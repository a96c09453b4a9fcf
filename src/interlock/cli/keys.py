"""`interlock keys`."""

from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import duration_ms, shown
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId
from interlock.identity.ports import KeyRecord
from interlock.server.api import views

app = typer.Typer(
    help="Keys of people, services and agents.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the person or service; audit entries carry it.")],
    role: Annotated[list[Role], typer.Option("--role", help="May be given several times.")],
    agent: Annotated[str | None, typer.Option(help="For role agent: which one.")] = None,
    length: Annotated[
        str | None, typer.Option("--for", help="How long it is valid, such as 90d; left out: no end.")
    ] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once and kept nowhere."""
    life = duration_ms(length, "--for") if length is not None else None

    async def work(session: Session) -> tuple[str, KeyRecord]:
        acting_as = AgentId(agent) if agent is not None else None
        return await session.desks.access.create_key(session.principal, name, frozenset(role), acting_as, life)

    secret, record = on_deployment(config, work)
    output = Output(as_json)
    output.data({"secret": secret, "key": views.key(record)})
    output.say(f"{secret}\n")
    output.say(f"This is the only time that the key is shown. It is {record.id} of {name}.")
    output.say(f"Revoke it with: interlock keys revoke {record.id}")


@app.command("list")
def list_(config: Config = HERE, as_json: AsJson = False) -> None:
    """List keys, without their secrets."""

    async def work(session: Session) -> tuple[KeyRecord, ...]:
        return await session.desks.access.keys(session.principal)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"keys": [views.key(one) for one in found]})
    rows = [
        (one.id, one.principal.id, ", ".join(sorted(one.principal.roles)), one.principal.agent or "-", _life(one))
        for one in found
    ]
    none = "There are no keys. Make one with: interlock keys create NAME --role operator"
    output.table(("key", "name", "roles", "agent", "valid"), rows, empty=none)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `interlock keys list` shows it.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Revoke a key at once."""

    async def work(session: Session) -> None:
        await session.desks.access.revoke_key(session.principal, key)

    on_deployment(config, work)
    output = Output(as_json)
    output.data({"revoked": key})
    output.say(f"Revoked {key}. Run tokens that were opened with it live on for at most ten minutes unrenewed.")


def _life(key: KeyRecord) -> str:
    if key.revoked_at is not None:
        return f"revoked {shown(key.revoked_at)}"
    return f"until {shown(key.expires_at)}" if key.expires_at is not None else "without an end"
