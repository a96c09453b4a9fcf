"""Near misses: what was allowed with little room to spare, or only because a person said so."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from interlock.domain import pointers
from interlock.domain.agents import Engine
from interlock.domain.approvals import Approval, ApprovalState
from interlock.domain.budgets import Balance
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import Json
from interlock.domain.conditions import TokenKind, references, tokens
from interlock.domain.contracts import Kind
from interlock.domain.decisions import Decision, Effect
from interlock.domain.models import Proposed
from interlock.domain.provenance import Seen
from interlock.policy.facts import Facts
from interlock.policy.policy_set import PolicySet

NEAR_PERCENT = 10
"""Room of this share of a cap or less is little."""
_ROUTINE = ("tier.", "stage.", "agent.approval", "call.", "approval.")
"""Beginnings of the rules by which people are asked as a matter of course: their yes is no narrow escape."""
_WEAK = frozenset({Seen.DELEGATED, Seen.DERIVED})
_NEGATING = frozenset({"||", "!", "?"})


class Closeness(StrEnum):
    """In what way a call was near."""

    CAP = "cap"
    """An argument close to a cap."""
    BUDGET = "budget"
    """A budget that is nearly used up with this call."""
    SUPPORT = "support"
    """A consequential value with weak support, or with none in a call of low risk."""
    APPROVED = "approved"
    """A rule held it, and a person let it through."""
    EDITED = "edited"
    """A person made it of a call that was held."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """One rule that almost decided otherwise."""

    rule: str
    kind: Closeness
    margin: int
    """How much of the cap was left, in percent, rounded down; 0 where there is nothing to count."""


def near_misses(
    call: ToolCall, facts: Facts, policies: PolicySet, decision: Decision, room: Iterable[Balance] = ()
) -> tuple[NearMiss, ...]:
    """Return by how little `call` was allowed, by rule; nothing for a call that `decision` does not allow.

    `room` is what the budgets of the call stand at once its part is held.
    """
    if decision.effect is not Effect.ALLOW:
        return ()
    found = {
        *_bounds(call, facts, policies),
        *_conditions(call, policies),
        *_budgets(room),
        *_support(facts, decision),
        *_people(facts, decision),
    }
    return tuple(sorted(found, key=lambda one: (one.rule, one.kind, one.margin)))


def near_json(found: Iterable[NearMiss]) -> list[dict[str, Json]]:
    """Return near misses as JSON values."""
    return [{"rule": one.rule, "kind": one.kind.value, "margin": one.margin} for one in found]


def let_through(grant: Approval | None) -> bool:
    """Return whether `grant` is a person's yes."""
    return grant is not None and ApprovalState(grant.state) in (ApprovalState.GRANTED, ApprovalState.USED)


def margin(value: Json, maximum: float) -> int | None:
    """Return the share of `maximum` that `value` leaves, in percent, if that is little; None if it is not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or maximum <= 0:
        return None
    left = maximum - value
    if left < 0 or left * 100 > maximum * NEAR_PERCENT:
        return None
    return int(left * 100 / maximum)


def _bounds(call: ToolCall, facts: Facts, policies: PolicySet) -> Iterator[NearMiss]:
    own = facts.contract.constraints if facts.contract is not None else ()
    for bound in (*own, *policies.bounds(call.tool), *call.constraints):
        if bound.maximum is None:
            continue
        for _, value in pointers.resolve(call.arguments, bound.pointer):
            left = margin(value, bound.maximum)
            if left is not None:
                yield NearMiss(f"bound.{bound.source}:{bound.pointer}", Closeness.CAP, left)


def _conditions(call: ToolCall, policies: PolicySet) -> Iterator[NearMiss]:
    for each in policies.before.get(call.tool, ()):
        for path, maximum in caps_in(each.rule.condition, each.rule.engine):
            left = margin(_at(call.arguments, path), maximum)
            if left is not None:
                yield NearMiss(f"config:{each.rule.id}", Closeness.CAP, left)


@lru_cache(maxsize=4_096)
def caps_in(condition: str, engine: Engine) -> tuple[tuple[tuple[str, ...], float], ...]:
    """Return the caps on arguments that `condition` plainly states, such as `input.amount <= 50`: path and number.

    A condition with alternatives or negations states none plainly.
    """
    stream = tokens(condition, engine)
    if any(token.kind is TokenKind.SIGN and token.text in _NEGATING for token in stream):
        return ()
    found = []
    for reference in references(condition, engine):
        after = stream[reference.last + 1 : reference.last + 3]
        if len(after) < 2 or after[0].text not in ("<=", "<") or after[1].kind is not TokenKind.NUMBER:
            continue
        if reference.path[0] == "input" and "*" not in reference.path:
            with suppress(ValueError):
                found.append((reference.path[1:], float(after[1].text.rstrip("u"))))
    return tuple(found)


def _at(arguments: Json, path: tuple[str, ...]) -> Json:
    """Return the value at `path`, or None where there is none."""
    for step in path:
        arguments = arguments.get(step) if isinstance(arguments, Mapping) else None
    return arguments


def _budgets(room: Iterable[Balance]) -> Iterator[NearMiss]:
    for balance in room:
        left = margin(balance.spent + balance.held, balance.limit)
        if left is not None:
            yield NearMiss(f"budget.{limit_id(balance.budget)}", Closeness.BUDGET, left)


def limit_id(budget: str) -> str:
    """Return the id of the limit that a budget's key names: `tenant|owner/limit|scope|window`."""
    return budget.split("|")[1].partition("/")[2]


def _support(facts: Facts, decision: Decision) -> Iterator[NearMiss]:
    if facts.contract is None or facts.contract.kind is Kind.READ or facts.provenance is None:
        return
    if any(finding.rule == "provenance.low_risk" for finding in decision.findings):
        yield NearMiss("provenance.low_risk", Closeness.SUPPORT, 0)
    if any(leaf.supported and leaf.role.consequential and leaf.seen in _WEAK for leaf in facts.provenance.leaves):
        yield NearMiss("provenance.weak", Closeness.SUPPORT, 0)


def _people(facts: Facts, decision: Decision) -> Iterator[NearMiss]:
    if facts.proposed is Proposed.PERSON:
        yield NearMiss("approval.edited", Closeness.EDITED, 0)
    if not let_through(facts.grant):
        return
    for finding in decision.findings:
        if finding.effect is Effect.REQUIRE_APPROVAL and not finding.rule.startswith(_ROUTINE):
            yield NearMiss(finding.rule, Closeness.APPROVED, 0)
