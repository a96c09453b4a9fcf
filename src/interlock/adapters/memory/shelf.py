"""Rows in memory that can be put back as they were."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Undo:
    """What it takes to get back to the start of the transaction."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def note(self, step: Callable[[], object]) -> None:
        """Remember how to take back what is about to happen."""
        self._steps.append(step)

    def keep(self) -> None:
        """Forget the steps: what happened stays."""
        self._steps.clear()

    def roll_back(self) -> None:
        """Take everything back, the latest first."""
        while self._steps:
            self._steps.pop()()


class Shelf(Generic[K, V]):
    """Rows by key, in the order in which they were first put."""

    def __init__(self, undo: Undo) -> None:
        self._rows: dict[K, V] = {}
        self._undo = undo

    def find(self, key: K) -> V | None:
        """Return the row, or None."""
        return self._rows.get(key)

    def put(self, key: K, value: V) -> None:
        """Store the row in place of any earlier one."""
        if key in self._rows:
            before = self._rows[key]
            self._undo.note(lambda: self._rows.__setitem__(key, before))
        else:
            self._undo.note(lambda: self._rows.pop(key))
        self._rows[key] = value

    def add(self, key: K, value: V) -> bool:
        """Store the row if the key is free; return whether it was."""
        if key in self._rows:
            return False
        self.put(key, value)
        return True

    def drop(self, key: K) -> None:
        """Take the row away, if it is there."""
        if key in self._rows:
            before = self._rows.pop(key)
            self._undo.note(lambda: self._rows.__setitem__(key, before))

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self) -> tuple[K, ...]:
        """Return the keys, in the order in which they were first put."""
        return tuple(self._rows)

    def oldest_first(self) -> Iterator[V]:
        """Return the rows in order."""
        return iter(tuple(self._rows.values()))

    def newest_first(self) -> Iterator[V]:
        """Return the rows in reverse order."""
        return iter(tuple(reversed(self._rows.values())))
