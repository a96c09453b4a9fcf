"""`interlock init`."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.domain.errors import ConfigurationError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it; made if it is not there.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a starter deployment into a folder; a file that is already there is never overwritten."""
    texts = starter()
    taken = [name for name in texts if (folder / name).exists()]
    if taken:
        raise ConfigurationError(
            f"There already is a {taken[0]} in {folder}", why="nothing was written", do="Choose another folder"
        )
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    output = Output(as_json)
    output.data({"folder": str(folder), "files": sorted(texts)})
    for name in sorted(texts):
        output.say(f"wrote {folder / name}")
    output.say(f"\nNext: read interlock.yaml, then run 'interlock check {folder}'.")


def starter() -> dict[str, str]:
    """Return the files of the starter deployment: path within the folder, and text."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Traversable]] = [("", resources.files("interlock.cli") / "starter")]
    while waiting:
        prefix, folder = waiting.pop()
        for each in folder.iterdir():
            name = f"{prefix}{each.name}"
            if each.is_dir():
                waiting.append((f"{name}/", each))
            else:
                # The Python file is carried as text: it belongs to the user's deployment, not to this package.
                found[name.removesuffix(".txt")] = each.read_text()
    return found
