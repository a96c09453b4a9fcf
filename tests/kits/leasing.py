"""What tests of leased budgets need: a clock, charges, and a look at what stands."""

from __future__ import annotations

from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store


class Ticker(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1_800_000_000_000

    def now(self) -> int:
        return self.at


def a_charge(amount: int, budget: str = "acme|b1", maximum: int = 1_000, scope: Scope = Scope.AGENT) -> Charge:
    return Charge(budget, Limit("daily", Measure.TOKENS, scope, maximum, Window.DAY), amount)


def nothing(_charge: Charge) -> int:
    return 0


def all_of_it(charge: Charge) -> int:
    return charge.amount


async def standing(store: Store, budget: str = "acme|b1") -> tuple[int, int]:
    found = await store.read(lambda tx: tx.budgets.balances(budget))
    return (found[0].spent, found[0].held) if found else (0, 0)
