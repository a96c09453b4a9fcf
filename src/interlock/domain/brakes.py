"""The brake: an operator's order that something must not happen any more (requirement T8)."""

from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.ids import PrincipalId, TenantId


class BrakeTarget(StrEnum):
    """What is stopped."""

    TOOL = "tool"
    CATEGORY = "category"
    AGENT = "agent"
    WRITES = "writes"
    """Every tool of kind write."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Brake:
    """One order. INVARIANT I6: after it commits, no call that it covers is admitted."""

    id: str
    tenant: TenantId
    target: BrakeTarget
    name: str
    """Which tool, category or agent; empty for WRITES and ALL."""
    reason: str
    set_by: PrincipalId
    set_at: int
    expires_at: int
    lifted_at: int | None = None
    lifted_by: PrincipalId | None = None

    def covers(self, *, tool: str, category: str, agent: str, is_write: bool, now: int) -> bool:
        """Return whether this brake stops such a call at `now`."""
        if self.lifted_at is not None or now >= self.expires_at:
            return False
        match self.target:
            case BrakeTarget.ALL:
                return True
            case BrakeTarget.WRITES:
                return is_write
            case BrakeTarget.TOOL:
                return self.name == tool
            case BrakeTarget.CATEGORY:
                return self.name == category
            case BrakeTarget.AGENT:
                return self.name == agent
