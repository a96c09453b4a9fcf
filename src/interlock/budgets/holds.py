"""What every ledger does alike, wherever it keeps its rows."""

from interlock.domain.budgets import Charge


def in_lock_order(charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """Return the charges in the order of their budgets, so that calls which share budgets never wait for each other in a ring.

    Raises ValueError for two charges on one budget, of which only one would be held, and for negative amounts.
    """
    ordered = tuple(sorted(charges, key=lambda charge: charge.budget))
    if len({charge.budget for charge in ordered}) < len(ordered):
        raise ValueError("a call charges a budget once")
    if any(charge.amount < 0 for charge in ordered):
        raise ValueError("a call cannot charge a budget less than nothing")
    return ordered


def spending(reported: int, held: int) -> tuple[int, int]:
    """Return what of `reported` is spent, which is at most the hold, and what lies beyond it."""
    actual = min(max(reported, 0), held)
    return actual, max(reported - held, 0)
