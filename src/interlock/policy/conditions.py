"""What the agent's own rules, bounds and policies say of a call and of its result."""

from interlock.domain.calls import ToolCall
from interlock.domain.canonical import JsonObject
from interlock.domain.decisions import Duty, Effect, Finding, Obligation
from interlock.domain.errors import PolicyError
from interlock.policy.bounds import breach
from interlock.policy.document import document_of, document_with_output
from interlock.policy.facts import Facts
from interlock.policy.policy_set import CompiledRule, PolicySet
from interlock.policy.ports import Document
from interlock.policy.standing import deny


def arguments_within_bounds(call: ToolCall, facts: Facts, policies: PolicySet) -> tuple[Finding, ...]:
    """Deny arguments outside any bound of the contract, of the agent, or travelling with the call."""
    if facts.contract is None:
        return ()
    bounds = (*facts.contract.constraints, *policies.bounds(call.tool), *call.constraints)
    return tuple(
        deny(f"bound.{bound.source}:{bound.pointer}", f"{said}.", "policy_denied")
        for bound in bounds
        if (said := breach(bound, call.arguments)) is not None
    )


def conditions_hold(call: ToolCall, facts: Facts, policies: PolicySet) -> tuple[Finding, ...]:
    """Apply what the agent's rules say should happen when a condition on the call does not hold."""
    if facts.contract is None or call.tool not in facts.agent.tools:
        return ()
    rules = policies.before[call.tool]
    return _judge(rules, document_of(call, facts), policies) if rules else ()


def engines_agree(call: ToolCall, facts: Facts, policies: PolicySet) -> tuple[Finding, ...]:
    """Ask every published set of Cedar or Rego policies."""
    if facts.contract is None:
        return ()
    return tuple(finding for engine in policies.engines for finding in engine.evaluate(call, facts))


def result_passes(call: ToolCall, facts: Facts, policies: PolicySet, output: JsonObject) -> tuple[Finding, ...]:
    """Apply the agent's rules about results; `output` has `content`, `is_error` and `contains_pii`."""
    rules = policies.after[call.tool]
    return _judge(rules, document_with_output(call, facts, output), policies) if rules else ()


def _judge(rules: tuple[CompiledRule, ...], document: Document, policies: PolicySet) -> tuple[Finding, ...]:
    version = policies.versions.get("agent", "")
    findings = (_judge_one(each, document, version) for each in rules)
    return tuple(finding for finding in findings if finding is not None)


def _judge_one(compiled: CompiledRule, document: Document, version: str) -> Finding | None:
    rule = compiled.rule
    name = f"config:{rule.id}"
    try:
        held = compiled.condition.holds(document)
    except PolicyError as error:
        return Finding(
            name, Effect.DENY, f"The rule '{rule.id}' could not be evaluated: {error}", "policy_error", version
        )
    if held is True:
        return None
    duties = (Obligation(Duty.ALERT, name),) if rule.alert else ()
    code = "policy_denied" if rule.on_fail is Effect.DENY else ""
    return Finding(name, rule.on_fail, f"The rule '{rule.id}' does not hold: {rule.condition}", code, version, duties)
