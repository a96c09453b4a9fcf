"""Who is asking: people and services with roles, agents, and the scope of a run's token."""

from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.ids import AgentId, PrincipalId, RunId, TenantId, ToolName


class Role(StrEnum):
    """What a principal may do. Roles add up; none implies another, except that `admin` holds all but `approver`."""

    AGENT = "agent"
    """Open runs and propose calls as one agent."""
    OPERATOR = "operator"
    """See runs and calls, pull and lift the brake, resolve unknown outcomes, review contracts."""
    APPROVER = "approver"
    """Decide approvals. Separate from every other role, so that nobody approves by accident of rank."""
    AUDITOR = "auditor"
    """Read everything, change nothing."""
    ADMIN = "admin"
    """Create and revoke keys, and everything that operators and auditors may do."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven caller."""

    id: PrincipalId
    tenant: TenantId
    roles: frozenset[Role]
    agent: AgentId | None = None
    """The one agent this principal may act as; set exactly when it holds Role.AGENT."""
    scope: "Scope | None" = None
    """Set when the caller came with a run token: what is left of the agent's rights."""

    def may(self, role: Role) -> bool:
        """Return whether the principal holds `role`, by itself or through `admin`."""
        return role in self.roles or (Role.ADMIN in self.roles and role in {Role.OPERATOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run token may be used for: never more than the agent's own rights, and a child never more than its parent."""

    run: RunId
    tools: frozenset[ToolName] | None
    """None means every tool of the agent."""
    expires_at: int
    """Milliseconds since the epoch."""
