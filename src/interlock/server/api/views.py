"""From domain values to the documents that the API answers and the command line prints."""

from typing import Any

from interlock.domain.approvals import Approval
from interlock.domain.audit import AuditEvent
from interlock.domain.brakes import Brake
from interlock.domain.budgets import Balance
from interlock.domain.calls import CallRecord, Failure
from interlock.domain.contracts import ToolContract
from interlock.domain.runs import Run
from interlock.gateway.contract_desk import Review
from interlock.gateway.run_desk import OpenedRun
from interlock.identity.ports import KeyRecord
from interlock.server.api.documents import (
    ApprovalDocument,
    BrakeDocument,
    BudgetDocument,
    CallDocument,
    ChangeDocument,
    DiffDocument,
    EventDocument,
    FailureDocument,
    KeyDocument,
    OpenedRunDocument,
    PinDocument,
    RunDocument,
    ToolDocument,
    ToolSummary,
    VoteDocument,
)
from interlock.tools.ports import Pin


def opened_run(opened: OpenedRun) -> OpenedRunDocument:
    """Return a run with its token."""
    return OpenedRunDocument(opened.run.id, opened.token, opened.expires_at, opened.run.deadline)


def run(value: Run) -> RunDocument:
    """Return a run."""
    return RunDocument(
        run=value.id,
        agent=value.agent,
        state=value.state,
        opened_by=value.principal,
        user=value.user,
        labels=dict(value.labels),
        opened_at=value.opened_at,
        deadline=value.deadline,
        ended_at=value.ended_at,
        outcome=value.outcome,
        erased_at=value.erased_at,
    )


def call(record: CallRecord) -> CallDocument:
    """Return a call. Its result is what the agent saw: checked and redacted."""
    asked, failure, result = record.call, record.failure, record.result
    return CallDocument(
        run=asked.key.run,
        call_id=asked.key.call,
        agent=asked.agent,
        tool=asked.tool,
        status=record.status,
        arguments=asked.arguments,
        reason=asked.reason,
        user=asked.user,
        requested_by=asked.principal,
        decision=record.decision,
        result=result.content if result is not None else None,
        is_error=result.is_error if result is not None else None,
        failure=why(failure),
        approval=record.approval,
        attempt=record.attempt,
        contract_hash=record.contract_hash,
        arguments_hash=record.arguments_hash,
        created_at=record.created_at,
        updated_at=record.updated_at,
        extras=record.extras,
        erased=record.erased,
    )


def why(failure: Failure | None) -> FailureDocument | None:
    """Return why a call has no result, if that is so."""
    return None if failure is None else FailureDocument(failure.code, failure.what, failure.why, failure.do)


def approval(value: Approval) -> ApprovalDocument:
    """Return an approval as its reviewers see it."""
    bound = value.binding
    return ApprovalDocument(
        id=value.id,
        run=bound.key.run,
        call_id=bound.key.call,
        agent=bound.agent,
        tool=bound.tool,
        arguments=value.arguments,
        reasons=value.reasons,
        evidence=value.evidence,
        needed=value.needed,
        reason_required=value.reasons_required,
        votes=tuple(VoteDocument(one.by, one.verdict, one.reason, one.at) for one in value.votes),
        requested_by=value.requested_by,
        state=value.state,
        created_at=value.created_at,
        due_at=value.due_at,
        expires_at=value.expires_at,
        escalated_at=value.escalated_at,
        escalate_to=value.escalate_to,
        replaced_by=value.replaced_by.call if value.replaced_by is not None else None,
    )


def brake(value: Brake) -> BrakeDocument:
    """Return a brake."""
    return BrakeDocument(value.id, value.target, value.name, value.reason, value.set_by, value.set_at, value.expires_at)


def tool(contract: ToolContract) -> ToolSummary:
    """Return a contract in brief."""
    return ToolSummary(**_summary(contract))


def contract(review: Review) -> ToolDocument:
    """Return a contract in full."""
    found, known = review.contract, review.pin
    return ToolDocument(
        **_summary(found),
        input_schema=found.input_schema,
        output_schema=found.output_schema,
        scopes=found.scopes,
        idempotency=found.idempotency,
        idempotency_name=found.idempotency_name,
        reversible=found.reversible,
        cost_nano_usd=found.cost_nano_usd,
        amount=found.amount.pointer if found.amount is not None else None,
        recipients=found.recipients,
        timeout_ms=found.timeout_ms,
        max_retries=found.max_retries,
        arguments={pointer: role.value for pointer, role in found.roles},
        credential=found.credential,
        hash=found.hash,
        pinned_hash=found.pinned_hash,
        pinned_by=known.pinned_by if known is not None else None,
        pinned_at=known.pinned_at if known is not None else None,
    )


def diff(review: Review) -> DiffDocument:
    """Return what changed since the review."""
    found = review.contract
    return DiffDocument(
        tool=found.name,
        standing=found.standing,
        surface_hash=found.surface_hash,
        reviewed_hash=review.pin.surface_hash if review.pin is not None else None,
        changes=tuple(ChangeDocument(one.pointer, one.before, one.after) for one in review.changes),
    )


def pin(value: Pin) -> PinDocument:
    """Return a pin."""
    return PinDocument(value.tool, value.surface_hash, value.pinned_by, value.pinned_at)


def key(record: KeyRecord) -> KeyDocument:
    """Return a key without its secret, which nobody has."""
    holder = record.principal
    return KeyDocument(
        id=record.id,
        name=holder.id,
        roles=tuple(sorted(holder.roles)),
        agent=holder.agent,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
    )


def budget(balance: Balance) -> BudgetDocument:
    """Return how a budget stands."""
    left = balance.limit - balance.spent - balance.held
    return BudgetDocument(balance.budget, balance.limit, balance.spent, balance.held, max(left, 0))


def event(value: AuditEvent) -> EventDocument:
    """Return an audit event."""
    return EventDocument(value.id, value.kind, value.at, value.actor, value.subject, value.body)


def _summary(contract: ToolContract) -> dict[str, Any]:
    return {
        "name": contract.name,
        "description": contract.description,
        "kind": contract.kind,
        "tier": int(contract.tier),
        "category": contract.category,
        "environment": contract.environment,
        "standing": contract.standing,
        "connection": contract.upstream.server,
        "operation": contract.upstream.operation,
        "owner": contract.owner,
        "guessed": tuple(sorted(contract.guessed)),
        "surface_hash": contract.surface_hash,
    }
