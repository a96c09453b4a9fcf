"""Where budgets are kept. Every method runs inside one transaction of the store."""

from collections.abc import Callable
from typing import Protocol

from interlock.budgets.slices import Draw, Grant, Slice, Want
from interlock.domain.budgets import Balance, Charge, Hold, Overrun


class BudgetLedger(Protocol):
    """INVARIANT I4: spent + held never exceeds a limit, at any instant, over any number of processes."""

    def reserve(self, call: str, charges: tuple[Charge, ...], now: int) -> Overrun | None:
        """Hold every charge for `call`, or hold none and return the first budget that has no room.

        `call` is `str(CallKey)`. Holds that the call has, or has spent, are kept and not taken again; released ones are
        taken anew. Budgets are locked in the order of their keys. The limit given last is the budget's limit.
        Raises ValueError for two charges on one budget and for negative amounts.
        """

    def taken(self) -> tuple[Balance, ...]:
        """Return what the budgets that the latest `reserve` of this transaction newly drew on stand at since."""

    def settle(self, call: str, used: Callable[[Charge], int], now: int) -> None:
        """Turn the call's holds into spending: of every charge that is held, what `used` says.

        More than the hold is not spent, so that no report can break a limit; what lies beyond is noted in `Hold.excess`.
        Doing it again changes nothing.
        """

    def release(self, call: str, now: int) -> None:
        """Give the call's holds back. Never called for an unknown outcome, and never by a timer."""

    def holds(self, call: str) -> tuple[Hold, ...]:
        """Return what the call holds or held, in the order of budget keys."""

    def balances(self, prefix: str) -> tuple[Balance, ...]:
        """Return the budgets whose key starts with `prefix`, in the order of keys."""

    # Slices: `owner` is the gateway process that takes them, by the name under which it beats.

    def lease(self, owner: str, wants: tuple[Want, ...], now: int) -> tuple[Grant, ...]:
        """Take for `owner` of each budget what is wanted or what there is, in the order of `wants`.

        Taken is the lesser of the most that is wanted and what is left, but beyond the need no more than one part in
        SHARE of what is left; nothing, where that is less than the least. The limit given last is the budget's limit.
        Raises ValueError for two wants of one budget.
        """

    def draw(self, owner: str, draws: tuple[Draw, ...]) -> frozenset[int]:
        """Turn what was used of slices into spending and give back the rest; return the slices that are gone.

        A slice that is gone was written off: all of it counts as spent already, and nothing more is.
        A drawing that was carried out before changes nothing.
        """

    def slices(self, owners_other_than: frozenset[str]) -> tuple[Slice, ...]:
        """Return the slices of all owners but these, in the order of budgets."""

    def write_off(self, slices: tuple[Slice, ...]) -> tuple[Slice, ...]:
        """Count slices as spent and end them; return those that were still there, with what they held then."""
