"""Parts of budgets that a process takes ahead, so that most of its reservations need no word with the store."""

from dataclasses import dataclass

from interlock.domain.budgets import Balance, Charge


@dataclass(frozen=True, slots=True)
class Want:
    """How much of a budget a process would like to hold on top of what it has."""

    slice: int
    """The process's own number for its slice; one slice is of one budget, and no number is used twice."""
    charge: Charge
    """The budget under its limit, and the most to be taken."""
    least: int
    """Less than this is of no use. At least 1."""
    need: int
    """What is known to be wanted at once. Beyond it, at most an eighth of what is left is taken."""
    fresh: bool
    """Whether the slice is new. One that the process has had before must still be there."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a want."""

    amount: int
    """0 when there is no room."""
    balance: Balance
    """As the budget stands after it."""
    gone: bool = False
    """The slice was written off, because its process was taken for dead. Nothing was granted."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a process used of a slice, and what it gives back."""

    slice: int
    budget: str
    number: int
    """Rises with each drawing on the slice, from 1, so that a drawing is carried out once however often it is asked for."""
    spent: int
    returned: int
    last: bool = False
    """The slice ends: whatever is left of it beyond `spent` goes back, whatever `returned` says."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What a process holds of a budget."""

    owner: str
    slice: int
    budget: str
    amount: int


SHARE = 8
"""The part of what is left of a budget that a process may take beyond its need: one in so many."""
