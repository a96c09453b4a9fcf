"""Approvals: what people are asked, and what they say."""

from interlock.domain.approvals import Verdict
from interlock.domain.identity import Role
from interlock.domain.ids import ApprovalId, RunId
from interlock.server.api import views
from interlock.server.api.documents import ApprovalDocument, ApprovalsDocument, EditedDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import AnswerBody, ApprovalQuery, EditBody, bounded
from interlock.server.tools.outcomes import resource

_READERS = frozenset({Role.APPROVER, Role.OPERATOR, Role.AUDITOR})
_APPROVERS = frozenset({Role.APPROVER})


async def list_approvals(asked: Asked) -> ApprovalsDocument:
    """List approvals."""
    query: ApprovalQuery = asked.query
    states = frozenset({query.state}) if query.state is not None else None
    run = RunId(query.run) if query.run is not None else None
    found = await asked.desks.approvals.list(asked.principal, states, run, bounded(query.limit))
    return ApprovalsDocument(tuple(views.approval(one) for one in found))


async def show(asked: Asked) -> ApprovalDocument:
    """Show one approval."""
    return views.approval(await asked.desks.approvals.find(asked.principal, _id(asked)))


async def approve(asked: Asked) -> ApprovalDocument:
    """Say yes."""
    return await _answer(asked, Verdict.APPROVE)


async def deny(asked: Asked) -> ApprovalDocument:
    """Say no."""
    return await _answer(asked, Verdict.DENY)


async def edit(asked: Asked) -> EditedDocument:
    """Make another call of it, and take that down the road from the start."""
    body: EditBody = asked.body
    edited = await asked.desks.approvals.edit(asked.principal, _id(asked), body.arguments, body.reason)
    answer = await asked.desks.gate.repeat(asked.principal, edited)
    _, document = resource(answer, edited.original.call.tool)
    return EditedDocument(views.approval(edited.approval), document)


async def _answer(asked: Asked, verdict: Verdict) -> ApprovalDocument:
    given = await asked.desks.approvals.answer(asked.principal, _id(asked), verdict, asked.body.reason)
    return views.approval(given)


def _id(asked: Asked) -> ApprovalId:
    return ApprovalId(asked.path["approval"])


APPROVALS = PREFIX + "/approvals"
OPERATIONS = (
    Operation(
        Description(
            "GET",
            APPROVALS,
            "listApprovals",
            "List approvals, the most urgent first.",
            _READERS,
            ApprovalQuery,
            answer=ApprovalsDocument,
        ),
        list_approvals,
    ),
    Operation(
        Description(
            "GET",
            APPROVALS + "/{approval}",
            "showApproval",
            "Show one approval with the origin of each argument.",
            _READERS,
            answer=ApprovalDocument,
        ),
        show,
    ),
    Operation(
        Description(
            "POST",
            APPROVALS + "/{approval}/approve",
            "approve",
            "Say yes. The call runs when its agent makes it again; the requester can never approve.",
            _APPROVERS,
            body=AnswerBody,
            answer=ApprovalDocument,
        ),
        approve,
    ),
    Operation(
        Description(
            "POST",
            APPROVALS + "/{approval}/deny",
            "deny",
            "Say no, which ends the call.",
            _APPROVERS,
            body=AnswerBody,
            answer=ApprovalDocument,
        ),
        deny,
    ),
    Operation(
        Description(
            "POST",
            APPROVALS + "/{approval}/edit",
            "editApproval",
            "Close it in favour of a new call with other arguments, decided from the start as your own request.",
            _APPROVERS,
            body=EditBody,
            answer=EditedDocument,
        ),
        edit,
    ),
)
"""The operations on approvals."""
