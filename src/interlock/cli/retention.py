"""`interlock retention`."""

from dataclasses import asdict
from typing import Annotated

import typer

from interlock.cli.erase import told
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.config.keeping import DAY_MS
from interlock.gateway.retention import COUNTED, Due
from interlock.runs.keeping import Erasure

app = typer.Typer(
    help="For how long what is kept, and what is let go of.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def show(config: Config = HERE, as_json: AsJson = False) -> None:
    """Show for how long what is kept, and what is over."""
    _show(config, as_json=as_json)


@app.command("run")
def run_(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Let go of everything that is over, now. `interlock serve` does so by itself, a little every minute."""
    if dry_run:
        _show(config, as_json=as_json)
        return

    async def work(session: Session) -> Erasure:
        return await session.desks.keeping.expire(session.principal)

    erased = on_deployment(config, work)
    output = Output(as_json)
    output.data({"erased": asdict(erased)})
    output.say(f"Let go of: {told(erased)}.")


@app.command()
def compact(config: Config = HERE, as_json: AsJson = False) -> None:
    """Write the database anew without what was deleted. Nothing can be recorded meanwhile: choose a quiet hour."""

    async def work(session: Session) -> None:
        await session.desks.keeping.compact(session.principal)

    on_deployment(config, work)
    output = Output(as_json)
    output.data({"compacted": True})
    output.say("The database was written anew. Backups, archived logs and the disk's spare blocks are as they were.")


def _show(config: Config, *, as_json: bool) -> None:
    async def work(session: Session) -> Due:
        return await session.desks.keeping.due(session.principal)

    due = on_deployment(config, work)
    days = {name: length // DAY_MS for name, length in asdict(due.times).items()}
    output = Output(as_json)
    output.data({"tenant": due.tenant, "days": days, "runs_due": due.runs, "holds": due.holds})
    output.table(("what", "kept for"), [(name, f"{length} days") for name, length in days.items()])
    more = "or more " if due.runs == COUNTED else ""
    output.say(f"\n{due.runs} {more}runs have been kept long enough. The audit trail is kept for ever.")
    if due.holds:
        output.say(f"{due.holds} legal holds stand, and what they cover stays: interlock holds list")
