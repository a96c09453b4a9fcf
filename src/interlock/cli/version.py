"""`interlock version`."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

import typer

from interlock.cli.output import AsJson, Output

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def installed() -> str:
    """Return the version that is installed, or a sentence where none is."""
    try:
        return installed_version("interlock")
    except PackageNotFoundError:
        return "(not installed: running from its source)"


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    found = installed()
    output = Output(as_json)
    output.data({"version": found})
    output.say(f"interlock {found}")
