"""What commands print: tables and sentences for people, or JSON for programs, never both."""

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
"""The option that every command which prints data carries."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where one command prints to."""

    as_json: bool = False

    def data(self, value: object) -> None:
        """Print `value`, plain or a dataclass, as JSON on one line, if JSON is asked for."""
        if self.as_json:
            typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))

    def say(self, sentence: str = "") -> None:
        """Print a sentence, unless JSON is asked for."""
        if not self.as_json:
            typer.echo(printable(sentence))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "There are none.") -> None:
        """Print rows under `columns`, unless JSON is asked for; what others wrote in them is printed as it is."""
        if self.as_json:
            return
        if not rows:
            typer.echo(empty)
            return
        # What draws it takes longer to import than most commands take, and a server never draws one.
        importlib.import_module("interlock.cli.tables").draw(
            columns, [[printable(str(cell)) for cell in row] for row in rows]
        )


def counted(number: int, word: str) -> str:
    """Return `1 model`, `2 models`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _plain(value: Any) -> object:  # noqa: ANN401 - whatever json does not know
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else str(value)


def printable(text: str) -> str:
    """Return `text` without control characters, so that data cannot steer the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
