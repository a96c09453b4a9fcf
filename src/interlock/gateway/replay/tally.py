"""Add up what other rules would have made of many runs: the same runs give the same sums, in whatever order they come."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from interlock.domain.canonical import JsonObject
from interlock.domain.decisions import Effect
from interlock.domain.money import usd
from interlock.domain.runs import RunOutcome
from interlock.gateway.replay.counterfactual import MODEL, RunVerdict, Verdict

EXAMPLES = 3
"""Calls that stand for all of a group: the earliest."""
_UNSAID = "not said"

Example = tuple[tuple[int, int], str, str]
"""(place of the run and of the call in it, run, call)."""


@dataclass(slots=True)
class Group:
    """Calls that one rule would have treated otherwise in the same way."""

    calls: int = 0
    runs: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, calls: int, runs: int, examples: Iterable[Example]) -> None:
        """Add to it; the earliest examples are kept."""
        self.calls += calls
        self.runs += runs
        self.examples = sorted([*self.examples, *examples])[:EXAMPLES]


@dataclass(slots=True)
class Outcome:
    """Runs that ended alike."""

    runs: int = 0
    stopped: int = 0
    cost_nano_usd: int = 0
    saved_nano_usd: int = 0
    examples: list[tuple[Example, str, str]] = field(default_factory=list)
    """With the tool and the rule that would have stopped it."""


@dataclass(slots=True)
class Tally:
    """Sums that can be added to each other."""

    runs: int = 0
    calls: int = 0
    model_calls: int = 0
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    """By rule, effect before and effect after."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    held: list[int] = field(default_factory=lambda: [0, 0])
    """Calls that a person is asked about, before and after."""
    left: dict[str, Group] = field(default_factory=dict)
    """Calls that cannot be decided again, by the reason."""

    def count(self, run: RunVerdict) -> None:
        """Add one run."""
        self.runs += 1
        found: dict[tuple[str, str, str], list[Example]] = {}
        for number, verdict in enumerate(run.verdicts):
            self._call(verdict)
            if verdict.new is not verdict.old:
                key = (verdict.rule, verdict.old.value, verdict.new.value)
                found.setdefault(key, []).append(((run.place, number), run.run.id, verdict.call))
        for key, examples in found.items():
            self.rules.setdefault(key, Group()).add(len(examples), 1, examples[:EXAMPLES])
        for call, why in run.left:
            self.calls += 1
            self.left.setdefault(why, Group()).add(1, 0, [((run.place, 0), run.run.id, call.rpartition("/")[2])])
        self._outcome(run)

    def _call(self, verdict: Verdict) -> None:
        if verdict.tool == MODEL:
            self.model_calls += 1
        else:
            self.calls += 1
        self.held[0] += verdict.old is Effect.REQUIRE_APPROVAL
        self.held[1] += verdict.new is Effect.REQUIRE_APPROVAL
        if verdict.new is not verdict.old:
            self.changes[verdict.old.value, verdict.new.value] += 1

    def _outcome(self, run: RunVerdict) -> None:
        ended = run.run.outcome.value if run.run.outcome is not None else _UNSAID
        outcome = self.outcomes.setdefault(ended, Outcome())
        outcome.runs += 1
        outcome.cost_nano_usd += run.cost_nano_usd
        outcome.saved_nano_usd += run.saved_nano_usd
        stop = run.stopped
        if stop is not None:
            outcome.stopped += 1
            number = run.verdicts.index(stop)
            example = (((run.place, number), run.run.id, stop.call), stop.tool, stop.rule)
            outcome.examples = sorted([*outcome.examples, example])[:EXAMPLES]

    def add(self, other: "Tally") -> None:
        """Add all that `other` holds."""
        self.runs += other.runs
        self.calls += other.calls
        self.model_calls += other.model_calls
        self.changes.update(other.changes)
        self.held = [one + two for one, two in zip(self.held, other.held, strict=True)]
        for key, group in other.rules.items():
            self.rules.setdefault(key, Group()).add(group.calls, group.runs, group.examples)
        for why, group in other.left.items():
            self.left.setdefault(why, Group()).add(group.calls, group.runs, group.examples)
        for name, their in other.outcomes.items():
            mine = self.outcomes.setdefault(name, Outcome())
            mine.runs += their.runs
            mine.stopped += their.stopped
            mine.cost_nano_usd += their.cost_nano_usd
            mine.saved_nano_usd += their.saved_nano_usd
            mine.examples = sorted([*mine.examples, *their.examples])[:EXAMPLES]


def comparison(tally: Tally) -> JsonObject:
    """Return the sums as a document: what people read and programs compare. The same sums give the same document."""
    changed = sum(tally.changes.values())
    return {
        "runs": tally.runs,
        "calls": tally.calls,
        "changed": changed,
        "changes": [{"from": old, "to": new, "calls": count} for (old, new), count in sorted(tally.changes.items())],
        "by_rule": [
            {
                "rule": rule,
                "from": old,
                "to": new,
                "calls": group.calls,
                "runs": group.runs,
                "examples": _examples(group),
            }
            for (rule, old, new), group in sorted(tally.rules.items(), key=lambda one: (-one[1].calls, one[0]))
        ],
        "outcomes": [_outcome(name, tally.outcomes[name]) for name in sorted(tally.outcomes, key=_order)],
        "held": {
            "before": tally.held[0],
            "after": tally.held[1],
            "per_run_before": _ratio(tally.held[0], tally.runs),
            "per_run_after": _ratio(tally.held[1], tally.runs),
        },
        "cost": _cost(tally),
        "undecided": [
            {"why": why, "calls": group.calls, "examples": _examples(group)}
            for why, group in sorted(tally.left.items())
        ],
    }


def _outcome(name: str, outcome: Outcome) -> JsonObject:
    return {
        "outcome": name,
        "runs": outcome.runs,
        "stopped": outcome.stopped,
        "examples": [
            {"run": run, "call": call, "tool": tool, "rule": rule} for (_, run, call), tool, rule in outcome.examples
        ],
    }


def _cost(tally: Tally) -> JsonObject:
    total = sum(one.cost_nano_usd for one in tally.outcomes.values())
    saved = sum(one.saved_nano_usd for one in tally.outcomes.values())
    good = tally.outcomes.get(RunOutcome.SUCCEEDED.value, Outcome())
    before, after = good.runs, good.runs - good.stopped
    return {
        "models_nano_usd": total,
        "models_usd": usd(total),
        "saved_nano_usd": saved,
        "saved_usd": usd(saved),
        "succeeded_before": before,
        "succeeded_after": after,
        "per_success_nano_usd_before": total // before if before else None,
        "per_success_nano_usd_after": (total - saved) // after if after else None,
    }


def _examples(group: Group) -> list[dict[str, str]]:
    return [{"run": run, "call": call} for _, run, call in group.examples]


def _order(outcome: str) -> tuple[int, str]:
    known = [each.value for each in RunOutcome]
    return (known.index(outcome) if outcome in known else len(known), outcome)


def _ratio(count: int, of: int) -> str:
    """Return a ratio with two decimals, as text: no two machines print it differently."""
    hundredths = (200 * count + of) // (2 * of) if of else 0
    return f"{hundredths // 100}.{hundredths % 100:02}"
