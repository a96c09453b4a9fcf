"""Decide recorded calls again: as they were decided then, or as other rules would have."""

from dataclasses import dataclass, replace

from interlock.budgets.charges import Demand, charges, tool_spender
from interlock.budgets.overruns import overrun_from_json
from interlock.domain.approvals import Approval
from interlock.domain.budgets import Charge
from interlock.domain.calls import CallRecord, ToolCall
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.decisions import Decision, Effect, combine
from interlock.domain.errors import BudgetExceeded, Forbidden, MalformedJson
from interlock.domain.models import Proposed
from interlock.gateway.release import Release
from interlock.gateway.replay.past import RecordedRun
from interlock.gateway.steps import DecidedStep, decided_steps, over, unbounded
from interlock.gateway.understanding import understood_again
from interlock.policy.decide import decide
from interlock.policy.facts import Facts, facts_from_json
from interlock.policy.policy_set import PolicySet
from interlock.policy.record import decision_from_json
from interlock.tools.schemas import CompiledSchemas

_RESERVING = frozenset({Effect.ALLOW, Effect.REQUIRE_APPROVAL})


class Underivable(Exception):
    """The record does not say enough to decide the call again. Says why, in a few words; never leaves a replay."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A release that recorded calls are decided under."""

    release: Release
    schemas: CompiledSchemas


@dataclass(frozen=True, slots=True)
class Draft:
    """What rules say of a recorded call before any budget is asked, and what it would draw."""

    first: Decision
    """As the call was first proposed."""
    last: Decision
    """After the people who were asked had answered, where the same question would have been asked; else like `first`."""
    charges: tuple[Charge, ...] = ()


def derived(past: RecordedRun, record: CallRecord, step: DecidedStep, rules: Rules) -> Decision:
    """Return the decision of `step` derived again under the release that it was made under. Raises Underivable."""
    call, facts = record.call, step.facts
    if "now" not in facts:
        raise Underivable("its facts were not recorded")
    if facts.get("carried"):
        return _carried(step)
    release = rules.release
    proposal = understood_again(call, release, rules.schemas)
    if "provenance" not in facts or proposal.faults or proposal.contract is None:
        return combine(proposal.faults, {"agent": _policies(release, call).agent.version})
    decision = decide(call, _facts(past, facts, release, proposal.contract), _policies(release, call))
    if decision.effect not in _RESERVING:
        return decision
    if "overrun" in facts:
        return combine((*decision.findings, over(overrun_from_json(facts["overrun"]))), decision.versions)
    drawn = _charges(release, call, proposal.contract, proposal.demand, facts["now"])
    return _refused(decision, drawn) if isinstance(drawn, BudgetExceeded) else decision


def drafted(past: RecordedRun, record: CallRecord, rules: Rules) -> Draft:
    """Return what other rules say of a recorded call on the facts that the gate saw. Raises Underivable.

    A grant carries over only where the same question would have been asked: of the same contract, for the same reasons.
    """
    call, steps, release = record.call, decided_steps(record), rules.release
    first = steps[0]
    if record.erased or "now" not in first.facts:
        raise Underivable("it was erased" if record.erased else "its facts were not recorded")
    if first.facts.get("carried"):
        return Draft(_carried(first), _carried(first))
    policies = _policies(release, call)
    proposal = understood_again(call, release, rules.schemas)
    if proposal.faults or proposal.contract is None:
        refused = combine(proposal.faults, {"agent": policies.agent.version})
        return Draft(refused, refused)
    if "provenance" not in first.facts:
        raise Underivable("it was refused before its facts were loaded, and would not be now")
    contract = proposal.contract
    facts = _facts(past, first.facts, release, contract)
    asked = decide(call, facts if facts.grant is None else replace(facts, grant=None), policies)
    if asked.effect not in _RESERVING:
        return Draft(asked, asked)
    drawn = _charges(release, call, contract, proposal.demand, first.facts["now"])
    if isinstance(drawn, BudgetExceeded):
        refused = _refused(asked, drawn)
        return Draft(refused, refused)
    grant = _same_question(past, steps, asked, contract)
    if grant is None:
        return Draft(asked, asked, drawn)
    then = _facts(past, steps[-1].facts, release, contract)
    # As it stood then: it has been used since.
    stood = then.grant if then.grant is not None else grant
    bound = replace(stood.binding, policy_version=policies.version)
    return Draft(asked, decide(call, replace(then, grant=replace(stood, binding=bound)), policies), drawn)


def _charges(
    release: Release, call: ToolCall, contract: ToolContract, demand: Demand, now: int
) -> tuple[Charge, ...] | BudgetExceeded:
    try:
        return charges(tool_spender(call, contract), release.limits_of(release.policies(call.agent)), demand, now)
    except BudgetExceeded as error:
        return error


def _refused(decision: Decision, error: BudgetExceeded) -> Decision:
    return combine((*decision.findings, unbounded(error)), decision.versions)


def _carried(step: DecidedStep) -> Decision:
    # Its token or its bounds refused the call: no release says otherwise.
    return decision_from_json(step.decision)


def _policies(release: Release, call: ToolCall) -> PolicySet:
    try:
        return release.policies(call.agent)
    except Forbidden:
        raise Underivable("its agent is not declared in these rules") from None


def _facts(past: RecordedRun, record: JsonObject, release: Release, contract: ToolContract) -> Facts:
    grant = past.approvals.get(record.get("grant") or "")
    agent = release.policies(past.run.agent).agent
    try:
        facts = facts_from_json(record, agent, contract, past.run, past.brakes, grant)
    except MalformedJson:
        raise Underivable("its facts name what is not in the record") from None
    if facts.provenance is None and contract.kind is Kind.WRITE:
        raise Underivable("it was a read, and nobody looked where its values come from")
    if agent.proposed_only and facts.proposed is Proposed.NOT_ASKED:
        raise Underivable("nobody asked whether a model had proposed it")
    return facts


def _same_question(
    past: RecordedRun, steps: tuple[DecidedStep, ...], asked: Decision, contract: ToolContract
) -> Approval | None:
    """Return the grant that was given, if the people who gave it would have been asked the same now."""
    if asked.effect is not Effect.REQUIRE_APPROVAL or len(steps) == 1:
        return None
    grant = past.approvals.get(steps[-1].facts.get("grant") or "")
    if grant is None or grant.binding.contract_hash != contract.hash or grant.needed < asked.approvers_needed:
        return None
    before = decision_from_json(steps[0].decision)
    same = [(one.rule, one.reason) for one in before.deciding] == [(one.rule, one.reason) for one in asked.deciding]
    return grant if same else None
