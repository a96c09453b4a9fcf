"""Fork a run: a new one that has seen what the old one had seen before a step, and has done nothing."""

from collections.abc import Sequence
from dataclasses import replace

from interlock.budgets.charges import charges, tool_spender
from interlock.domain.audit import AuditKind
from interlock.domain.budgets import Scope
from interlock.domain.calls import CallKey, CallRecord, CallStatus
from interlock.domain.errors import BadInput, BudgetExceeded, Conflict, Forbidden
from interlock.domain.ids import RunId, TenantId, random_bytes
from interlock.domain.runs import Run
from interlock.gateway.release import Release
from interlock.gateway.settlement import pay
from interlock.gateway.store import Tx
from interlock.gateway.trail import run_event
from interlock.gateway.understanding import understood_again
from interlock.tools.schemas import CompiledSchemas

FORKED_FROM = "interlock.forked_from"
"""The label by which a fork names the run that it came from."""
_SETTLED = frozenset(CallStatus) - {CallStatus.PENDING, CallStatus.EXECUTING, CallStatus.UNKNOWN}


def before(calls: Sequence[CallRecord], step: str) -> tuple[CallRecord, ...]:
    """Return the calls before `step`, which is a number from 1 or a call id; one beyond the last stands for the end.

    Raises BadInput for a step that the run does not have, Conflict when one before it has not ended.
    """
    numbers = {str(record.call.key.call): number for number, record in enumerate(calls)}
    if step in numbers:
        kept = tuple(calls[: numbers[step]])
    elif step.isdecimal() and 1 <= int(step) <= len(calls) + 1:
        kept = tuple(calls[: int(step) - 1])
    else:
        raise BadInput(
            f"The run has no step '{step[:60]}'",
            why=f"it has {len(calls)} tool calls",
            do="Give the number of a call, from 1, or its id: interlock runs replay RUN lists them",
        )
    open_ = next((one for one in kept if one.status not in _SETTLED), None)
    if open_ is not None:
        raise Conflict(
            f"Call {open_.call.key.call} before that step is {open_.status.value}", do="Fork earlier, or settle it"
        )
    return kept


def copied(
    tx: Tx, old: Run, fork: Run, kept: Sequence[CallRecord], step: str, release: Release, now: int, actor: str
) -> None:
    """Record in `fork`, which is open, what `old` had seen and settled in the calls `kept`. No tool is called.

    Asked for again under their ids, these calls answer from the record. What they took counts against the limits of the
    fork's own run, and against no other: the day and the user have paid once.
    """
    _evidence(tx, old.tenant, old.id, fork.id, kept)
    schemas = CompiledSchemas()
    for record in kept:
        key = CallKey(fork.tenant, fork.id, record.call.key.call)
        extras = {**record.extras, "forked_from": str(record.call.key)}
        again = replace(record, call=replace(record.call, key=key), salt=random_bytes(32), approval=None, extras=extras)
        if not tx.calls.insert(again):
            raise Conflict(f"The fork has a call {key.call} already")
        _take(tx, again, release, schemas, now)
    body = {"from": old.id, "step": step, "calls": [record.call.key.call for record in kept]}
    tx.audit.append(run_event(AuditKind.RUN_FORKED, fork, now, actor, body))


def _evidence(tx: Tx, tenant: TenantId, old: RunId, fork: RunId, kept: Sequence[CallRecord]) -> None:
    """Copy what the run had seen until the first result that is not kept."""
    known = {record.call.key.call for record in kept}
    for row, _ in tx.evidence.since(tenant, old, 0):
        if row.call is not None and row.call not in known:
            break
        tx.evidence.append(tenant, fork, row.kind, row.body, row.call)


def _take(tx: Tx, record: CallRecord, release: Release, schemas: CompiledSchemas, now: int) -> None:
    if not record.attempt:
        return
    try:
        proposal = understood_again(record.call, release, schemas)
        limits = release.limits_of(release.policies(record.call.agent))
        if proposal.contract is None:
            return
        drawn = charges(tool_spender(record.call, proposal.contract), limits, proposal.demand, now)
    except (BudgetExceeded, Forbidden):
        # Whatever it took then, the rules of today would not let it be taken, and nothing is taken now.
        return
    own = tuple(charge for charge in drawn if charge.limit.scope is Scope.RUN)
    if tx.budgets.reserve(str(record.call.key), own, now) is None:
        pay(tx, record, int(record.extras.get("busy_ms", 0)), now)
