"""The command line: `interlock`."""

import sys

import typer

from interlock.cli.commands import LazyGroup
from interlock.cli.exits import run

app = typer.Typer(
    cls=LazyGroup,
    name="interlock",
    help="Decide, carry out once, record and prove what agents do with tools and models.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def interlock() -> None:
    """Decide, carry out once, record and prove what agents do with tools and models."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(app, sys.argv[1:], "interlock"))
