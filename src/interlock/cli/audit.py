"""`interlock audit`."""

from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.audit import AuditEvent
from interlock.domain.canonical import canonical_json
from interlock.server.api import views

app = typer.Typer(help="Who did what, and under which rules.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def audit() -> None:
    """Who did what, and under which rules."""


@app.command()
def search(
    subject: Annotated[
        str | None,
        typer.Argument(
            help="The beginning of the subject: a run, with its calls; RUN/CALL for one call; an approval, a tool, a key."
        ),
    ] = None,
    config: Config = HERE,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """Search the audit trail, the newest first. Payloads stand in it as commitments only."""

    async def work(session: Session) -> tuple[AuditEvent, ...]:
        return await session.desks.records.audit(session.principal, subject, limit)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"events": [views.event(one) for one in found]})
    rows = [(one.subject, one.kind, one.actor, shown(one.at), _brief(one)) for one in found]
    output.table(("subject", "what", "who", "at", "details"), rows, empty="Nothing is recorded about that.")


def _brief(event: AuditEvent) -> str:
    text = canonical_json(event.body).decode()
    return text if len(text) <= 80 else text[:79] + "…"
