"""The budgets that bind one spender, worked out once and used for every call of the same minute."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.budgets.charges import Demand, Spender, budget_key, check_single, concerns, demanded
from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_LENGTHS: Mapping[Window, int] = {Window.MINUTE: _MINUTE_MS, Window.HOUR: _HOUR_MS, Window.DAY: _DAY_MS}
_OF_ONE_RUN = frozenset({Scope.RUN, Scope.STEP})


@dataclass(frozen=True, slots=True)
class Sheet:
    """Budgets by key, in the order of keys, and the limits that bind each call by itself."""

    budgets: tuple[tuple[str, Limit], ...]
    singles: tuple[Limit, ...]
    until: int
    """First instant (milliseconds since the epoch) at which a window has ended and the keys are others."""

    def charges(self, demand: Demand) -> tuple[Charge, ...]:
        """Return what a call with `demand` takes from each budget. Raises BudgetExceeded for one that is too large by itself."""
        for limit in self.singles:
            check_single(limit, demanded(limit, demand))
        amounts: dict[Measure, int] = {}
        charges = []
        for key, limit in self.budgets:
            measure = limit.measure
            amount = amounts.get(measure)
            if amount is None:
                # Model calls move no money, so the measure alone says how much.
                amount = amounts[measure] = demanded(limit, demand)
            if amount:
                charges.append(Charge(key, limit, amount))
        return tuple(charges)


def sheet(spender: Spender, limits: tuple[tuple[str, Limit], ...], now: int, *, alone: bool) -> Sheet:
    """Return the sheet of `spender` at `now`; `limits` are pairs of (who declared it, limit).

    `alone` says that the call is a run of its own: limits per run and step then bind it by itself, and need no budget.
    Raises BudgetExceeded when a limit applies and cannot be computed, such as one per user in a run without user.
    """
    budgets, singles, until = [], [], now + _DAY_MS
    for owner, limit in limits:
        if not concerns(limit, spender):
            continue
        if limit.scope is Scope.CALL or (alone and limit.scope in _OF_ONE_RUN):
            singles.append(limit)
            continue
        budgets.append((budget_key(spender, owner, limit, now), limit))
        length = _LENGTHS.get(limit.window)
        if length is not None:
            until = min(until, now - now % length + length)
    return Sheet(tuple(sorted(budgets, key=lambda pair: pair[0])), tuple(singles), until)
