"""Steps 9 and 10: is the result fit to pass, and what did the call cost; recorded in one transaction."""

from dataclasses import dataclass, replace

from interlock.domain.budgets import Charge, Measure
from interlock.domain.calls import CallRecord, CallStatus, Failure, ToolResult
from interlock.domain.contracts import Kind, ToolContract
from interlock.gateway.execution import Execution
from interlock.gateway.ports import Delivery
from interlock.gateway.store import Tx
from interlock.gateway.trail import settled

_MOVED = (Measure.MONEY, Measure.RECIPIENTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be recorded of an execution."""

    status: CallStatus
    result: ToolResult | None
    failure: Failure | None
    busy_ms: int
    attempts: int
    tries: tuple[tuple[int, int, str], ...] = ()
    """As `Execution` has them."""


def undelivered(contract: ToolContract, execution: Execution) -> Outcome | None:
    """Return the outcome of an execution that brought no answer; None when it brought one.

    A read, or a call that certainly was not sent, has failed. Any other is unknown: it may have happened.
    """
    answer = execution.answer
    if answer.delivery is Delivery.ANSWERED:
        return None
    if answer.delivery is Delivery.NOT_SENT:
        failure = Failure(
            "tool_unavailable", "The tool could not be reached, so it did nothing", answer.detail, "Try later"
        )
        return Outcome(CallStatus.FAILED, None, failure, execution.busy_ms, execution.attempts)
    if contract.kind is Kind.READ:
        failure = Failure("tool_timeout", "The tool gave no usable answer", answer.detail, "Reading again is safe")
        return Outcome(CallStatus.FAILED, None, failure, execution.busy_ms, execution.attempts)
    failure = Failure(
        "outcome_unknown",
        "The call was sent and no trustworthy answer came back",
        answer.detail,
        "Do not repeat it; a person resolves it: interlock runs resolve",
    )
    return Outcome(CallStatus.UNKNOWN, None, failure, execution.busy_ms, execution.attempts)


def settle(tx: Tx, record: CallRecord, outcome: Outcome, now: int) -> CallRecord:
    """Record `outcome` of the attempt that `record` stands for, settle its budgets, and return what now stands.

    If another attempt took the call over meanwhile, its word counts and nothing changes. If a sweeper gave the call up as
    unknown, the outcome is still the truth and replaces that.
    """
    after = replace(
        record,
        status=outcome.status,
        result=outcome.result,
        failure=outcome.failure,
        updated_at=now,
        extras={
            **record.extras,
            "attempts": outcome.attempts,
            "busy_ms": outcome.busy_ms,
            "tries": [list(one) for one in outcome.tries],
        },
    )
    if not _advance(tx, after, record.attempt):
        current = tx.calls.find(record.call.key)
        return current if current is not None else after
    pay(tx, after, outcome.busy_ms, now)
    if outcome.status is not CallStatus.UNKNOWN:
        tx.evidence.append(record.call.key.tenant, record.call.key.run, "tool_result", "", record.call.key.call)
    tx.audit.append(settled(after, now))
    return after


def pay(tx: Tx, record: CallRecord, busy_ms: int, now: int) -> None:
    """Settle the call's holds by its status. Nothing is settled or released while the outcome is unknown."""
    if record.status is CallStatus.UNKNOWN:
        return

    def used(charge: Charge) -> int:
        if charge.limit.measure is Measure.WALL_TIME:
            return min(busy_ms, charge.amount)
        moved_nothing = record.status is CallStatus.FAILED and charge.limit.measure in _MOVED
        return 0 if moved_nothing else charge.amount

    tx.budgets.settle(str(record.call.key), used, now)


def _advance(tx: Tx, after: CallRecord, attempt: int) -> bool:
    return tx.calls.advance(after, since=CallStatus.EXECUTING, attempt=attempt) or tx.calls.advance(
        after, since=CallStatus.UNKNOWN, attempt=attempt
    )


def lost(tx: Tx, record: CallRecord, now: int) -> CallRecord:
    """Give up on a call whose process died: its outcome is unknown, its money stays held."""
    failure = Failure(
        "outcome_unknown",
        "The process that carried the call out died, and it is not known whether the tool did it",
        do="Do not repeat it; a person resolves it: interlock runs resolve",
    )
    after = replace(record, status=CallStatus.UNKNOWN, failure=failure, updated_at=now)
    if tx.calls.advance(after, since=record.status, attempt=record.attempt):
        tx.audit.append(settled(after, now))
    return after
