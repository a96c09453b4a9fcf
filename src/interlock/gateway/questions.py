"""Ask people, and close what was asked. Runs inside the transaction that decides the call."""

from dataclasses import replace

from interlock.approvals.decide import use
from interlock.domain.approvals import Approval, ApprovalState, Binding
from interlock.domain.calls import CallRecord, CallStatus, Failure
from interlock.domain.canonical import JsonObject
from interlock.domain.decisions import Decision, Duty
from interlock.domain.errors import ApprovalClosed
from interlock.domain.ids import ApprovalId, new_id
from interlock.domain.provenance import Provenance
from interlock.gateway.release import ApprovalTerms
from interlock.gateway.store import Tx
from interlock.gateway.trail import approval_closed, approval_requested, settled

_LIVE = (ApprovalState.OPEN, ApprovalState.GRANTED)


def ask(
    tx: Tx,
    record: CallRecord,
    policy_version: str,
    decision: Decision,
    provenance: Provenance | None,
    earlier: Approval | None,
    terms: ApprovalTerms,
    now: int,
) -> Approval:
    """Return the open question about exactly this call: the one that stands, or a new one in place of one gone stale."""
    call = record.call
    bound = (call.key, call.agent, call.tool, record.contract_hash, record.arguments_hash, policy_version)
    if earlier is not None:
        old = earlier.binding
        same = (old.key, old.agent, old.tool, old.contract_hash, old.arguments_hash, old.policy_version) == bound
        if earlier.state is ApprovalState.OPEN and same and earlier.needed >= decision.approvers_needed:
            return earlier
        closed(tx, earlier, used=False, now=now)
    question = Approval(
        id=ApprovalId(new_id("apr")),
        binding=Binding(*bound, nonce=new_id("n")),
        requested_by=call.principal,
        arguments=call.arguments,
        reasons=decision.reasons,
        needed=decision.approvers_needed,
        reasons_required=any(obligation.duty is Duty.TWO_PEOPLE for obligation in decision.obligations),
        created_at=now,
        due_at=now + terms.sla_ms,
        expires_at=now + terms.expires_ms,
        escalate_to=terms.escalate_to,
        evidence=shown(provenance),
    )
    tx.approvals.add(question)
    tx.audit.append(approval_requested(question, record, now))
    return question


def closed(tx: Tx, approval: Approval, *, used: bool, now: int, state: ApprovalState = ApprovalState.VOID) -> Approval:
    """Close a live approval: used if its call was just admitted on it, else as `state`.

    Raises ApprovalClosed if another request was faster.
    """
    if approval.state not in _LIVE:
        return approval
    after = use(approval) if used and approval.state is ApprovalState.GRANTED else replace(approval, state=state)
    if not tx.approvals.replace(after, since=approval.state):
        raise ApprovalClosed(f"Approval {approval.id} was changed by another request", do="Ask again")
    tx.audit.append(approval_closed(after, now))
    return after


def close_call(tx: Tx, record: CallRecord, approval: Approval, now: int, by: str = "gateway") -> CallRecord:
    """End a call that waited on `approval`, which was denied, edited or left to expire; give its budget back."""
    code, why, do = _ENDINGS[approval.state]
    if approval.replaced_by is not None:
        do = f"See what became of call {approval.replaced_by.call}"
    spoken = [vote.reason for vote in approval.votes if vote.reason]
    after = replace(
        record,
        status=CallStatus.DENIED,
        updated_at=now,
        failure=Failure(code, "The call was not made", spoken[-1] if spoken else why, do),
    )
    if not tx.calls.advance(after, since=record.status, attempt=record.attempt):
        raise ApprovalClosed(f"Call {record.call.key.call} no longer waits", do="Look at the call again")
    tx.budgets.release(str(record.call.key), now)
    tx.audit.append(settled(after, now, actor=by))
    return after


_ENDINGS = {
    ApprovalState.DENIED: (
        "approval_denied",
        "a person said no",
        "Do not propose it again; hand over or go on without it",
    ),
    ApprovalState.EDITED: ("approval_edited", "a person made another call of it", ""),
    ApprovalState.EXPIRED: ("approval_expired", "nobody answered in time", "Propose it anew with a new call id"),
    ApprovalState.VOID: ("approval_void", "what was asked about has changed", "Propose it anew with a new call id"),
}


def shown(provenance: Provenance | None) -> JsonObject | None:
    """Return what a reviewer sees of the origin of each value: the sentence, never a hidden secret."""
    if provenance is None:
        return None
    return {
        "verdict": provenance.verdict.value,
        "leaves": [
            {
                "pointer": leaf.pointer,
                "role": leaf.role.value,
                "seen": leaf.seen.value,
                "supported": leaf.supported,
                "reason": leaf.reason,
            }
            for leaf in provenance.leaves
        ],
    }
