"""Add the day up from the gate's own records, and check them against the shop's books."""

import time
from dataclasses import dataclass

from interlock.demo.day import Day, Played, Step
from interlock.domain.audit import AuditKind
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import PrincipalId

_MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Sums:
    """The day in figures; money in cents."""

    calls: int
    executed: int
    denied: int
    asked: int
    approved: int
    moved: int
    """What the shop's own books say."""
    settled: int
    """What the gate's ledger says. The two must be equal."""
    held: int
    """Set aside for calls of unknown outcome."""
    kept_back: int
    """What the calls that did not happen would have moved."""
    cost_nano_usd: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether it was kept."""

    promise: str
    kept: bool


async def sums(day: Day, played: tuple[Played, ...], started: float) -> Sums:
    """Add the day up, from the gate's own records."""
    desks, auditor = day.gate.desks, _auditor(day)
    balances = await desks.records.budgets(auditor)
    money = [balance for balance in balances if "all-money-per-day" in balance.budget]
    steps = [step for one in played for step in one.steps]
    costs = {str(contract.name): contract.cost_nano_usd for contract in await desks.contracts.list(auditor)}
    executed = [step for step in steps if step.status in {"succeeded", "unknown", "withheld"}]
    return Sums(
        calls=len(steps),
        executed=len(executed),
        denied=sum(step.status == "denied" for step in steps),
        asked=sum(bool(step.people) for step in steps),
        approved=sum(bool(step.people) and step.status == "succeeded" for step in steps),
        moved=day.shop.moved_cents,
        settled=sum(balance.spent for balance in money),
        held=sum(balance.held for balance in money),
        kept_back=sum(_cents(step) for step in steps if step.status in {"denied", "escalated"}),
        cost_nano_usd=sum(costs.get(step.tool, 0) for step in executed),
        seconds=time.monotonic() - started,
    )


def _cents(step: Step) -> int:
    amount = step.arguments.get("amount_usd")
    return round(amount * 100) if isinstance(amount, int | float) else 0


async def checks(day: Day, played: tuple[Played, ...], total: Sums) -> tuple[Check, ...]:
    """Look whether the day kept what Interlock promises."""
    events = await day.gate.desks.records.audit(_auditor(day), None, _MOST_EVENTS)
    settled = sum(event.kind is AuditKind.CALL_SETTLED for event in events)
    paid = [(entry.kind, entry.reference) for entry in day.shop.books]
    unknown = sum(_cents(step) for one in played for step in one.steps if step.status == "unknown")
    customers = {order["customer"] for order in day.story.orders.values()}
    strange = sorted(one.ticket.number for one in played if not one.as_told)
    ended = "every ticket ended as it should" if not strange else f"tickets that ended otherwise: {strange}"
    return (
        Check(ended, not strange),
        Check("the gate's ledger and the shop's books agree to the cent", total.settled == total.moved),
        Check("nothing was paid twice", len(paid) == len(set(paid))),
        Check("the money of unknown outcome is still held", total.held == unknown),
        Check("nobody but customers got mail", set(day.shop.outbox) <= customers),
        Check("every executed call has its outcome in the audit trail", settled >= total.executed),
    )


def _auditor(day: Day) -> Principal:
    return Principal(PrincipalId("audit"), day.gate.desks.tenant, frozenset({Role.AUDITOR}))
