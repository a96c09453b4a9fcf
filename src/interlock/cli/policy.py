"""`interlock policy`."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.replays import Edits, Processes, Since, compare
from interlock.cli.session import HERE, Config

app = typer.Typer(
    help="Rules, held against what has happened.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def policy() -> None:
    """Rules, held against what has happened."""


@app.command()
def backtest(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The other rules: a deployment, or files in place of its own of that name."),
    ],
    since: Since = "30d",
    which: Annotated[
        str, typer.Option("--where", help="Which runs: 'agent=refunds outcome=succeeded label.case=7'.")
    ] = "",
    edits: Edits = None,
    processes: Processes = 0,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what the rules in DIR would have made of the calls of the past, before they go live. No tool is called."""
    compare(config, which, since, folder, edits or [], "", processes, Output(as_json))
