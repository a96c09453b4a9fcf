"""Which model of a tier comes first for one call."""

from dataclasses import dataclass

from interlock.domain.routes import WHOLE, Choose, Tier
from interlock.models.routing.health import Health
from interlock.models.routing.plan import Candidate, PriceOf, RouteAsk
from interlock.models.routing.rules import bucket

_EXPLORED = WHOLE // 10
"""Share of the calls that try a model whose speed is not known, where others are known to be fast."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate, and what spoke for its place."""

    candidate: Candidate
    reason: str


def ranked(
    tier: Tier, fit: tuple[Candidate, ...], ask: RouteAsk, health: Health, prices: PriceOf, now_ms: int
) -> tuple[Ranked, ...]:
    """Return `fit`, which are of `tier` and in its order, in the order in which they are to be tried."""
    match tier.choose:
        case Choose.CHEAPEST:
            return _by_price(fit, ask, prices)
        case Choose.FASTEST:
            return _by_speed(tier, fit, ask, health, now_ms)
        case Choose.WEIGHTED:
            return _by_weight(tier, fit, ask, now_ms)
        case _:
            return in_order(fit)


def in_order(fit: tuple[Candidate, ...]) -> tuple[Ranked, ...]:
    """Return `fit` as it stands."""
    return tuple(Ranked(candidate, "in the order declared") for candidate in fit)


def _by_price(fit: tuple[Candidate, ...], ask: RouteAsk, prices: PriceOf) -> tuple[Ranked, ...]:
    found = [
        (prices(each, ask.input_tokens, ask.output_cap or each.output_cap), place) for place, each in enumerate(fit)
    ]
    found.sort(key=lambda one: (one[0] is None, one[0] or 0, one[1]))
    return tuple(
        Ranked(fit[place], "no price is known" if price is None else f"at most {price / 1e9:.6f} USD")
        for price, place in found
    )


def _by_speed(tier: Tier, fit: tuple[Candidate, ...], ask: RouteAsk, health: Health, now_ms: int) -> tuple[Ranked, ...]:
    measured = [(health.first_byte_ms(each.model, now_ms), each) for each in fit]
    known = sorted(((speed, each) for speed, each in measured if speed is not None), key=lambda one: one[0])
    unknown = [each for speed, each in measured if speed is None]
    fast = tuple(Ranked(each, f"{speed:.0f} ms to the first byte") for speed, each in known)
    if not unknown:
        return fast
    # No counter is needed to explore: of all calls, the same small share meets the unknown ones, each in its turn.
    place = bucket(f"explore/{tier.name}", ask.tenant, _spread(ask, now_ms))
    first = place % len(unknown)
    slow = tuple(Ranked(each, "not measured of late") for each in (*unknown[first:], *unknown[:first]))
    if fast and place < _EXPLORED:
        return (Ranked(slow[0].candidate, "not measured of late: explored"), *fast, *slow[1:])
    return fast + slow


def _by_weight(tier: Tier, fit: tuple[Candidate, ...], ask: RouteAsk, now_ms: int) -> tuple[Ranked, ...]:
    weight = dict(zip(tier.models, tier.weights or (1,) * len(tier.models), strict=True))
    waiting = list(fit)
    made: list[Ranked] = []
    while waiting:
        total = sum(weight[each.model] for each in waiting)
        place = bucket(f"weigh/{tier.name}/{len(made)}", ask.tenant, ask.run or _spread(ask, now_ms)) * total
        below = 0
        for each in waiting:
            below += weight[each.model] * WHOLE
            if place < below:
                made.append(Ranked(each, f"weight {weight[each.model]} of {total}"))
                waiting.remove(each)
                break
    return tuple(made)


def _spread(ask: RouteAsk, now_ms: int) -> str:
    return ask.call or f"{ask.principal}/{now_ms}"
