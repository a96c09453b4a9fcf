"""`interlock version`."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import typer

from interlock.cli.output import AsJson, Output

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    try:
        found = installed_version("interlock")
    except PackageNotFoundError:
        found = "(not installed: running from its source)"
    output = Output(as_json)
    output.data({"version": found})
    output.say(f"interlock {found}")
