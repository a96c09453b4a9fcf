"""Budgets and holds in memory."""

from collections.abc import Callable
from dataclasses import replace

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.budgets.holds import in_lock_order, spending
from interlock.budgets.ports import BudgetLedger
from interlock.domain.budgets import Balance, Charge, Hold, HoldState, Overrun


class MemoryBudgets(BudgetLedger):
    """Balances by budget, holds by call."""

    def __init__(self, undo: Undo) -> None:
        self._balances: Shelf[str, Balance] = Shelf(undo)
        self._holds: Shelf[str, dict[str, Hold]] = Shelf(undo)

    def reserve(self, call: str, charges: tuple[Charge, ...], now: int) -> Overrun | None:  # noqa: ARG002
        holds = dict(self._holds.find(call) or {})
        fresh = [charge for charge in in_lock_order(charges) if not _stands(holds.get(charge.budget))]
        for charge in fresh:
            balance = self._balance(charge)
            if balance.spent + balance.held + charge.amount > charge.limit.maximum:
                self._balances.put(charge.budget, balance)
                return Overrun(charge.budget, charge.limit, charge.amount, balance.spent, balance.held)
        for charge in fresh:
            balance = self._balance(charge)
            self._balances.put(charge.budget, replace(balance, held=balance.held + charge.amount))
            holds[charge.budget] = Hold(call, charge, HoldState.HELD)
        self._holds.put(call, holds)
        return None

    def _balance(self, charge: Charge) -> Balance:
        found = self._balances.find(charge.budget) or Balance(charge.budget, 0, 0, 0)
        return replace(found, limit=charge.limit.maximum)

    def settle(self, call: str, used: Callable[[Charge], int], now: int) -> None:  # noqa: ARG002
        for hold in self.holds(call):
            actual, excess = spending(used(hold.charge), hold.charge.amount)
            self._end(replace(hold, state=HoldState.SETTLED, actual=actual, excess=excess))

    def release(self, call: str, now: int) -> None:  # noqa: ARG002
        for hold in self.holds(call):
            self._end(replace(hold, state=HoldState.RELEASED))

    def _end(self, hold: Hold) -> None:
        """Store the ended hold, unless it had ended before."""
        holds = dict(self._holds.find(hold.call) or {})
        budget = hold.charge.budget
        balance = self._balances.find(budget)
        if holds[budget].state is not HoldState.HELD or balance is None:
            return
        ended = replace(balance, held=balance.held - hold.charge.amount, spent=balance.spent + hold.actual)
        self._balances.put(budget, ended)
        self._holds.put(hold.call, holds | {budget: hold})

    def holds(self, call: str) -> tuple[Hold, ...]:
        holds = self._holds.find(call) or {}
        return tuple(holds[budget] for budget in sorted(holds))

    def balances(self, prefix: str) -> tuple[Balance, ...]:
        found = (balance for balance in self._balances.oldest_first() if balance.budget.startswith(prefix))
        return tuple(sorted(found, key=lambda balance: balance.budget))


def _stands(hold: Hold | None) -> bool:
    return hold is not None and hold.state is not HoldState.RELEASED
