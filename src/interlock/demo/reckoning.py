"""Add the day up from the gate's own records, and check them against the shop's books and the vendors' mail."""

import re
import time
from dataclasses import dataclass

from interlock.audit.verifying import Outcome
from interlock.demo.day import Day, Played, Step, auditor
from interlock.domain.audit import AuditKind
from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.models import ModelCallRecord
from interlock.gateway.replay.exact import Derivation
from interlock.runs.ports import CallFilter

_MOST = 1_000
_DONE = frozenset({CallStatus.SUCCEEDED, CallStatus.FAILED, CallStatus.UNKNOWN})
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+|\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b")
"""An e-mail address, or the number of a bank account."""
_TOKEN = re.compile(r"\[(?:email|iban)#\w+\]")


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
    tools_nano_usd: int
    """What the calls of tools cost."""
    model_calls: int
    fallbacks: int
    """Model calls that another model answered than the first one asked."""
    tokens: int
    models_nano_usd: int
    tickets: int
    tickets_done: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether it was kept."""

    promise: str
    kept: bool


async def sums(day: Day, played: tuple[Played, ...], started: float) -> Sums:
    """Add the day up, from the gate's own records."""
    desks = day.gate.desks
    reader = auditor(desks)
    steps = [step for one in played for step in one.steps]
    models = [record for one in played for record in one.models]
    costs = {str(contract.name): contract.cost_nano_usd for contract in await desks.contracts.list(reader)}
    executed = [step for step in steps if step.status in {"succeeded", "unknown", "withheld"}]
    money_spent, money_held = await _ledger(day, "all-money-per-day")
    return Sums(
        calls=len(steps),
        executed=len(executed),
        denied=sum(step.status == "denied" for step in steps),
        asked=sum(bool(step.people) for step in steps),
        approved=sum(bool(step.people) and step.status == "succeeded" for step in steps),
        moved=day.shop.moved_cents,
        settled=money_spent,
        held=money_held,
        kept_back=sum(_cents(step) for step in steps if step.status in {"denied", "escalated"}),
        tools_nano_usd=sum(costs.get(step.tool, 0) for step in executed),
        model_calls=len(models),
        fallbacks=sum(record.attempts[0].model != record.attempts[-1].model for record in models),
        tokens=sum(record.usage.total for record in models),
        models_nano_usd=sum(record.cost_nano_usd for record in models),
        tickets=len(played),
        tickets_done=sum(one.outcome == "succeeded" for one in played),
        seconds=time.monotonic() - started,
    )


async def checks(day: Day, played: tuple[Played, ...], total: Sums) -> tuple[Check, ...]:
    """Look whether the day kept what Interlock promises."""
    desks = day.gate.desks
    events = await desks.records.audit(auditor(desks), None, 10 * _MOST)
    journal = await desks.runs.calls(auditor(desks), CallFilter(limit=_MOST))
    models = tuple(record for one in played for record in one.models)
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
        Check("every executed call was proposed by a model, or written by a person", all_proposed(journal, models)),
        Check("tokens and cost in the ledger are those of the model calls", await _pays_for(day, journal, models)),
        Check("no vendor of a model saw an e-mail address or a bank account", nothing_left(day.heard)),
        Check("every decision follows again from its facts, to the byte", await _derives(day, journal)),
        Check("the audit log is whole, and every record is what it says", await _proves(day)),
    )


async def _derives(day: Day, journal: tuple[CallRecord, ...]) -> bool:
    """Return whether every decision of the day can be made again from its record, and comes out the same."""
    desks = day.gate.desks
    runs = sorted({record.call.key.run for record in journal})
    replays = [await desks.replays.replay(auditor(desks), run) for run in runs]
    found = [moment.derivation for replay in replays for moment in replay.moments if moment.derivation is not None]
    return len(found) >= len(journal) and set(found) == {Derivation.SAME}


async def _proves(day: Day) -> bool:
    """Return whether the log verifies, by code that shares nothing with what wrote it, and the journal against the log."""
    desks = day.gate.desks
    # Another second, and the last events would be signed anyway.
    await desks.audit.sign(auditor(desks))
    keys = tuple(str(key) for key in await desks.audit.verifiers())
    verdict = await desks.audit.verify(auditor(desks), keys, ())
    report = await desks.audit.check_records(auditor(desks))
    return verdict.outcome is Outcome.INTACT and report.checked > 0 and not report.findings


def all_proposed(journal: tuple[CallRecord, ...], models: tuple[ModelCallRecord, ...]) -> bool:
    """Return whether each executed call stands in a reply of its run as it was made, unless a person edited it."""
    proposed = {(record.call.run, one.tool, one.arguments_hash) for record in models for one in record.proposals}
    executed = [record for record in journal if record.status in _DONE and not record.call.key.call.endswith(".edit")]
    return bool(executed) and all(
        (record.call.key.run, record.call.tool, record.arguments_hash) in proposed for record in executed
    )


def nothing_left(heard: list[str]) -> bool:
    """Return whether what vendors were sent holds tokens, and nothing that the tokens stand for."""
    return any(_TOKEN.search(body) for body in heard) and not any(_ADDRESS.search(body) for body in heard)


async def _pays_for(day: Day, journal: tuple[CallRecord, ...], models: tuple[ModelCallRecord, ...]) -> bool:
    """Return whether the ledger of the agent's day holds what models and tools cost, and nothing else."""
    desks = day.gate.desks
    prices = {contract.name: contract.cost_nano_usd for contract in await desks.contracts.list(auditor(desks))}
    tools = sum(prices.get(record.call.tool, 0) for record in journal if record.status is CallStatus.SUCCEEDED)
    tokens, _ = await _ledger(day, "tokens-per-day")
    cost, _ = await _ledger(day, "cost-per-day")
    used = sum(record.usage.total for record in models)
    return tokens == used and cost == tools + sum(record.cost_nano_usd for record in models)


async def _ledger(day: Day, limit: str) -> tuple[int, int]:
    """Return what is spent of a limit, and what is held."""
    desks = day.gate.desks
    balances = [one for one in await desks.records.budgets(auditor(desks)) if f"/{limit}|" in one.budget]
    return sum(one.spent for one in balances), sum(one.held for one in balances)


def _cents(step: Step) -> int:
    amount = step.arguments.get("amount_usd")
    return round(amount * 100) if isinstance(amount, int | float) else 0
