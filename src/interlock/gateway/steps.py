"""The decisions that were made about one call, in order: most have one, those that waited for a person have more."""

from dataclasses import dataclass

from interlock.budgets.overruns import overrun_json, sentence
from interlock.domain.budgets import Balance, Overrun
from interlock.domain.calls import CallRecord, ToolCall
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.decisions import Decision, Effect, Finding
from interlock.domain.errors import BudgetExceeded
from interlock.gateway.release import Release
from interlock.policy.facts import Facts, facts_json
from interlock.policy.margins import near_json, near_misses
from interlock.policy.record import decision_json

_MOST = 8
"""Decisions of one call that are kept besides the last: who asks again and again adds nothing new."""


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """One decision as it was recorded."""

    decision: JsonObject
    facts: JsonObject
    release: str
    """Id of the release that it was made under; empty where nobody noted it."""


def decided_steps(record: CallRecord) -> tuple[DecidedStep, ...]:
    """Return every kept decision about the call of `record`, the first one first."""
    extras = record.extras
    earlier = tuple(DecidedStep(one["decision"], one["facts"], one["release"]) for one in extras.get("earlier", ()))
    return (*earlier, DecidedStep(record.decision, extras.get("facts", {}), extras.get("release", "")))


def deciding(step: DecidedStep) -> Decision:
    """Return the effect of the recorded decision with the rules that determined it, and nothing else of it."""
    effect = Effect(step.decision["effect"])
    found = (one for one in step.decision["findings"] if one["effect"] == effect)
    return Decision(effect, tuple(Finding(one["rule"], effect, one["reason"]) for one in found))


def earlier_decisions(known: CallRecord | None, decision: JsonObject) -> list[dict[str, Json]]:
    """Return what is kept of the decisions before `decision`: of equal ones in a row only the first."""
    if known is None:
        return []
    kept = list(known.extras.get("earlier", ()))
    last = kept[-1]["decision"] if kept else None
    if known.decision not in (decision, last) and len(kept) < _MOST:
        facts, release = known.extras.get("facts", {}), known.extras.get("release", "")
        kept.append({"decision": known.decision, "facts": facts, "release": release})
    return kept


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Why a call has no room."""

    finding: Finding
    overrun: Overrun | None = None
    """None where a limit could not be computed at all."""


Room = tuple[Balance, ...] | NoRoom
"""What the budgets of a call stand at once its part is held, or why it has none."""


def over(overrun: Overrun) -> Finding:
    """Return the finding that denies a call which one of its budgets has no room for."""
    return Finding(f"budget.{overrun.limit.id}", Effect.DENY, sentence(overrun), code=BudgetExceeded.code)


def unbounded(error: BudgetExceeded) -> Finding:
    """Return the finding that denies a call which a limit applies to and cannot count, or which is too large by itself."""
    return Finding("budget", Effect.DENY, str(error), code=error.code)


def extras_of(
    known: CallRecord | None,
    call: ToolCall,
    release: Release,
    decision: Decision,
    facts: Facts | None,
    room: Room,
    now: int,
    *,
    carried: bool,
) -> JsonObject:
    """Return what is recorded besides: the facts of the decision and of those before it, the release, and near misses."""
    extras: dict[str, Json] = {"release": release.id} if release.id else {}
    extras["facts"] = {"now": now, "carried": carried} if facts is None else facts_json(facts)
    if isinstance(room, NoRoom) and room.overrun is not None:
        extras["facts"] = {**extras["facts"], "overrun": overrun_json(room.overrun)}
    earlier = earlier_decisions(known, decision_json(decision))
    if earlier:
        extras["earlier"] = earlier
    if facts is not None and not isinstance(room, NoRoom):
        near = near_misses(call, facts, release.policies(call.agent), decision, room)
        if near:
            extras["near"] = near_json(near)
    return extras
