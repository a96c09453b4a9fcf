"""Say in a sentence which budget has no room, in the units that people use."""

from decimal import Decimal

from interlock.domain.budgets import Limit, Measure, Overrun, Scope, Window
from interlock.domain.canonical import JsonObject
from interlock.domain.errors import MalformedJson
from interlock.domain.money import NANO, exponent


def sentence(overrun: Overrun) -> str:
    """Return what the limit allows, what of it is gone, and what the call asked for."""
    limit = overrun.limit
    window = "" if limit.window is Window.EVER else f" and {limit.window.value}"
    left = max(limit.maximum - overrun.spent - overrun.held, 0)
    return (
        f"The limit {limit.id} allows {shown(limit.maximum, limit)} per {limit.scope.value}{window}. "
        f"{shown(overrun.spent, limit)} spent, {shown(overrun.held, limit)} held, {shown(left, limit)} left; "
        f"this call asks for {shown(overrun.asked, limit)}."
    )


def shown(amount: int, limit: Limit) -> str:
    """Return `amount` of what `limit` counts, in the unit that people use."""
    match limit.measure:
        case Measure.MONEY:
            places = exponent(limit.currency)
            return f"{Decimal(amount).scaleb(-places):.{places}f} {limit.currency}"
        case Measure.COST:
            return f"{Decimal(amount).scaleb(-NANO):.4f} USD"
        case Measure.WALL_TIME:
            return f"{Decimal(amount).scaleb(-3):.1f} s"
        case _:
            return f"{amount} {limit.measure.value}"


def overrun_json(overrun: Overrun) -> JsonObject:
    """Return `overrun` as JSON values; `overrun_from_json` gives it back."""
    limit = overrun.limit
    return {
        "budget": overrun.budget,
        "limit": [limit.id, limit.measure, limit.scope, limit.maximum, limit.window, limit.currency, limit.tool],
        "asked": overrun.asked,
        "spent": overrun.spent,
        "held": overrun.held,
    }


def overrun_from_json(record: JsonObject) -> Overrun:
    """Return the overrun that `record` holds. Raises MalformedJson when it holds none."""
    try:
        id_, measure, scope, maximum, window, currency, tool = record["limit"]
        limit = Limit(id_, Measure(measure), Scope(scope), maximum, Window(window), currency, tool)
        return Overrun(record["budget"], limit, record["asked"], record["spent"], record["held"])
    except (KeyError, TypeError, ValueError):
        raise MalformedJson("The record does not hold an overrun") from None
