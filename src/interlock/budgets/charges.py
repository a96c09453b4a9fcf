"""Which budgets a call draws on, and how much of each. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Money, ToolContract
from interlock.domain.errors import BudgetExceeded

_STAMPS = {Window.DAY: "%Y-%m-%d", Window.HOUR: "%Y-%m-%dT%H", Window.MINUTE: "%Y-%m-%dT%H:%M"}


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call would use."""

    calls: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0
    money: Money | None = None
    recipients: int = 0
    wall_ms: int = 0


def charges(
    call: ToolCall, contract: ToolContract, limits: tuple[tuple[str, Limit], ...], demand: Demand, now: int
) -> tuple[Charge, ...]:
    """Return what `call` takes from every budget that applies, in the order of budget keys.

    `limits` are pairs of (who declared it, limit), so that limits of the same id in two declarations stay two budgets.
    Raises BudgetExceeded when a limit applies and cannot be computed: no user for a per-user limit, money in a
    currency that no limit names, a single call over a per-call limit.
    """
    applicable = tuple((owner, limit) for owner, limit in limits if _concerns(limit, contract))
    _check_currency(applicable, demand)
    found = []
    for owner, limit in applicable:
        amount = _amount(limit, demand)
        if amount == 0:
            continue
        if limit.scope is Scope.CALL:
            _check_single(limit, amount)
            continue
        found.append(Charge(budget_key(call, owner, limit, now), limit, amount))
    return tuple(sorted(found, key=lambda charge: charge.budget))


def budget_key(call: ToolCall, owner: str, limit: Limit, now: int) -> str:
    """Return the name of the budget that `limit` gives to `call` at `now`: `tenant|owner/limit|scope=value|window`."""
    value = _scope_value(limit, call)
    stamp = "ever" if limit.window is Window.EVER else _stamp(limit.window, now)
    return f"{call.key.tenant}|{owner}/{limit.id}|{limit.scope}={value}|{stamp}"


def _concerns(limit: Limit, contract: ToolContract) -> bool:
    return limit.tool in (None, contract.name, f"category:{contract.category}")


def _check_currency(limits: tuple[tuple[str, Limit], ...], demand: Demand) -> None:
    named = {limit.currency for _, limit in limits if limit.measure is Measure.MONEY}
    if named and demand.money is not None and demand.money.minor and demand.money.currency not in named:
        raise BudgetExceeded(
            f"No money limit covers {demand.money.currency}",
            why=f"limits exist for {', '.join(sorted(named))} only",
            do=f"Add a limit in {demand.money.currency} or use one of those currencies",
        )


def _amount(limit: Limit, demand: Demand) -> int:
    match limit.measure:
        case Measure.CALLS:
            return demand.calls
        case Measure.TOKENS:
            return demand.tokens
        case Measure.COST:
            return demand.cost_nano_usd
        case Measure.MONEY:
            money = demand.money
            return money.minor if money is not None and money.currency == limit.currency else 0
        case Measure.RECIPIENTS:
            return demand.recipients
        case Measure.WALL_TIME:
            return demand.wall_ms


def _check_single(limit: Limit, amount: int) -> None:
    if amount > limit.maximum:
        raise BudgetExceeded(
            f"One call may use at most {limit.maximum} of {limit.measure}",
            why=f"this one would use {amount} (limit {limit.id})",
            do="Ask for less in one call",
        )


def _scope_value(limit: Limit, call: ToolCall) -> str:
    match limit.scope:
        case Scope.CALL:
            return str(call.key.call)
        case Scope.RUN:
            return str(call.key.run)
        case Scope.AGENT:
            return str(call.agent)
        case Scope.TOOL:
            return str(call.tool)
        case Scope.TENANT:
            return str(call.key.tenant)
        case Scope.USER:
            if call.user is None:
                raise BudgetExceeded(
                    f"The limit {limit.id} is per user, and this run names no user",
                    do="Open the run with the user on whose behalf it acts",
                )
            return str(call.user)


def _stamp(window: Window, now: int) -> str:
    return datetime.fromtimestamp(now / 1000, tz=UTC).strftime(_STAMPS[window])
