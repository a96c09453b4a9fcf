"""Statements by name, and the one way to run them inside a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = tuple[Any, ...]
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """SQL with `:name` parameters, written out whole; `postgresql` where that dialect needs other words."""

    text: str
    postgresql: str | None = None


class Session(Protocol):
    """What the tables need of a transaction that is open."""

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

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds the lock `name`, and keep it to the end of this one."""

    def share(self, name: str) -> None:
        """Like `lock`, in company of others that share it."""

    def texts(self, values: Iterable[str] | None) -> object:
        """Return a parameter for a list of texts; None stays None."""
