"""The one way down from REQUIRE_APPROVAL to ALLOW: a grant for exactly this call, by enough people, in time."""

from dataclasses import replace

from interlock.domain.approvals import Approval, ApprovalState, Verdict
from interlock.domain.calls import ToolCall
from interlock.domain.decisions import Decision, Duty, Effect, Finding
from interlock.policy.facts import Facts
from interlock.policy.policy_set import PolicySet


def honour_grant(decision: Decision, call: ToolCall, facts: Facts, policies: PolicySet) -> Decision:
    """Return `decision`, lowered to ALLOW when it only waits for approval and `facts.grant` is that approval.

    INVARIANT I5: any difference between what was approved and what would run means that approval is needed anew.
    """
    if decision.effect is not Effect.REQUIRE_APPROVAL or facts.grant is None:
        return decision
    flaw = _flaw(facts.grant, decision, call, facts, policies)
    if flaw is not None:
        note = Finding("approval.needed", Effect.REQUIRE_APPROVAL, flaw)
        return replace(decision, findings=(note, *decision.findings))
    by = ", ".join(sorted(_approvers(facts.grant, call, decision)))
    granted = Finding("approval.granted", Effect.ALLOW, f"Approved by {by}.")
    return replace(decision, effect=Effect.ALLOW, findings=(*decision.findings, granted), approvers_needed=0)


def _flaw(grant: Approval, decision: Decision, call: ToolCall, facts: Facts, policies: PolicySet) -> str | None:
    bound = grant.binding
    contract = facts.contract
    if grant.state is not ApprovalState.GRANTED:
        return f"The last approval that was asked for this call is {grant.state.value}."
    if (bound.key, bound.agent, bound.tool) != (call.key, call.agent, call.tool):
        return "The approval at hand is for another call."
    if contract is None or bound.contract_hash != contract.hash:
        return "The tool's contract changed since the approval."
    if bound.arguments_hash != call.arguments_hash:
        return "The arguments are not those that were approved."
    if bound.policy_version != policies.version:
        return "The policies changed since the approval."
    if not facts.now < grant.expires_at:
        return "The approval has expired."
    if any(vote.verdict is not Verdict.APPROVE for vote in grant.votes):
        return "Not everybody who was asked approved."
    needed = max(decision.approvers_needed, grant.needed, 1)
    given = len(_approvers(grant, call, decision))
    return None if given >= needed else f"{given} of the {needed} people who must approve have done so."


def _approvers(grant: Approval, call: ToolCall, decision: Decision) -> frozenset[str]:
    written = grant.reasons_required or any(duty.duty is Duty.TWO_PEOPLE for duty in decision.obligations)
    return frozenset(
        vote.by
        for vote in grant.votes
        if vote.verdict is Verdict.APPROVE
        and vote.by not in (grant.requested_by, call.principal)
        and (vote.reason.strip() or not written)
    )
