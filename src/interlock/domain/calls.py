"""A proposed tool call, what became of it, and what the tool answered."""

from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.canonical import Json, JsonObject, digest
from interlock.domain.contracts import Constraint
from interlock.domain.ids import AgentId, ApprovalId, CallId, PrincipalId, RunId, TenantId, ToolName, UserId


@dataclass(frozen=True, slots=True)
class CallKey:
    """The name of one call: a call id is unique within its run."""

    tenant: TenantId
    run: RunId
    call: CallId

    def __str__(self) -> str:
        return f"{self.tenant}/{self.run}/{self.call}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model proposes. Nothing has been decided about it."""

    key: CallKey
    agent: AgentId
    principal: PrincipalId
    tool: ToolName
    arguments: JsonObject
    user: UserId | None = None
    reason: str = ""
    """Why the agent wants it, in its own words. Shown to people, never trusted."""
    proposal: str | None = None
    """Id of the tool call in the model reply that proposed this."""
    constraints: tuple[Constraint, ...] = ()
    """Bounds that travel with the call; they only tighten."""
    requires_approval: bool = False
    """True forces an approval; False never lifts one."""
    dry_run: bool = False
    """True asks what would happen; nothing is executed."""
    trace: str = ""
    """The trace that it stands in, as 32 hexadecimal digits: its caller's, else its run's; empty for calls of long ago."""
    parent_span: str = ""
    """The span of that trace which asked, as 16 hexadecimal digits."""

    @property
    def arguments_hash(self) -> str:
        """SHA-256 of the canonical arguments."""
        return digest(self.arguments)


class CallStatus(StrEnum):
    """Where a call stands. DENIED to FAILED are final; UNKNOWN is final until a person or a read-back resolves it."""

    DENIED = "denied"
    ESCALATED = "escalated"
    """Handed to a person; the agent may not go on with this call."""
    SIMULATED = "simulated"
    """Decided and recorded, deliberately not executed (dry run, or a stage below acting)."""
    PENDING = "pending"
    """Waiting for approval."""
    EXECUTING = "executing"
    """The intent is committed; the tool may or may not have been reached."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The tool is known to have refused or failed."""
    WITHHELD = "withheld"
    """The tool did it, and its result may not be shown."""
    UNKNOWN = "unknown"
    """Sent, no trustworthy answer. Money stays held."""

    @property
    def is_final(self) -> bool:
        """Whether a repeated delivery gets the recorded outcome."""
        return self not in {CallStatus.PENDING, CallStatus.EXECUTING}


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the tool answered, after checks and redaction: what the agent gets to see."""

    content: Json
    is_error: bool = False
    redacted: tuple[str, ...] = ()
    """What was taken out, by kind (`email`, `card`), never the value."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result: the code and the sentences of an InterlockError."""

    code: str
    what: str
    why: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """The journal's row for one call."""

    call: ToolCall
    arguments_hash: str
    status: CallStatus
    decision: JsonObject
    """The Decision in its recorded form."""
    contract_hash: str
    created_at: int
    """Milliseconds since the epoch, as are all instants."""
    updated_at: int
    attempt: int = 0
    """Which attempt owns the execution; a fencing token: only the owner's settlement counts."""
    owner: str = ""
    """The gateway process that executes it."""
    salt: bytes = b""
    """32 random bytes; the audit trail holds HMACs of arguments, decision and result under it. Erasing it and the bodies
    leaves every proof valid and says nothing."""
    approval: ApprovalId | None = None
    idempotency_key: str = ""
    result: ToolResult | None = None
    failure: Failure | None = None
    extras: JsonObject = field(default_factory=dict)
    """Obligations that were carried out, retries, timings."""
    erased: bool = False
    """Whether its words are gone for good: arguments, result, decision and reasons are empty, and nothing may rest on them."""
