"""An entry of the audit trail: who did what, why, under which versions."""

from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.canonical import JsonObject
from interlock.domain.ids import TenantId


class AuditKind(StrEnum):
    """What happened."""

    RUN_OPENED = "run.opened"
    RUN_CLOSED = "run.closed"
    RUN_FORKED = "run.forked"
    INSTRUCTION_ADDED = "run.instruction_added"
    CALL_DECIDED = "call.decided"
    CALL_SETTLED = "call.settled"
    CALL_RESOLVED = "call.resolved"
    MODEL_CALLED = "model.called"
    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_CLOSED = "approval.closed"
    APPROVAL_ESCALATED = "approval.escalated"
    BRAKE_SET = "brake.set"
    BRAKE_LIFTED = "brake.lifted"
    BUDGET_WRITTEN_OFF = "budget.written_off"
    CONTRACT_SEEN = "contract.seen"
    CONTRACT_APPROVED = "contract.approved"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    TOKEN_ISSUED = "token.issued"
    TOKEN_REVOKED = "token.revoked"
    POLICY_PUBLISHED = "policy.published"
    DATA_ERASED = "data.erased"
    DATA_EXPIRED = "data.expired"
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"
    ENCRYPTION_ROTATED = "encryption.rotated"
    ENCRYPTION_REWRAPPED = "encryption.rewrapped"
    ENCRYPTION_DESTROYED = "encryption.destroyed"
    LOG_KEY_ROTATED = "log.key_rotated"
    """The log signs with another key from here on: the subject is the new verifier key."""
    LOG_RESUMED = "log.resumed"
    """Signing goes on after a break that an operator has looked into: the tree is no growth of what was signed before."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One fact. Payloads stand in `body` as commitments only, so that erasing them leaves every proof valid."""

    id: str
    tenant: TenantId
    kind: AuditKind
    at: int
    actor: str
    subject: str
    body: JsonObject
