"""Which budgets a tool call or a model call draws on, and how much of each. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Money, ToolContract
from interlock.domain.errors import BudgetExceeded
from interlock.domain.models import ModelCall

_STAMPS = {Window.DAY: "%Y-%m-%d", Window.HOUR: "%Y-%m-%dT%H", Window.MINUTE: "%Y-%m-%dT%H:%M"}


@dataclass(frozen=True, slots=True)
class Spender:
    """Whoever spends, under every name that a limit can add up by."""

    tenant: str
    run: str
    """A call outside any run is a run of its own."""
    call: str
    agent: str
    key: str
    user: str | None
    step: str = ""
    tool: str = ""
    """Empty for model calls: limits on a tool do not concern them."""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call would use."""

    calls: int = 0
    model_calls: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0
    money: Money | None = None
    recipients: int = 0
    wall_ms: int = 0


def tool_spender(call: ToolCall, contract: ToolContract) -> Spender:
    """Return who spends when `call` is made."""
    key = call.key
    return Spender(
        key.tenant, key.run, key.call, call.agent, call.principal, call.user, "", contract.name, contract.category
    )


def model_spender(call: ModelCall) -> Spender:
    """Return who spends when `call` is made."""
    return Spender(call.tenant, call.run or call.id, call.id, call.agent, call.principal, call.user, call.step)


def charges(spender: Spender, limits: tuple[tuple[str, Limit], ...], demand: Demand, now: int) -> tuple[Charge, ...]:
    """Return what one call of `spender` takes from every budget that applies, in the order of budget keys.

    `limits` are pairs of (who declared it, limit), so that limits of the same id in two declarations stay two budgets.
    Raises BudgetExceeded when a limit applies and cannot be computed: no user for a per-user limit, money in a
    currency that no limit names, a single call over a per-call limit.
    """
    applicable = tuple((owner, limit) for owner, limit in limits if concerns(limit, spender))
    _check_currency(applicable, demand)
    found = []
    for owner, limit in applicable:
        amount = demanded(limit, demand)
        if amount == 0:
            continue
        if limit.scope is Scope.CALL:
            check_single(limit, amount)
            continue
        found.append(Charge(budget_key(spender, owner, limit, now), limit, amount))
    return tuple(sorted(found, key=lambda charge: charge.budget))


def budget_key(spender: Spender, owner: str, limit: Limit, now: int) -> str:
    """Return the name of the budget that `limit` gives to `spender` at `now`: `tenant|owner/limit|scope=value|window`."""
    value = _scope_value(limit, spender)
    stamp = "ever" if limit.window is Window.EVER else _stamp(limit.window, now)
    return f"{spender.tenant}|{owner}/{limit.id}|{limit.scope}={value}|{stamp}"


def concerns(limit: Limit, spender: Spender) -> bool:
    """Return whether `limit` is about calls such as this one."""
    if limit.tool is None:
        return True
    return bool(spender.tool) and limit.tool in (spender.tool, f"category:{spender.category}")


def _check_currency(limits: tuple[tuple[str, Limit], ...], demand: Demand) -> None:
    named = {limit.currency for _, limit in limits if limit.measure is Measure.MONEY}
    if named and demand.money is not None and demand.money.minor and demand.money.currency not in named:
        raise BudgetExceeded(
            f"No money limit covers {demand.money.currency}",
            why=f"limits exist for {', '.join(sorted(named))} only",
            do=f"Add a limit in {demand.money.currency} or use one of those currencies",
        )


def demanded(limit: Limit, demand: Demand) -> int:
    """Return how much of what `limit` counts is asked for."""
    match limit.measure:
        case Measure.CALLS:
            return demand.calls
        case Measure.MODEL_CALLS:
            return demand.model_calls
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


def check_single(limit: Limit, amount: int) -> None:
    """Raise BudgetExceeded when one call asks for more than `limit` allows a call."""
    if amount > limit.maximum:
        raise BudgetExceeded(
            f"One call may use at most {limit.maximum} of {limit.measure}",
            why=f"this one would use {amount} (limit {limit.id})",
            do="Ask for less in one call",
        )


def _scope_value(limit: Limit, spender: Spender) -> str:
    match limit.scope:
        case Scope.CALL:
            return spender.call
        case Scope.RUN:
            return spender.run
        case Scope.STEP:
            # Both may hold slashes and neither a bar, so that no two pairs make one name.
            return f"{spender.run}|{spender.step}"
        case Scope.AGENT:
            return spender.agent
        case Scope.KEY:
            return spender.key
        case Scope.TOOL:
            return spender.tool or "models"
        case Scope.TENANT:
            return spender.tenant
        case Scope.USER:
            if spender.user is None:
                raise BudgetExceeded(
                    f"The limit {limit.id} is per user, and this run names no user",
                    do="Open the run with the user on whose behalf it acts",
                )
            return spender.user


def _stamp(window: Window, now: int) -> str:
    return datetime.fromtimestamp(now / 1000, tz=UTC).strftime(_STAMPS[window])
