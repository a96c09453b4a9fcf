"""Read everything that is known of a call, a model call or a run, in one transaction."""

from dataclasses import dataclass

from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import Approval
from interlock.domain.calls import CallKey, CallRecord
from interlock.domain.canonical import parse_json
from interlock.domain.errors import UnknownRecord
from interlock.domain.ids import ApprovalId, CallId, ModelCallId, RunId, TenantId
from interlock.domain.models import ModelCallRecord, bound_to
from interlock.domain.runs import Run
from interlock.gateway.audit_desk import subjects_of
from interlock.gateway.explain.accounts import ProposalAccount
from interlock.gateway.replay.past import RecordedRun, recorded
from interlock.gateway.store import Tx
from interlock.models.ports import ModelCallFilter
from interlock.runs.ports import CallFilter, EvidenceRow

_OF_A_RUN = 10_000
MOST_SEARCHED = 20_000
"""Calls that are looked through for an effect that somebody names by a value of its result."""


@dataclass(frozen=True, slots=True)
class CallFile:
    """All that explaining a tool call takes."""

    past: RecordedRun
    record: CallRecord
    approvals: tuple[Approval, ...]
    evidence: tuple[tuple[EvidenceRow, CallRecord | None], ...]
    proposal: ProposalAccount


Target = CallKey | ModelCallId | RunId


def find_target(tx: Tx, tenant: TenantId, what: str) -> Target:
    """Return what `what` names: RUN, RUN/CALL, a call, a model call, an approval, an event, an idempotency key, or a value
    that a tool answered with (the side effect). Raises UnknownRecord.
    """
    what = what.removeprefix(f"{tenant}/")
    run, _, call = what.partition("/")
    if call and tx.models.find(tenant, ModelCallId(call)) is not None:
        return ModelCallId(call)
    if call and tx.calls.find(CallKey(tenant, RunId(run), CallId(call))) is not None:
        return CallKey(tenant, RunId(run), CallId(call))
    if tx.runs.find(tenant, RunId(what)) is not None:
        return RunId(what)
    if tx.models.find(tenant, ModelCallId(what)) is not None:
        return ModelCallId(what)
    approval = tx.approvals.find(ApprovalId(what))
    if approval is not None and approval.binding.key.tenant == tenant:
        return approval.binding.key
    if what.startswith("evt_"):
        entry = tx.log.find_event(tenant, what)
        if entry is not None:
            return find_target(tx, tenant, parse_json(entry.leaf)["subject"])
    told: CallRecord | None = None
    for record in tx.calls.search(CallFilter(tenant=tenant, limit=MOST_SEARCHED)):
        if what in (record.call.key.call, record.idempotency_key):
            return record.call.key
        # An effect is what people ask about: look-ups answer with the same number, later and more often.
        if _answered(record, what) and (told is None or (_wrote(record) and not _wrote(told))):
            told = record
    if told is not None:
        return told.call.key
    raise UnknownRecord(
        f"Nothing is known of '{what[:100]}'",
        why=f"it is no run, call, model call, approval or event, and stands in no answer of the last {MOST_SEARCHED} calls",
        do="interlock runs list and interlock audit search show what there is",
    )


def read_call(tx: Tx, key: CallKey) -> CallFile:
    """Return all that explaining `key` takes. Raises UnknownRecord."""
    record = tx.calls.find(key)
    past = recorded(tx, key.tenant, (key.run,))
    if record is None or not past:
        raise UnknownRecord(f"There is no call {key.call} in run {key.run}")
    approvals = tx.approvals.search(ApprovalFilter(tenant=key.tenant, run=key.run, limit=_OF_A_RUN))
    mine = tuple(sorted((one for one in approvals if one.binding.key == key), key=lambda one: one.created_at))
    return CallFile(past[0], record, mine, tx.evidence.since(key.tenant, key.run, 0), _proposal(tx, record))


def calls_of_run(tx: Tx, run: Run) -> tuple[CallRecord, ...]:
    """Return the calls of `run` in the order in which they were proposed."""
    found = tx.calls.search(CallFilter(tenant=run.tenant, run=run.id, limit=_OF_A_RUN))
    return tuple(sorted(found, key=lambda record: record.created_at))


def model_calls_of_run(tx: Tx, run: Run) -> tuple[ModelCallRecord, ...]:
    """Return the model calls of `run`, the first one first."""
    found = tx.models.search(ModelCallFilter(tenant=run.tenant, run=run.id, limit=_OF_A_RUN))
    return tuple(sorted(found, key=lambda record: record.started_at))


def came_of(tx: Tx, model_call: ModelCallRecord) -> tuple[CallRecord, ...]:
    """Return the tool calls that were made of what `model_call` proposed."""
    run = None if model_call.call.run is None else tx.runs.find(model_call.call.tenant, model_call.call.run)
    if run is None:
        return ()
    return tuple(record for record in calls_of_run(tx, run) if _proposed_by(record, model_call))


def subjects(tx: Tx, tenant: TenantId, target: Target, approvals: tuple[Approval, ...] = ()) -> tuple[str, ...]:
    """Return the subjects of the trail that tell of `target`, with those of its approvals."""
    if isinstance(target, CallKey):
        return (str(target), *(str(one.id) for one in approvals))
    return subjects_of(tx, tenant, target)


def _proposal(tx: Tx, record: CallRecord) -> ProposalAccount:
    facts = record.extras.get("facts", {})
    standing, named = str(facts.get("proposed", "not_asked")), record.call.proposal or ""
    run = record.call.key.run
    candidates = tx.models.search(ModelCallFilter(tenant=record.call.key.tenant, run=run, limit=_OF_A_RUN))
    found = next((one for one in candidates if _proposed_by(record, one)), None)
    return ProposalAccount(standing, named, found)


def _proposed_by(record: CallRecord, model_call: ModelCallRecord) -> bool:
    call = record.call
    return bound_to(call.proposal, call.tool, record.arguments_hash, model_call.proposals).value == "bound"


def _wrote(record: CallRecord) -> bool:
    """Return whether the call was a write: of reads nobody asks where their values come from."""
    return bool(record.extras.get("facts", {}).get("provenance"))


def _answered(record: CallRecord, what: str) -> bool:
    """Return whether the tool's answer holds exactly this value: how people name an effect, by its receipt."""
    waiting = [record.result.content] if record.result is not None else []
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif str(item) == what:
            return True
    return False
