"""Where budgets are kept. Every method runs inside one transaction of the store."""

from collections.abc import Callable
from typing import Protocol

from interlock.domain.budgets import Balance, Charge, Hold, Overrun


class BudgetLedger(Protocol):
    """INVARIANT I4: spent + held never exceeds a limit, at any instant, over any number of processes."""

    def reserve(self, call: str, charges: tuple[Charge, ...], now: int) -> Overrun | None:
        """Hold every charge for `call`, or hold none and return the first budget that has no room.

        `call` is `str(CallKey)`. Holds that the call has, or has spent, are kept and not taken again; released ones are
        taken anew. Budgets are locked in the order of their keys. The limit given last is the budget's limit.
        Raises ValueError for two charges on one budget and for negative amounts.
        """

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
