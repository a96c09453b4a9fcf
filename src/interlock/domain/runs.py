"""A run: one piece of work of one agent, whose calls, budgets and evidence belong together."""

from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.ids import AgentId, PrincipalId, RunId, TenantId, UserId


class RunState(StrEnum):
    """Whether the run may still make calls."""

    OPEN = "open"
    CLOSED = "closed"
    STOPPED = "stopped"
    """Ended by an operator or a cap."""


class RunOutcome(StrEnum):
    """What came of a run, in the words of whoever drove it."""

    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Some of what was asked for was done."""
    FAILED = "failed"
    ESCALATED = "escalated"
    """Handed over to a person."""


@dataclass(frozen=True, slots=True)
class Run:
    """Opened by whoever drives the agent."""

    id: RunId
    tenant: TenantId
    agent: AgentId
    principal: PrincipalId
    opened_at: int
    deadline: int | None
    """No call is admitted after this instant (milliseconds since the epoch)."""
    user: UserId | None = None
    state: RunState = RunState.OPEN
    labels: tuple[tuple[str, str], ...] = field(default=())
    ended_at: int | None = None
    outcome: RunOutcome | None = None
    """None while nobody has said it."""
    trace: str = ""
    """The trace that it is: the one that its opener named, else its own; 32 hexadecimal digits. Empty for runs of long ago."""
    parent_span: str = ""
    """The span of that trace under which it was opened, as 16 hexadecimal digits."""
    salt: bytes = b""
    """32 random bytes; the audit trail holds HMACs of labels and user under it."""
    erased_at: int | None = None
    """When its words were erased: labels, and everything that its calls said."""
