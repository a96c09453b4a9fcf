"""`interlock traces archive` and `query`: closed days as Parquet."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.gateway.span_archive import Part
from interlock.traces.ports import Answer

Rows = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many rows to print at most.")]


def archive(config: Config = HERE, as_json: AsJson = False) -> None:
    """Write what is closed and not archived yet to Parquet; `interlock serve` does so by itself."""

    async def work(session: Session) -> tuple[Part, ...]:
        return await session.desks.traces.archive(session.principal)

    written = on_deployment(config, work)
    output = Output(as_json)
    output.data({"parts": [{**asdict(one), "day": _day(one.day)} for one in written]})
    rows = [(_day(one.day), one.tenant, one.number, one.runs, one.spans) for one in written]
    output.table(("day", "tenant", "part", "runs", "spans"), rows, empty="Everything that is closed is archived.")


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over the views `spans` and `runs`.")],
    config: Config = HERE,
    limit: Rows = 100,
    as_json: AsJson = False,
) -> None:
    """Ask the archive in SQL (DuckDB): read only, your tenant's files and nothing else."""

    async def work(session: Session) -> Answer:
        return await session.desks.traces.query(session.principal, sql, limit)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data(found)
    output.table(found.columns, [["-" if cell is None else cell for cell in row] for row in found.rows])
    if found.cut:
        output.say(f"\nThere is more: {counted(len(found.rows), 'row')} shown. Ask for others with --limit.")


def _day(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
