"""Everything that a decision may depend on besides the call itself: loaded before, recorded with it, replayable."""

from dataclasses import dataclass

from interlock.domain.agents import AgentPolicy
from interlock.domain.approvals import Approval
from interlock.domain.brakes import Brake
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.models import Proposed
from interlock.domain.provenance import Provenance, as_record
from interlock.domain.runs import Run


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of the world as one transaction saw it."""

    now: int
    """Milliseconds since the epoch."""
    agent: AgentPolicy
    contract: ToolContract | None
    """None when no tool of the call's name exists."""
    run: Run
    provenance: Provenance | None
    """None when the tool is a read: provenance binds consequences."""
    instructed: bool = True
    """Whether the gate was told what the user wants. Without it nothing can be missing from the user's words."""
    refused_writes: int = 0
    """For a write: how many writes of this run their tools have refused so far. The plan has changed since."""
    proposed: Proposed = Proposed.NOT_ASKED
    brakes: tuple[Brake, ...] = ()
    grant: Approval | None = None
    """The latest approval that was asked for this very call id, whatever its state."""
    breaker_open: bool = False
    """Whether the tool's circuit breaker is open in this process."""
    sample_roll: int = 0
    """0 to 9,999, derived from the call id: below the sampling rate (in 1/10,000) the call is sampled for review."""


def facts_json(facts: Facts) -> JsonObject:
    """Return what the decision rests on besides recorded declarations: enough to derive it again, without any value."""
    return {
        "now": facts.now,
        "provenance": as_record(facts.provenance) if facts.provenance is not None else None,
        "instructed": facts.instructed,
        "refused_writes": facts.refused_writes,
        "proposed": facts.proposed.value,
        "brakes": [brake.id for brake in facts.brakes],
        "grant": facts.grant.id if facts.grant is not None else None,
        "breaker_open": facts.breaker_open,
        "sample_roll": facts.sample_roll,
    }
