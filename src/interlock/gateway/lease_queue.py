"""Calls that wait for more of a budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from interlock.domain.budgets import Charge
from interlock.domain.errors import StoreUnavailable
from interlock.gateway.portions import Held


@dataclass(slots=True, eq=False)
class Waiter:
    """One call, and what it is to hold."""

    charges: tuple[Charge, ...]
    future: "asyncio.Future[Held]"


def of_one_mind(waiting: Sequence[Waiter]) -> tuple[list[Waiter], list[Waiter]]:
    """Split off those who know a budget under another limit than one before them: two releases meet."""
    maxima: dict[str, int] = {}
    batch: list[Waiter] = []
    later: list[Waiter] = []
    for waiter in waiting:
        same = all(maxima.get(one.budget, one.limit.maximum) == one.limit.maximum for one in waiter.charges)
        (batch if same else later).append(waiter)
        if same:
            maxima.update((one.budget, one.limit.maximum) for one in waiter.charges)
    return batch, later


def refuse(waiter: Waiter, error: BaseException) -> None:
    """Raise `error` at whoever waits."""
    if not waiter.future.done():
        waiter.future.set_exception(error)


def failure(error: BaseException) -> StoreUnavailable:
    """Return an error of its own for each who waits."""
    if isinstance(error, StoreUnavailable):
        return StoreUnavailable(error.what, why=error.why, do=error.do)
    return StoreUnavailable("Budgets could not be held", why=type(error).__name__, do="Try again shortly")
