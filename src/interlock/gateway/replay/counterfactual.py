"""What other rules would have made of recorded runs: each call on the facts of its time, each budget in the order of time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from interlock.budgets.charges import Demand, Spender, charges
from interlock.domain.budgets import Charge, Limit
from interlock.domain.decisions import Decision, Effect, combine
from interlock.domain.errors import BudgetExceeded, Forbidden
from interlock.domain.runs import Run
from interlock.gateway.replay.deriving import Rules, Underivable, drafted
from interlock.gateway.replay.ledger import Ledger, Settling, settling_of
from interlock.gateway.replay.past import RecordedRun
from interlock.gateway.steps import decided_steps, deciding, over
from interlock.runs.replays import ModelCost

RulesOf = Callable[[str], Rules]
"""Returns the rules to hold a call against that was decided under the release of this id. Raises Underivable."""
MODEL = "(model)"
"""Stands for the tool of a model call."""
_RESERVING = frozenset({Effect.ALLOW, Effect.REQUIRE_APPROVAL})


class Verdict(NamedTuple):
    """One recorded call, before and after."""

    call: str
    tool: str
    at: int
    """When it was first decided, in milliseconds since the epoch."""
    old: Effect
    new: Effect
    rule: str
    """The rule that makes the difference; empty where there is none."""


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """One recorded run, before and after."""

    run: Run
    place: int
    """Its position among all runs that are looked at."""
    verdicts: tuple[Verdict, ...]
    left: tuple[tuple[str, str], ...]
    """(call, why): calls that cannot be decided again."""
    cost_nano_usd: int
    """What its models cost."""
    saved_nano_usd: int
    """Of that, what was asked for only after the run would have been stopped."""
    stopped: Verdict | None
    """The first call that was made and would not have been."""


class Entry(NamedTuple):
    """A call on its way to the ledger."""

    at: int
    order: tuple[int, int]
    """Of its run among all runs, and its own within the run."""
    call: str
    tool: str
    old: Decision | None
    """None for a model call."""
    first: Decision | None
    last: Decision | None
    charges: tuple[Charge, ...]
    settling: Settling
    made: bool = True
    """Whether it was carried out then. What a person or the gate refused stops nobody."""


@dataclass(frozen=True, slots=True)
class DraftedRun:
    """One run, decided by everything but its budgets."""

    run: Run
    costs: tuple[ModelCost, ...]
    place: int
    """Of the run among all runs."""
    entries: tuple[Entry, ...]
    """In the order of time."""
    left: tuple[tuple[str, str], ...]


def draft_run(past: RecordedRun, place: int, rules_of: RulesOf) -> DraftedRun:
    """Decide every call of `past` again, but for its budgets."""
    entries, left = [], []
    for number, record in enumerate(past.calls):
        steps = decided_steps(record)
        try:
            if record.erased:
                raise Underivable("it was erased")
            draft = drafted(past, record, rules_of(steps[0].release))
        except Underivable as error:
            left.append((str(record.call.key), str(error)))
            continue
        at = steps[0].facts["now"]
        old = deciding(steps[0])
        order = (place, number)
        settling = settling_of(record, at)
        made = record.attempt > 0
        call = record.call
        entries.append(
            Entry(at, order, call.key.call, call.tool, old, draft.first, draft.last, draft.charges, settling, made)
        )
    releases = [decided_steps(record)[0].release for record in past.calls] or [""]
    rules = _rules(rules_of, releases[0]) if past.costs else None
    if rules is not None:
        entries += model_entries(past.run, past.costs, place, len(past.calls), rules)
    entries.sort(key=lambda one: (one.at, one.order))
    return DraftedRun(past.run, past.costs, place, tuple(entries), tuple(left))


def slim(draft: DraftedRun) -> DraftedRun:
    """Return `draft` with only those findings that decide: little enough to keep for every call of a long time."""
    entries = (one._replace(first=_slim(one.first), last=_slim(one.last)) for one in draft.entries)
    return replace(draft, entries=tuple(entries))


def _slim(decision: Decision | None) -> Decision | None:
    return None if decision is None else Decision(decision.effect, decision.deciding)


def final(entry: Entry, ledger: Ledger) -> Decision | None:
    """Return what becomes of a tool call once its budgets are asked; None for a model call that has room."""
    if entry.first is not None and entry.first.effect not in _RESERVING:
        return entry.first
    overrun = ledger.reserve(entry.charges, entry.at, entry.settling)
    if overrun is None:
        return entry.last
    if entry.first is None:
        return combine((over(overrun),), {})
    return combine((*entry.first.findings, over(overrun)), entry.first.versions)


def judge_run(draft: DraftedRun, decisions: Iterable[tuple[Entry, Decision | None]]) -> RunVerdict:
    """Return what the `decisions` about the entries of `draft` amount to."""
    verdicts, stopped = [], None
    for entry, decision in decisions:
        verdict = _verdict(entry, decision)
        if verdict is None:
            continue
        verdicts.append(verdict)
        if stopped is None and verdict.old in _RESERVING and verdict.new not in _RESERVING and entry.made:
            stopped = verdict
    costs = draft.costs
    saved = sum(one.cost_nano_usd for one in costs if stopped is not None and one.started_at >= stopped.at)
    return RunVerdict(
        draft.run,
        draft.place,
        tuple(verdicts),
        draft.left,
        sum(one.cost_nano_usd for one in costs),
        saved,
        stopped,
    )


def _verdict(entry: Entry, decision: Decision | None) -> Verdict | None:
    if entry.old is None:
        if decision is None or not entry.made:
            return None
        return Verdict(entry.call, entry.tool, entry.at, Effect.ALLOW, decision.effect, decision.deciding[0].rule)
    if decision is None or entry.first is None:
        return None
    over_budget = decision is not entry.last and decision is not entry.first
    new = decision if over_budget else entry.first
    old = entry.old
    rule = "" if new.effect is old.effect else _difference(old, new)
    return Verdict(entry.call, entry.tool, entry.at, old.effect, new.effect, rule)


def _difference(old: Decision, new: Decision) -> str:
    """Return the rule that makes `new` differ from `old`: one that decides now, or one that decided and no longer does."""
    tighter = new.effect.severity > old.effect.severity
    now, before = (new, old) if tighter else (old, new)
    known = {finding.rule for finding in before.deciding}
    fresh = [finding.rule for finding in now.deciding if finding.rule not in known]
    return fresh[0] if fresh else now.deciding[0].rule


def model_entries(run: Run, costs: tuple[ModelCost, ...], place: int, first: int, rules: Rules) -> list[Entry]:
    """Return the model calls of `run` on their way to the ledger; their numbers within the run begin with `first`."""
    try:
        limits = rules.release.limits_of(rules.release.policies(run.agent))
    except Forbidden:
        return []
    return [
        Entry(
            cost.started_at,
            (place, first + number),
            cost.call,
            MODEL,
            None,
            None,
            None,
            _model_charges(run, cost, limits),
            Settling(cost.started_at),
            not cost.refused,
        )
        for number, cost in enumerate(costs)
    ]


def _rules(rules_of: RulesOf, release: str) -> Rules | None:
    try:
        return rules_of(release)
    except Underivable:
        return None


def _model_charges(run: Run, cost: ModelCost, limits: tuple[tuple[str, Limit], ...]) -> tuple[Charge, ...]:
    if cost.refused:
        return ()
    spender = Spender(run.tenant, run.id, cost.call, cost.agent, cost.principal, cost.user, cost.step)
    demand = Demand(model_calls=1, tokens=cost.tokens, cost_nano_usd=cost.cost_nano_usd)
    try:
        return charges(spender, limits, demand, cost.started_at)
    except BudgetExceeded:
        return ()
