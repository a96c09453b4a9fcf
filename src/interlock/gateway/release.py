"""Everything under which calls are decided, as one value that is swapped whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.domain.budgets import Limit
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Tier, ToolContract
from interlock.domain.errors import Forbidden
from interlock.domain.ids import AgentId
from interlock.policy.policy_set import PolicySet
from interlock.tools.catalogue import Catalogue
from interlock.tools.proposals import ProposalSchema


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """How long people may take, per tier."""

    sla_ms: int
    """After this, the question escalates."""
    expires_ms: int
    """After this, the question is closed and the call is not made."""
    escalate_to: str = ""


DEFAULT_TERMS = ApprovalTerms(sla_ms=4 * 3600 * 1000, expires_ms=24 * 3600 * 1000)


@dataclass(frozen=True, slots=True)
class Release:
    """Agents, contracts, policies and limits of one moment."""

    catalogue: Catalogue
    agents: Mapping[AgentId, PolicySet]
    limits: tuple[Limit, ...] = ()
    """Limits of the whole deployment."""
    terms: Mapping[Tier, ApprovalTerms] = field(default_factory=dict)
    proposals: Mapping[AgentId, ProposalSchema] = field(default_factory=dict)
    """Schemas that bound what an agent may propose."""
    run_life_ms: int = 24 * 3600 * 1000
    """How long a run may stay open when its agent declares no wall time."""
    id: str = ""
    """One hash over all of it (`gateway.archive`), noted on every call; empty before it is archived."""

    def check_proposal(self, call: ToolCall) -> None:
        """Raise InvalidArguments unless the call satisfies the proposal schema that its agent declares, if any."""
        schema = self.proposals.get(call.agent)
        if schema is not None:
            schema.check(call.tool, call.arguments)

    def policies(self, agent: AgentId) -> PolicySet:
        """Return the policies of `agent`. Raises Forbidden for an agent that nobody declared."""
        found = self.agents.get(agent)
        if found is None:
            raise Forbidden(f"No agent is declared as {agent}", do="Declare it in a file under agents/ and restart")
        return found

    def limits_of(self, policies: PolicySet) -> tuple[tuple[str, Limit], ...]:
        """Return every limit that binds the agent, with who declared it."""
        mine = tuple((f"agent:{policies.agent.id}", limit) for limit in policies.agent.limits)
        return (*(("deployment", limit) for limit in self.limits), *mine)

    def terms_of(self, contract: ToolContract) -> ApprovalTerms:
        """Return how long people may take over a call of `contract`."""
        return self.terms.get(contract.tier, DEFAULT_TERMS)
