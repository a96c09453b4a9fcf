"""`interlock erase`."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.domain.errors import BadInput
from interlock.domain.ids import RunId
from interlock.gateway.erasure import ErasureReport
from interlock.runs.keeping import Erasure

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Sure = Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")]
"""The option of commands that cannot be taken back."""
_WORDS = {
    "runs": "run",
    "calls": "tool call",
    "model_calls": "model call",
    "texts": "text",
    "approvals": "approval",
    "replies": "kept reply",
    "budgets": "budget",
    "spans": "span",
    "archived": "row",
}


@app.command()
def erase(
    user: Annotated[str, typer.Option(help="Erase what is kept of this user, in all runs.")] = "",
    run: Annotated[str, typer.Option(help="Erase what was said in this run.")] = "",
    because: Annotated[str, typer.Option(help="Why, in a sentence; the audit trail keeps a commitment to it.")] = "",
    sure: Sure = False,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Erase what was said, for good. Rows, sums and ids stay, and every proof still verifies."""
    make_sure(f"Erase what is kept of {f'user {user}' if user else f'run {run}'}, for good?", sure=sure)

    async def work(session: Session) -> ErasureReport:
        return await session.desks.keeping.erase(
            session.principal, user=user, run=RunId(run) if run else None, because=because
        )

    report = on_deployment(config, work)
    output = Output(as_json)
    output.data({"erasure": report.id, "runs": report.runs, "erased": asdict(report.erased), "receipt": report.receipt})
    output.say(f"Erased: {told(report.erased)}.")
    output.say(f"The audit trail tells of it as {report.id}, without the name.")
    output.say(f"Receipt: {report.receipt}")
    output.say("Whoever has the receipt can prove whom the entry is about; without it nobody can. It is kept nowhere.")
    output.say("Deleted rows may stand in the database's unused space: interlock retention compact writes it anew.")


def make_sure(question: str, *, sure: bool) -> None:
    """Ask the person at the terminal; raise BadInput where there is none and nobody said --yes."""
    if sure:
        return
    if not sys.stdin.isatty():
        raise BadInput("This cannot be taken back, and nobody is there to be asked", do="Repeat it with --yes")
    typer.confirm(question, abort=True, err=True)


def told(erased: Erasure) -> str:
    """Return how much was erased, in words."""
    counts = [counted(count, _WORDS[name]) for name, count in asdict(erased).items() if count]
    return ", ".join(counts).replace("replys", "replies") or "nothing, for nothing was left"
