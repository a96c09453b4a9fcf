"""What an answer, an edit or the clock does to an approval. Pure: state in, state out."""

from dataclasses import replace

from interlock.domain.approvals import Approval, ApprovalState, Verdict, Vote
from interlock.domain.calls import CallKey
from interlock.domain.errors import ApprovalClosed, BadInput, Forbidden

MAX_REASON = 2_000
"""Characters of a written reason."""


def vote(approval: Approval, answer: Vote) -> Approval:
    """Return the approval after `answer`.

    Raises ApprovalClosed unless it is open and not expired; Forbidden for the requester and for a second vote of the same
    person; BadInput for a missing reason where one is required.
    """
    _check_open(approval, answer.at)
    _check_voter(approval, answer)
    votes = (*approval.votes, answer)
    if answer.verdict is Verdict.DENY:
        return replace(approval, votes=votes, state=ApprovalState.DENIED)
    yes = {one.by for one in votes if one.verdict is Verdict.APPROVE}
    state = ApprovalState.GRANTED if len(yes) >= approval.needed else ApprovalState.OPEN
    return replace(approval, votes=votes, state=state)


def edit(approval: Approval, answer: Vote, replaced_by: CallKey) -> Approval:
    """Return the approval closed in favour of the call `replaced_by`. Raises as `vote` does."""
    _check_open(approval, answer.at)
    _check_voter(approval, answer)
    return replace(approval, votes=(*approval.votes, answer), state=ApprovalState.EDITED, replaced_by=replaced_by)


def use(approval: Approval) -> Approval:
    """Return the approval used up. INVARIANT: a grant serves once. Raises ApprovalClosed if it is not granted."""
    if approval.state is not ApprovalState.GRANTED:
        raise ApprovalClosed(f"Approval {approval.id} is {approval.state}", do="Ask for a new approval")
    return replace(approval, state=ApprovalState.USED)


def tick(approval: Approval, now: int) -> Approval:
    """Return the approval as the clock makes it: expired, or marked as escalated once its SLA ran out."""
    if approval.state not in (ApprovalState.OPEN, ApprovalState.GRANTED):
        return approval
    if now >= approval.expires_at:
        return replace(approval, state=ApprovalState.EXPIRED)
    if approval.state is ApprovalState.OPEN and approval.escalated_at is None and now >= approval.due_at:
        return replace(approval, escalated_at=now)
    return approval


def _check_open(approval: Approval, now: int) -> None:
    if approval.state is not ApprovalState.OPEN:
        raise ApprovalClosed(f"Approval {approval.id} is {approval.state}", why="it takes no more answers")
    if now >= approval.expires_at:
        raise ApprovalClosed(f"Approval {approval.id} has expired", do="The agent has to propose the call again")


def _check_voter(approval: Approval, answer: Vote) -> None:
    if answer.by == approval.requested_by:
        raise Forbidden("The requester of a call cannot decide on it", do="Ask another approver")
    if any(one.by == answer.by for one in approval.votes):
        raise Forbidden("You have already answered this approval", do="It needs a different person")
    if approval.reasons_required and not answer.reason.strip():
        raise BadInput("This approval needs a written reason", do="Say why, in a sentence")
    if len(answer.reason) > MAX_REASON:
        raise BadInput(f"The reason is longer than {MAX_REASON} characters", do="Shorten it")
