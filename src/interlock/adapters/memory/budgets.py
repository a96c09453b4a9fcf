"""Budgets and holds in memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.budgets.holds import in_lock_order, spending
from interlock.budgets.ports import BudgetLedger
from interlock.budgets.slices import SHARE, Draw, Grant, Slice, Want
from interlock.domain.budgets import Balance, Charge, Hold, HoldState, Overrun


class MemoryBudgets(BudgetLedger):
    """Balances by budget, holds by call."""

    def __init__(self, undo: Undo) -> None:
        self._balances: Shelf[str, Balance] = Shelf(undo)
        self._holds: Shelf[str, dict[str, Hold]] = Shelf(undo)
        self._slices: Shelf[tuple[str, int], _Drawn] = Shelf(undo)
        self._taken: tuple[Balance, ...] = ()

    def reserve(self, call: str, charges: tuple[Charge, ...], now: int) -> Overrun | None:  # noqa: ARG002
        self._taken = ()
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
        self._taken = tuple(self._balance(charge) for charge in fresh)
        return None

    def taken(self) -> tuple[Balance, ...]:
        return self._taken

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

    def rename(self, budget: str, name: str) -> bool:
        """Give a budget another name; return False while it is in use."""
        if any(one.slice.budget == budget for one in self._slices.oldest_first()):
            return False
        holds = [found for found in self._holds.oldest_first() if budget in found]
        if any(found[budget].state is HoldState.HELD for found in holds):
            return False
        balance = self._balances.find(budget)
        if balance is not None:
            self._balances.drop(budget)
            self._balances.put(name, replace(balance, budget=name))
        for found in holds:
            hold = found[budget]
            others = {key: one for key, one in found.items() if key != budget}
            self._holds.put(hold.call, others | {name: replace(hold, charge=replace(hold.charge, budget=name))})
        return True

    def balances(self, prefix: str) -> tuple[Balance, ...]:
        found = (balance for balance in self._balances.oldest_first() if balance.budget.startswith(prefix))
        return tuple(sorted(found, key=lambda balance: balance.budget))

    def lease(self, owner: str, wants: tuple[Want, ...], now: int) -> tuple[Grant, ...]:  # noqa: ARG002
        if len({want.charge.budget for want in wants}) < len(wants):
            raise ValueError("a budget is wanted once at a time")
        return tuple(self._grant(owner, want) for want in wants)

    def _grant(self, owner: str, want: Want) -> Grant:
        balance = self._balance(want.charge)
        left = balance.limit - balance.spent - balance.held
        known = self._slices.find((owner, want.slice))
        gone = known is None and not want.fresh
        if gone or left < want.least:
            self._balances.put(balance.budget, balance)
            return Grant(0, balance, gone=gone)
        amount = min(want.charge.amount, left, max(want.need, left // SHARE))
        after = replace(balance, held=balance.held + amount)
        self._balances.put(balance.budget, after)
        one = known or _Drawn(Slice(owner, want.slice, balance.budget, 0), 0)
        self._slices.put((owner, want.slice), _Drawn(replace(one.slice, amount=one.slice.amount + amount), one.number))
        return Grant(amount, after)

    def draw(self, owner: str, draws: tuple[Draw, ...]) -> frozenset[int]:
        return frozenset(draw.slice for draw in draws if not self._draw(owner, draw))

    def _draw(self, owner: str, draw: Draw) -> bool:
        """Carry one drawing out; return False when its slice is gone and it is not the last."""
        key = (owner, draw.slice)
        found = self._slices.find(key)
        if found is None:
            return draw.last
        if draw.last:
            self._slices.drop(key)
            self._spend(draw.budget, found.slice.amount, draw.spent)
        elif found.number < draw.number:
            amount = draw.spent + draw.returned
            left = replace(found.slice, amount=found.slice.amount - amount)
            self._slices.put(key, _Drawn(left, draw.number))
            self._spend(draw.budget, amount, draw.spent)
        return True

    def _spend(self, budget: str, amount: int, spent: int) -> None:
        balance = self._balances.find(budget)
        if balance is not None:
            self._balances.put(budget, replace(balance, held=balance.held - amount, spent=balance.spent + spent))

    def slices(self, owners_other_than: frozenset[str]) -> tuple[Slice, ...]:
        found = (one.slice for one in self._slices.oldest_first() if one.slice.owner not in owners_other_than)
        return tuple(sorted(found, key=lambda one: (one.budget, one.owner, one.slice)))

    def write_off(self, slices: tuple[Slice, ...]) -> tuple[Slice, ...]:
        found = (self._slices.find((one.owner, one.slice)) for one in slices)
        written = tuple(one.slice for one in found if one is not None)
        for one in written:
            self._slices.drop((one.owner, one.slice))
            self._spend(one.budget, one.amount, one.amount)
        return written


@dataclass(frozen=True, slots=True)
class _Drawn:
    slice: Slice
    number: int
    """Of its latest drawing."""


def _stands(hold: Hold | None) -> bool:
    return hold is not None and hold.state is not HoldState.RELEASED
