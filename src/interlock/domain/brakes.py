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
    MODEL = "model"
    """A model or a provider, by its name in the router file."""
    MODELS = "models"
    """Every model call."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Brake:
    """One order. INVARIANT I6: after it commits, no call that it covers is admitted."""

    id: str
    tenant: TenantId
    target: BrakeTarget
    name: str
    """Which tool, category, agent, model or provider; empty for WRITES, MODELS and ALL."""
    reason: str
    set_by: PrincipalId
    set_at: int
    expires_at: int
    lifted_at: int | None = None
    lifted_by: PrincipalId | None = None
    salt: bytes = b""
    """32 random bytes; the audit trail holds an HMAC of the reason under it."""

    def is_on(self, now: int) -> bool:
        """Return whether it is neither lifted nor expired at `now`."""
        return self.lifted_at is None and now < self.expires_at

    def covers_model(self, *, agent: str, names: frozenset[str], now: int) -> bool:
        """Return whether this brake stops a model call of `agent` to a model or provider called one of `names`."""
        if not self.is_on(now):
            return False
        match self.target:
            case BrakeTarget.ALL | BrakeTarget.MODELS:
                return True
            case BrakeTarget.MODEL:
                return self.name in names
            case BrakeTarget.AGENT:
                return self.name == agent
            case _:
                return False

    def covers(self, *, tool: str, category: str, agent: str, is_write: bool, now: int) -> bool:
        """Return whether this brake stops such a tool call at `now`."""
        if not self.is_on(now):
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
            case BrakeTarget.MODEL | BrakeTarget.MODELS:
                return False
