"""Budgets as they would have stood: what the calls of the past would have held and spent, in the order of time."""

from dataclasses import dataclass, field

from interlock.budgets.holds import spending
from interlock.domain.budgets import Charge, Limit, Measure, Overrun, Scope
from interlock.domain.calls import CallRecord, CallStatus

_MOVED = (Measure.MONEY, Measure.RECIPIENTS)
_OF_ONE_RUN = frozenset({Scope.CALL, Scope.RUN, Scope.STEP})
_DONE = frozenset({CallStatus.SUCCEEDED, CallStatus.FAILED, CallStatus.WITHHELD})


@dataclass(frozen=True, slots=True)
class Settling:
    """When the hold of a call ends, and how much of each charge it spends then."""

    at: int | None
    """None while nobody knows: then it is held for good."""
    failed: bool = False
    busy_ms: int | None = None
    released: bool = False
    """The call was not made after all: a person said no, or nobody answered."""

    def used(self, charge: Charge) -> int:
        """Return what of `charge` is spent."""
        if self.released or (self.failed and charge.limit.measure in _MOVED):
            return 0
        if charge.limit.measure is Measure.WALL_TIME and self.busy_ms is not None:
            return min(self.busy_ms, charge.amount)
        return charge.amount


def settling_of(record: CallRecord, decided_at: int) -> Settling:
    """Return how the hold of a recorded call ended; one that was never made is taken to succeed at once."""
    if record.status in _DONE:
        busy = record.extras.get("busy_ms")
        return Settling(record.updated_at, failed=record.status is CallStatus.FAILED, busy_ms=busy)
    if record.status in (CallStatus.UNKNOWN, CallStatus.PENDING, CallStatus.EXECUTING):
        return Settling(None)
    if record.status is CallStatus.DENIED and record.approval is not None:
        return Settling(record.updated_at, released=True)
    return Settling(decided_at)


def spans_runs(limits: tuple[tuple[str, Limit], ...]) -> bool:
    """Return whether any of `limits` adds up what several runs spend."""
    return any(limit.scope not in _OF_ONE_RUN for _, limit in limits)


@dataclass(slots=True)
class _Account:
    spent: int = 0
    held: int = 0
    ending: list[tuple[int, int, int]] = field(default_factory=list)
    """(instant, hold, spending) of holds that end later."""

    def at(self, now: int) -> None:
        """Settle what has ended by `now`."""
        if not self.ending:
            return
        for end in [end for end in self.ending if end[0] <= now]:
            self.ending.remove(end)
            self.held -= end[1]
            self.spent += end[2]


class Ledger:
    """Accounts by the key of their budget; asked in the order of time."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}

    def reserve(self, charges: tuple[Charge, ...], now: int, settling: Settling) -> Overrun | None:
        """Hold every charge, or none and return the first budget that has no room, as the live ledger does."""
        for charge in charges:
            account = self._accounts.setdefault(charge.budget, _Account())
            account.at(now)
            if account.spent + account.held + charge.amount > charge.limit.maximum:
                return Overrun(charge.budget, charge.limit, charge.amount, account.spent, account.held)
        for charge in charges:
            account = self._accounts[charge.budget]
            account.held += charge.amount
            if settling.at is not None:
                actual, _ = spending(settling.used(charge), charge.amount)
                account.ending.append((max(settling.at, now), charge.amount, actual))
        return None
