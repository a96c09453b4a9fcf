"""Draw tables for people."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_WIDE = 1_000
"""Columns when nobody looks: a program that reads the lines wants each row on one."""


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows`, which hold no control characters, under `columns`."""
    # The first column names the row: it is copied into the next command, so it is never cut or broken.
    heads = [Column(name, no_wrap=place == 0, overflow="fold") for place, name in enumerate(columns)]
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else _WIDE
    Console(highlight=False, markup=False, width=width).print(table)
