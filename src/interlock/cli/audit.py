"""`interlock audit`."""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.export import FolderTarget, ZipTarget
from interlock.cli.audit_keys import key, resume, rotate
from interlock.cli.audit_verifying import verify
from interlock.cli.exits import Exit
from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import duration_ms, shown
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.canonical import canonical_json, parse_json
from interlock.domain.errors import BadInput, Conflict, UnknownRecord
from interlock.gateway.audit_anchors import Anchored
from interlock.gateway.audit_desk import LogStanding, ProvedEntry
from interlock.server.api import views

app = typer.Typer(
    help="Who did what, under which rules, and the proof.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(verify)
app.command()(rotate)
app.command()(resume)
app.command()(key)


@app.callback()
def audit() -> None:
    """Who did what, under which rules, and the proof."""


@app.command()
def search(
    subject: Annotated[
        str | None,
        typer.Argument(
            help="The beginning of the subject: a run, with its calls; RUN/CALL for one call; a model call, an approval, a key."
        ),
    ] = None,
    kind: Annotated[AuditKind | None, typer.Option(help="Only events of this kind.")] = None,
    since: Annotated[str | None, typer.Option(help="How far back: 30m, 24h, 7d.")] = None,
    config: Config = HERE,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """Search the audit trail, the newest first. Payloads stand in it as commitments only."""
    start = 0 if since is None else time.time_ns() // 1_000_000 - duration_ms(since, "--since")

    async def work(session: Session) -> tuple[AuditEvent, ...]:
        return await session.desks.records.audit(session.principal, subject, limit, kind=kind, since=start)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"events": [views.event(one) for one in found]})
    rows = [(one.subject, one.kind, one.actor, shown(one.at), _brief(one)) for one in found]
    output.table(("subject", "what", "who", "at", "details"), rows, empty="Nothing is recorded about that.")


@app.command()
def prove(
    what: Annotated[
        str, typer.Argument(help="An event, an index, a RUN with its calls, RUN/CALL, a model call, an approval.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A folder: one file for each entry. Left out: the proof of a single entry is printed."),
    ] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Prove that entries are in the log: one text file each, to be checked with nothing but the log's key."""

    async def work(session: Session) -> tuple[ProvedEntry, ...]:
        desk = session.desks.audit
        with contextlib.suppress(Conflict, UnknownRecord):
            return await desk.prove(session.principal, what)
        # What has just been recorded is placed and signed first.
        await desk.sign(session.principal)
        return await desk.prove(session.principal, what)

    proved = on_deployment(config, work)
    output = Output(as_json)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for one in proved:
            (out / f"{one.entry.index}.tlog-proof").write_bytes(bytes(one.proof))
    output.data({"proofs": [_proof(one) for one in proved]})
    if out is None and len(proved) == 1:
        output.say(bytes(proved[0].proof).decode().rstrip())
        return
    rows = []
    for one in proved:
        event = parse_json(one.entry.leaf)
        rows.append((one.entry.index, event["kind"], event["subject"], shown(event["at"])))
    output.table(("index", "what", "subject", "at"), rows)
    where = f"in {out}" if out is not None else "not written: give a folder with --out"
    output.say(f"{counted(len(proved), 'proof')}, {where}.")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="A new folder, or a new file that ends with .zip.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Write the whole log as files that anybody can verify without Interlock: entries, tree, checkpoints, keys."""

    async def work(session: Session) -> int:
        desk = session.desks.audit
        if out.suffix != ".zip":
            return await desk.export(session.principal, FolderTarget(out), _progress())
        if out.exists():
            raise BadInput(f"{out} is there already", do="Give a new name")
        with out.open("xb") as file:
            target = ZipTarget(file)
            written = await desk.export(session.principal, target, _progress())
            target.close()
        return written

    written = on_deployment(config, work)
    output = Output(as_json)
    output.data({"entries": written, "out": str(out)})
    output.say(
        f"{counted(written, 'entry').replace('entrys', 'entries')} in {out}. Check it: interlock audit verify {out}"
    )


@app.command()
def checkpoint(
    out: Annotated[
        Path | None,
        typer.Option(help="Write the signed checkpoint to this file: to be kept where this machine cannot write."),
    ] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Sign all that is recorded, now, carry it to the anchors, and show how the log stands."""

    async def work(session: Session) -> tuple[bytes, LogStanding, tuple[Anchored, ...]]:
        desk = session.desks.audit
        note = await desk.sign(session.principal)
        anchored = await desk.anchor(session.principal)
        return note, await desk.standing(session.principal), anchored

    note, standing, anchored = on_deployment(config, work)
    note = standing.note or note
    if out is not None:
        out.write_bytes(note)
    output = Output(as_json)
    signed = read_checkpoint(note)
    keys = [{"since": one.since, "key": one.vkey} for one in standing.keys]
    anchors = [{"place": one.place.name, "problem": str(one.problem) if one.problem else None} for one in anchored]
    output.data(
        {"origin": signed.origin, "size": signed.size, "checkpoint": note.decode(), "keys": keys, "anchors": anchors}
    )
    output.say(f"{note.decode().rstrip()}\n")
    output.say(f"Give auditors the log's key, by another way than the log:\n  {standing.keys[-1].vkey}")
    for one in anchored:
        output.say(f"Anchored at {one.place.name}." if one.problem is None else f"Not anchored: {one.problem}")
    if any(one.problem is not None for one in anchored):
        raise typer.Exit(Exit.ENVIRONMENT)


def _proof(one: ProvedEntry) -> dict[str, object]:
    event = parse_json(one.entry.leaf)
    return {"index": one.entry.index, "event": event, "proof": bytes(one.proof).decode()}


def _brief(event: AuditEvent) -> str:
    text = canonical_json(event.body).decode()
    return text if len(text) <= 80 else text[:79] + "…"


def _progress() -> Callable[[int], None]:
    """Return what tells how far an export has come, to a person who watches."""
    if not sys.stderr.isatty():
        return lambda _: None
    last = 0.0

    def tell(written: int) -> None:
        nonlocal last
        if time.monotonic() - last > 1:
            last = time.monotonic()
            typer.echo(f"{written:,} entries ...", err=True)

    return tell
