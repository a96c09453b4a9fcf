"""Everything that a decision may depend on besides the call itself: loaded before, recorded with it, replayable."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from interlock.domain.agents import AgentPolicy
from interlock.domain.approvals import Approval, ApprovalState
from interlock.domain.brakes import Brake
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import MalformedJson
from interlock.domain.models import Proposed
from interlock.domain.provenance import LeafOrigin, Place, Provenance, Role, Seen, Verdict, as_record
from interlock.domain.runs import Run, RunState


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
    evidence: int = 0
    """Up to which `seq` of the run's evidence provenance has looked; 0 where it did not. For whoever asks why later."""


def facts_json(facts: Facts) -> JsonObject:
    """Return what the decision rests on besides recorded declarations: enough for `facts_from_json` to give it back."""
    record: dict[str, Json] = {
        "now": facts.now,
        "provenance": _provenance_json(facts.provenance) if facts.provenance is not None else None,
        "instructed": facts.instructed,
        "refused_writes": facts.refused_writes,
        "proposed": facts.proposed.value,
        "brakes": [brake.id for brake in facts.brakes],
        "grant": facts.grant.id if facts.grant is not None else None,
        "breaker_open": facts.breaker_open,
        "sample_roll": facts.sample_roll,
    }
    if facts.evidence:
        record["evidence"] = facts.evidence
    if facts.grant is not None:
        record["grant_state"] = facts.grant.state.value
        record["grant_votes"] = len(facts.grant.votes)
    if facts.run.state is not RunState.OPEN:
        record["run_state"] = facts.run.state.value
    return record


def facts_from_json(
    record: JsonObject,
    agent: AgentPolicy,
    contract: ToolContract | None,
    run: Run,
    brakes: Mapping[str, Brake],
    grant: Approval | None,
) -> Facts:
    """Return the facts that `facts_json` recorded, over the declarations and rows that they name.

    `run`, `brakes` and `grant` may be as they stand today: what has changed since the decision is put back.
    Raises MalformedJson when `record` holds no facts, or names a brake that `brakes` does not have.
    """
    try:
        provenance = record["provenance"]
        state = RunState(record.get("run_state", RunState.OPEN))
        return Facts(
            now=record["now"],
            agent=agent,
            contract=contract,
            run=run if run.state is state else replace(run, state=state),
            provenance=None if provenance is None else _provenance(provenance),
            instructed=record["instructed"],
            refused_writes=record["refused_writes"],
            proposed=Proposed(record["proposed"]),
            brakes=tuple(replace(brakes[id], lifted_at=None, lifted_by=None) for id in record["brakes"]),
            grant=None if record["grant"] is None else _grant(record, grant),
            breaker_open=record["breaker_open"],
            sample_roll=record["sample_roll"],
            evidence=record.get("evidence", 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MalformedJson("The record does not hold the facts of a decision") from None


def _provenance_json(provenance: Provenance) -> Json:
    """Return the labels of every value and, of those without support, what the reviewer was told of them."""
    record = as_record(provenance)
    for leaf, told in zip(provenance.leaves, record["leaves"], strict=True):
        if not leaf.supported:
            places = leaf.suspect or leaf.support
            told["told"] = [
                leaf.value,
                leaf.note,
                *([places[0].source, places[0].pointer, places[0].name] if places else []),
            ]
    return record


def _provenance(record: JsonObject) -> Provenance:
    return Provenance(Verdict(record["verdict"]), tuple(_leaf(each) for each in record["leaves"]))


def _leaf(record: JsonObject) -> LeafOrigin:
    value, note, *place = record.get("told", ("", ""))
    suspect = (Place(*place),) if place else ()
    return LeafOrigin(
        record["pointer"],
        Role(record["role"]),
        record["guessed"],
        Seen(record["seen"]),
        record["supported"],
        value,
        (),
        suspect,
        note,
    )


def _grant(record: JsonObject, grant: Approval | None) -> Approval:
    if grant is None or grant.id != record["grant"]:
        raise KeyError(record["grant"])
    state = ApprovalState(record.get("grant_state", grant.state))
    return replace(grant, state=state, votes=grant.votes[: record.get("grant_votes", len(grant.votes))])
