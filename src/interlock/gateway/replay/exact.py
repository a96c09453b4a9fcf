"""Replay one run from its record: what happened, in order, and every decision derived again, byte for byte."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.calls import CallRecord, CallStatus
from interlock.domain.canonical import canonical_json
from interlock.domain.decisions import Decision
from interlock.domain.money import usd
from interlock.gateway.replay.deriving import Rules, Underivable, derived
from interlock.gateway.replay.past import RecordedRun
from interlock.gateway.steps import DecidedStep, decided_steps
from interlock.policy.record import decision_bytes, decision_from_json

RulesOf = Callable[[str], Rules]
"""Returns the release of an id as it was published. Raises Underivable."""


class Derivation(StrEnum):
    """What came of deriving a decision again."""

    SAME = "same"
    """Byte for byte."""
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    """The record does not say enough."""


class Happening(StrEnum):
    """What a moment of a run is about."""

    OPENED = "opened"
    MODEL = "model"
    DECIDED = "decided"
    VOTED = "voted"
    SETTLED = "settled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened in a run."""

    at: int
    """Milliseconds since the epoch."""
    what: Happening
    text: str
    step: int | None = None
    """Which tool call of the run, from 1."""
    call: str = ""
    derivation: Derivation | None = None
    """For a decision."""
    why: str = ""
    """Why it is unknown, or in what it differs."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A run, replayed."""

    past: RecordedRun
    moments: tuple[Moment, ...]

    def count(self, derivation: Derivation) -> int:
        """Return how many decisions came out so."""
        return sum(moment.derivation is derivation for moment in self.moments)


def replayed(past: RecordedRun, rules_of: RulesOf) -> Replay:
    """Return what happened in `past`, in order. Nothing is called, nothing is written."""
    moments = [Moment(past.run.opened_at, Happening.OPENED, f"opened by {past.run.principal} for {past.run.agent}")]
    for cost in past.costs:
        refused = ", refused" if cost.refused else ""
        text = f"a model was asked: {cost.tokens} tokens, {usd(cost.cost_nano_usd)} USD{refused}"
        moments.append(Moment(cost.started_at, Happening.MODEL, text, call=cost.call))
    for number, record in enumerate(past.calls, 1):
        moments += _of_call(past, number, record, rules_of)
    if past.run.ended_at is not None:
        said = past.run.outcome.value if past.run.outcome is not None else past.run.state.value
        moments.append(Moment(past.run.ended_at, Happening.ENDED, said))
    return Replay(past, tuple(sorted(moments, key=lambda one: one.at)))


def _of_call(past: RecordedRun, number: int, record: CallRecord, rules_of: RulesOf) -> list[Moment]:
    call, found = record.call, []
    for step in decided_steps(record):
        at = step.facts.get("now", record.created_at)
        derivation, why = _derivation(past, record, step, rules_of)
        found.append(Moment(at, Happening.DECIDED, _said(record, step), number, call.key.call, derivation, why))
    question = past.approvals.get(record.approval or "")
    found.extend(
        Moment(vote.at, Happening.VOTED, f"{vote.by}: {vote.verdict.value}", number, call.key.call)
        for vote in (question.votes if question is not None else ())
    )
    if record.attempt and record.status is not CallStatus.EXECUTING:
        text = f"{call.tool}: {record.status.value}"
        found.append(Moment(record.updated_at, Happening.SETTLED, text, number, call.key.call))
    return found


def _said(record: CallRecord, step: DecidedStep) -> str:
    if not step.decision:
        return f"{record.call.tool}: erased"
    decision = decision_from_json(step.decision)
    return f"{record.call.tool}: {decision.effect.value} ({', '.join(dict.fromkeys(one.rule for one in decision.deciding))})"


def _derivation(past: RecordedRun, record: CallRecord, step: DecidedStep, rules_of: RulesOf) -> tuple[Derivation, str]:
    if record.erased:
        return Derivation.UNKNOWN, "it was erased"
    try:
        again = derived(past, record, step, rules_of(step.release))
    except Underivable as error:
        return Derivation.UNKNOWN, str(error)
    if decision_bytes(again) == canonical_json(step.decision):
        return Derivation.SAME, ""
    return Derivation.DIFFERENT, _difference(decision_from_json(step.decision), again)


def _difference(recorded: Decision, again: Decision) -> str:
    if recorded.effect is not again.effect:
        return f"recorded {recorded.effect.value}, derived {again.effect.value}"
    for one, other in zip(recorded.findings, again.findings, strict=False):
        if one != other:
            return f"recorded '{one.rule}: {one.reason}', derived '{other.rule}: {other.reason}'"
    if len(recorded.findings) != len(again.findings):
        return f"recorded {len(recorded.findings)} findings, derived {len(again.findings)}"
    return "recorded under other versions" if dict(recorded.versions) != dict(again.versions) else "obligations differ"
