"""`interlock encryption`."""

from typing import Annotated

import typer

from interlock.adapters.keys import decoded
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.cli.erase import Sure, make_sure
from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.ids import TenantId
from interlock.runs.keeping import TenantKey

app = typer.Typer(
    help="The keys under which bodies are kept.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def show(config: Config = HERE, as_json: AsJson = False) -> None:
    """Show the keys of the tenant; the keys themselves are shown nowhere."""

    async def work(session: Session) -> tuple[TenantKey, ...]:
        return await session.desks.keeping.keys(session.principal)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"keys": [one._asdict() for one in found]})
    rows = [
        (one.id, shown(one.created_at), f"destroyed {shown(one.destroyed_at)}" if one.destroyed_at else "in use")
        for one in found
    ]
    output.table(("key", "made", "state"), rows, empty="Nothing has been written yet.")


@app.command()
def rotate(config: Config = HERE, as_json: AsJson = False) -> None:
    """Give the tenant a new key: what is written from now on is sealed under it."""

    async def work(session: Session) -> None:
        await session.desks.keeping.rotate(session.principal)

    on_deployment(config, work)
    output = Output(as_json)
    output.data({"rotated": True})
    output.say("What is written from now on is sealed under a new key; running processes follow within five seconds.")


@app.command()
def rewrap(
    reference: Annotated[
        str,
        typer.Argument(metavar="REFERENCE", help="Where the new key is: env:NAME, file:PATH or keyring:SERVICE/NAME."),
    ],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Wrap the tenants' keys under another key, and so take the present one out of use."""

    async def work(session: Session) -> int:
        secrets = SecretResolver(folder=session.deployment.folder)
        key = decoded(await secrets.resolve(reference), f"The encryption key {reference}")
        return await session.desks.keeping.rewrap(session.principal, key)

    count = on_deployment(config, work)
    output = Output(as_json)
    output.data({"rewrapped": count})
    output.say(
        f"Wrapped {counted(count, 'key')} anew. Set encryption.key to {reference} before anything is started again."
    )


@app.command()
def destroy(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Whose: its name, to be sure.")],
    because: Annotated[str, typer.Option("--because", "-b", help="Why, in a sentence; the audit trail keeps it.")],
    sure: Sure = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Destroy the tenant's keys: everything that was said is gone for good, in this database and in every copy of it.

    Copies that hold the wrapped keys of before, such as backups, can be read with the wrapping key: rewrap first, and destroy
    the old one.
    """
    make_sure(f"Destroy everything that was ever said by or to {tenant}, for good?", sure=sure)

    async def work(session: Session) -> int:
        return await session.desks.keeping.destroy(session.principal, TenantId(tenant), because)

    count = on_deployment(config, work)
    output = Output(as_json)
    output.data({"destroyed": count})
    output.say(f"Destroyed {counted(count, 'key')}. Running processes forget them within five seconds.")


@app.command()
def seal(config: Config = HERE, as_json: AsJson = False) -> None:
    """Seal what versions before encryption wrote in the clear. `interlock serve` does so by itself."""

    async def work(session: Session) -> int:
        return await session.desks.keeping.reseal()

    count = on_deployment(config, work)
    output = Output(as_json)
    output.data({"sealed": count})
    output.say(f"Sealed {count} bodies. Every body is sealed now.")
