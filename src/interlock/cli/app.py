"""The command line: `interlock`."""

import sys

import typer

from interlock.cli.commands import LazyGroup
from interlock.cli.exits import run

app = typer.Typer(
    cls=LazyGroup,
    name="interlock",
    help="Decide, reserve, execute once and record every tool call that an agent makes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def interlock() -> None:
    """Decide, reserve, execute once and record every tool call that an agent makes."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(app, sys.argv[1:], "interlock"))
