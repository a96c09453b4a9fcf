"""Statements by name, and the one way to run them inside a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from interlock.adapters.sql.seals import Plain, Seals

Row = tuple[Any, ...]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """SQL with `:name` parameters, written out whole; `postgresql` where that dialect needs other words."""

    text: str
    postgresql: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A table that takes rows by the thousand; one that is there already stays as it is."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    """Of the columns, as PostgreSQL calls them."""


class Session(Protocol):
    """What the tables need of a transaction that is open."""

    seals: Seals = Plain()
    """What seals the bodies that the tables keep."""

    @property
    def locks_rows(self) -> bool:
        """Whether a row that is read to be changed must be locked, because other transactions write at the same time."""

    def one(self, statement: Statement, values: Values) -> Row | None:
        """Run `statement` and return its first row, or None."""

    def all(self, statement: Statement, values: Values) -> Sequence[Row]:
        """Run `statement` and return its rows."""

    def run(self, statement: Statement, values: Values) -> int:
        """Run `statement` and return how many rows it changed."""

    def each(self, statement: Statement, rows: Sequence[Values]) -> list[Row | None]:
        """Run `statement` for each of `rows`, in their order, and return the first row that each answers."""

    def many(self, statement: Statement, rows: Sequence[Values]) -> None:
        """Run `statement`, which answers nothing, for each of `rows`, in their order."""

    def fill(self, rows: Rows, values: Sequence[tuple[Any, ...]]) -> None:
        """Add rows, each with a value per column, in as few steps as the database takes."""

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds the lock `name`, and keep it to the end of this one."""

    def share(self, name: str) -> None:
        """Like `lock`, in company of others that share it."""

    def texts(self, values: Iterable[str] | None) -> object:
        """Return a parameter for a list of texts; None stays None."""

    def numbers(self, values: Iterable[int]) -> object:
        """Return a parameter for a list of whole numbers."""

    def blobs(self, values: Iterable[bytes]) -> object:
        """Return a parameter for a list of bytes, each as long as the others."""
