"""`interlock audit rotate | resume | key`: the keys of the log, and what to do after a break."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.adapters.keys.private_files import create
from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.notes import SignerKey
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.domain.errors import BadInput
from interlock.wiring.record import ring_to


def rotate(
    to: Annotated[
        str | None,
        typer.Option(
            help="Where the next key is: env:NAME, file:PATH or keyring:SERVICE/NAME. Needed where audit.key is set."
        ),
    ] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Change the key that signs the log: an entry introduces the new one, and both sign the checkpoint over it."""

    async def work(session: Session) -> tuple[bytes, str]:
        ring = None if to is None else ring_to(session.deployment, to)
        return await session.desks.audit.rotate(session.principal, ring)

    note, vkey = on_deployment(config, work)
    output = Output(as_json)
    output.data({"key": vkey, "size": read_checkpoint(note).size, "checkpoint": note.decode()})
    output.say(f"From entry {read_checkpoint(note).size} on the log is signed with\n  {vkey}")
    output.say("Auditors who hold the former key follow to this one by themselves.")
    if to is not None:
        output.say(f"Set `audit.key` to {to} and restart every server: they sign nothing until then.")


def resume(
    because: Annotated[
        str,
        typer.Option(help="What happened, without personal data: it stays in the log for ever.", show_default=False),
    ],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Accept a break of the log on the record, after a backup was restored, and sign again on this machine."""
    if not 1 <= len(because.strip()) <= 500:
        raise BadInput("--because is empty or too long", do="Say in 1 to 500 characters what happened")

    async def work(session: Session) -> tuple[bytes, str]:
        return await session.desks.audit.resume(session.principal, because.strip())

    note, aside = on_deployment(config, work)
    output = Output(as_json)
    output.data({"size": read_checkpoint(note).size, "checkpoint": note.decode(), "former": aside})
    output.say(f"The break is on the record, and {read_checkpoint(note).size} entries are signed anew.")
    output.say(f"The former checkpoint proves what was there before; keep it: {aside}")


def key(
    out: Annotated[Path, typer.Argument(help="A new file, which only you will be able to read.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Make a signing key for this log, for where Interlock does not keep it itself (audit.key, rotate --to)."""

    async def work(session: Session) -> str:
        return session.desks.audit.origin

    made = SignerKey.new(on_deployment(config, work))
    if not create(out, f"{made.secret_text()}\n".encode()):
        raise BadInput(f"{out} is there already", do="Give a new name")
    output = Output(as_json)
    output.data({"key": str(made.verifier), "out": str(out)})
    output.say(f"The signing key is in {out}; its verifier key, which may be published:\n  {made.verifier}")
