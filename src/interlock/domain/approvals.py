"""A question to people about one exact call, and their answers."""

from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.calls import CallKey
from interlock.domain.canonical import JsonObject
from interlock.domain.ids import AgentId, ApprovalId, PrincipalId, ToolName


class ApprovalState(StrEnum):
    """Where an approval stands. All but OPEN and GRANTED are final."""

    OPEN = "open"
    GRANTED = "granted"
    """Enough people said yes; usable once, until it expires."""
    DENIED = "denied"
    EXPIRED = "expired"
    EDITED = "edited"
    """Closed in favour of a new call with other arguments."""
    USED = "used"
    VOID = "void"
    """What was approved is no longer what would run: contract, policy or arguments changed."""


class Verdict(StrEnum):
    """What a person says."""

    APPROVE = "approve"
    DENY = "deny"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer."""

    by: PrincipalId
    verdict: Verdict
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Binding:
    """What exactly is approved. INVARIANT I5: what is executed equals this, byte for byte."""

    key: CallKey
    agent: AgentId
    tool: ToolName
    contract_hash: str
    arguments_hash: str
    policy_version: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A durable question. `arguments` are what people see and what will run."""

    id: ApprovalId
    binding: Binding
    requested_by: PrincipalId
    arguments: JsonObject
    reasons: tuple[str, ...]
    """Why a person is asked."""
    needed: int
    """How many different people must say yes."""
    reasons_required: bool
    """Whether each vote must carry a written reason."""
    created_at: int
    due_at: int
    """When it escalates (the SLA clock)."""
    expires_at: int
    escalate_to: str = ""
    state: ApprovalState = ApprovalState.OPEN
    votes: tuple[Vote, ...] = ()
    escalated_at: int | None = None
    replaced_by: CallKey | None = None
    """For EDITED: the new call."""
    evidence: JsonObject | None = None
    """What reviewers should see besides: where each argument's value came from."""
