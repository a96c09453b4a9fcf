"""What this process holds of one budget ahead, and what is taken out of it."""

from dataclasses import dataclass, field
from typing import Final

from interlock.budgets.slices import Draw
from interlock.domain.budgets import Charge, Limit, Scope

_OF_ONE_RUN = frozenset({Scope.RUN, Scope.STEP})
_AHEAD: Final = 8
_AHEAD_OF_ONE_RUN: Final = 2
"""Most runs are short; one that goes on takes twice as much each time."""


@dataclass(slots=True, eq=False)
class Portion:
    """One slice in hand. INVARIANT: free + reserved + used + giving + what `draw` moves = amount."""

    slice: int
    budget: str
    limit: Limit
    amount: int = 0
    """What the store holds for it."""
    free: int = 0
    reserved: int = 0
    """By calls under way."""
    used: int = 0
    """By calls that have ended; not yet drawn."""
    giving: int = 0
    """On its way back."""
    low: int = 0
    """The least that was free since somebody last looked: so much stood idle."""
    pace: int = 0
    """What was used between the last two looks."""
    used_since: int = 0
    """What was used since the last look, as far as it is drawn."""
    takes: int = 0
    """How often it was widened since it stood idle."""
    opened: bool = False
    """Whether the store knows it, or may know it."""
    leaving: bool = False
    """Takes no more calls, and ends when those under way have ended."""
    gone: bool = False
    """Written off by another process: all of it counts as spent, and there is nothing to say about it any more."""
    drawings: int = 0
    draw: Draw | None = None
    """The latest drawing, until it is known to be carried out. It never changes, so that it can be repeated."""
    under_way: bool = False
    """Whether a transaction with `draw` is."""

    def next_draw(self) -> Draw | None:
        """Return the drawing to carry out now, or None when there is nothing to say."""
        if self.draw is not None or self.gone:
            return self.draw
        if self.leaving:
            self.give(self.free)
        last = self.leaving and not self.reserved
        if not (self.used or self.giving or last):
            return None
        self.drawings += 1
        self.used_since += self.used
        self.draw = Draw(self.slice, self.budget, self.drawings, self.used, self.giving, last)
        self.used = self.giving = 0
        return self.draw

    def drawn(self) -> None:
        """Note that the drawing was carried out."""
        if self.draw is not None:
            self.amount -= self.draw.spent + self.draw.returned
        self.draw = None

    def give(self, amount: int) -> None:
        """Put `amount` of what is free on its way back."""
        self.free -= amount
        self.giving += amount
        self.low = min(self.low, self.free)

    def cover(self, beyond: int) -> int:
        """Use up to `beyond` of what is free; return how much is not covered."""
        covered = min(self.free, beyond)
        self.free -= covered
        self.used += covered
        self.low = min(self.low, self.free)
        return beyond - covered

    def give_idle(self) -> None:
        """Put on its way back what was not needed since the last look, which should be a while ago."""
        self.takes = 0 if self.low and self.low == self.free else self.takes
        self.give(self.low)
        self.low = self.free
        self.pace, self.used_since = self.used_since, 0

    def take(self, amount: int) -> None:
        """Note that the store holds `amount` more for it."""
        self.opened = True
        self.amount += amount
        self.free += amount
        self.takes += 1

    def ahead(self, need: int) -> int:
        """Return the most that is worth taking when `need` is wanted at once: some calls ahead, or some time."""
        factor = _AHEAD
        if self.limit.scope in _OF_ONE_RUN:
            factor = min(_AHEAD, _AHEAD_OF_ONE_RUN << min(self.takes, 3))
        return max(need * factor, self.pace, self.used_since)


@dataclass(slots=True, eq=False)
class Held:
    """What one call holds. Settled once."""

    charges: tuple[Charge, ...]
    portions: list[Portion] = field(default_factory=list)
    """One for each charge."""
    open: bool = True
