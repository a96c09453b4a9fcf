"""`interlock audit verify`: of an export or a proof, offline; or of the log and the records of the deployment at hand."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.audit.notes import VerifierKey, parse_verifier_key
from interlock.audit.proofs import SUFFIX, parse_proof
from interlock.audit.verifying import Outcome, Verdict
from interlock.audit.verifying import verify as verify_export
from interlock.cli.exits import Exit
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.domain.canonical import parse_json
from interlock.domain.errors import BadInput, InterlockError
from interlock.gateway.record_check import MOST_WAITING, RecordReport

_WORDS = {
    Outcome.INTACT: "INTACT",
    Outcome.UNPROVEN: "UNPROVEN",
    Outcome.TAMPERED: "TAMPERED",
    Outcome.TRUNCATED: "TRUNCATED",
    Outcome.ROLLED_BACK: "ROLLED BACK",
    Outcome.UNREADABLE: "UNREADABLE",
}
_SHOWN = 20


def verify(
    export: Annotated[
        Path | None,
        typer.Argument(
            help="An export (a folder or a .zip) or a .tlog-proof. Left out: the log and records of the deployment."
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="A verifier key of the log or of a witness, as you were given it; repeatable."),
    ] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="A file with checkpoints that you kept, such as a file anchor; repeatable."),
    ] = None,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Verify the log. An export is verified offline: neither deployment nor network is needed.

    Exit codes: 0 intact, 4 origin unproven, 10 tampered, 11 truncated, 12 rolled back, 13 unreadable.
    """
    keys, notes = tuple(key or ()), tuple(_read(path) for path in kept or ())
    output = Output(as_json)
    if export is not None and export.suffix == SUFFIX:
        _verify_proof(export, keys, output)
        return
    report: RecordReport | None = None
    try:
        if export is not None:
            verdict = verify_export(export, keys=keys, kept=notes)
        else:
            verdict, report = on_deployment(config, lambda session: _live(session, keys, notes))
    except ValueError as error:
        raise BadInput(
            f"A key or a kept checkpoint cannot be read: {error}", do="Give it as it was handed out"
        ) from None
    broken = report is not None and bool(report.findings)
    _tell(output, verdict, report)
    raise typer.Exit(Outcome.TAMPERED.value if broken and verdict.outcome is Outcome.INTACT else verdict.outcome.value)


async def _live(session: Session, keys: tuple[str, ...], kept: tuple[bytes, ...]) -> tuple[Verdict, RecordReport]:
    verdict = await session.desks.audit.verify(session.principal, keys, kept)
    return verdict, await session.desks.audit.check_records(session.principal)


def _tell(output: Output, verdict: Verdict, report: RecordReport | None) -> None:
    data: dict[str, object] = {
        "outcome": verdict.outcome.name.lower(),
        "reason": verdict.reason,
        "origin": verdict.origin,
        "size": verdict.size,
        "checkpoints": verdict.checkpoints,
        "keys": verdict.keys,
        "cosigned": verdict.cosigned,
    }
    if report is not None:
        data["records"] = {
            "checked": report.checked,
            "erased": report.erased,
            "waiting": report.waiting,
            "findings": [{"subject": one.subject, "index": one.index, "what": one.what} for one in report.findings],
        }
    output.data(data)
    output.say(f"{_WORDS[verdict.outcome]}: {verdict.reason}.")
    if verdict.origin:
        output.say(f"  log          {verdict.origin}, {verdict.size} entries, {verdict.checkpoints} checkpoints")
    for one in verdict.keys:
        output.say(f"  signed with  {one}")
    for witness, size in verdict.cosigned.items():
        output.say(f"  witnessed    up to {size} entries by {witness}")
    if report is not None:
        _tell_records(output, report)


def _tell_records(output: Output, report: RecordReport) -> None:
    if report.waiting:
        more = "at least " if report.waiting == MOST_WAITING else ""
        output.say(f"  unsigned     {more}{report.waiting} events wait for their places: nothing vouches for them yet")
    erased = f"; {report.erased} say nothing any more, because their words were erased" if report.erased else ""
    if not report.findings:
        output.say(f"  records      all {report.checked} that entries speak of are as they were logged{erased}")
        return
    output.say(f"\nTAMPERED: {len(report.findings)} records are not what was logged{erased}.")
    rows = [(one.subject, one.what, one.index) for one in report.findings[:_SHOWN]]
    output.table(("record", "what differs", "log entry"), rows)


def _verify_proof(path: Path, keys: tuple[str, ...], output: Output) -> None:
    """Check one `.tlog-proof`, which carries its entry."""
    if not keys:
        raise BadInput(
            "A proof is checked with the log's key", do="--key NAME+ID+KEY, as the log's owner handed it out"
        )
    verifiers: list[VerifierKey] = [parse_verifier_key(one) for one in keys]
    try:
        proof = parse_proof(_read(path))
        if proof.leaf is None:
            raise BadInput(
                "The proof does not carry its entry", do="Use interlock audit prove, or check it with your own tool"
            )
        checkpoint = proof.verify(proof.leaf, verifiers)
    except InterlockError as error:
        output.data({"outcome": "tampered", "reason": str(error)})
        output.say(f"TAMPERED: {error}")
        raise typer.Exit(Exit.TAMPERED) from None
    event = parse_json(proof.leaf)
    output.data({"outcome": "intact", "origin": checkpoint.origin, "index": proof.index, "event": event})
    output.say(f"INTACT: entry {proof.index} of {checkpoint.origin} is")
    output.say(f"  {event['kind']} {event['subject']} by {event['actor']} at {event['at']}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read", why=error.strerror or type(error).__name__, do="Check the path"
        ) from None
