"""`interlock demo`."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn

from interlock.cli.exits import Exit
from interlock.cli.output import AsJson, Output
from interlock.demo.day import Played, opened
from interlock.demo.reckoning import Check, Sums, checks, sums
from interlock.demo.report import as_json as page_json
from interlock.demo.report import print_page
from interlock.demo.story import load_story

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def demo(
    keep: Annotated[
        Path | None, typer.Option(help="Leave the demo's deployment and records in this new folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a day of a support agent through a real gate, and say what happened to each ticket and why."""
    if keep is not None and keep.exists():
        raise typer.BadParameter(f"{keep} exists; name a folder that does not.", param_hint="--keep")
    with tempfile.TemporaryDirectory(prefix="interlock-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        played, total, checked = asyncio.run(_day(folder, quiet=as_json))
    Output(as_json).data(page_json(played, total, checked))
    if not as_json:
        print_page(played, total, checked, Console(highlight=False, markup=False, soft_wrap=True))
    if not all(check.kept for check in checked):
        raise typer.Exit(Exit.FAILED)


async def _day(folder: Path, *, quiet: bool) -> tuple[tuple[Played, ...], Sums, tuple[Check, ...]]:
    started, story = time.monotonic(), load_story()
    console = Console(stderr=True, quiet=quiet)
    with Progress(TextColumn("{task.description}"), console=console, transient=True) as progress:
        shown = progress.add_task("opening the shop")
        async with opened(story, folder) as day:
            played: tuple[Played, ...] = ()
            for ticket in story.tickets:
                progress.update(shown, description=f"ticket {ticket.number}: {ticket.title}")
                played = (*played, await day.play(ticket))
            total = await sums(day, played, started)
            return played, total, await checks(day, played, total)
