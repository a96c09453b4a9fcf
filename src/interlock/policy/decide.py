"""What may happen to a proposed call, and why."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from interlock.domain.agents import AgentPolicy
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import JsonObject
from interlock.domain.decisions import Decision, Effect, Finding, combine
from interlock.domain.errors import PolicyError
from interlock.policy import autonomy, conditions, standing
from interlock.policy.facts import Facts
from interlock.policy.grants import honour_grant
from interlock.policy.policy_set import PolicySet

Check = Callable[[ToolCall, Facts, PolicySet], tuple[Finding, ...]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("policies", lambda _call, facts, policies: _policies_are_the_agents(facts, policies)),
    ("run", lambda call, facts, _policies: standing.run_is_open(call, facts)),
    ("agent", lambda call, facts, _policies: standing.agent_is_the_runs(call, facts)),
    ("allowlist", lambda call, facts, _policies: standing.tool_is_allowed(call, facts)),
    ("contract", lambda call, facts, _policies: standing.contract_stands(call, facts)),
    ("brake", lambda call, facts, _policies: standing.brakes_are_off(call, facts)),
    ("breaker", lambda call, facts, _policies: standing.tool_is_up(call, facts)),
    ("proposal", lambda call, facts, _policies: standing.model_proposed_it(call, facts)),
    ("bounds", conditions.arguments_within_bounds),
    ("conditions", conditions.conditions_hold),
    ("engines", conditions.engines_agree),
    ("tier", lambda call, facts, policies: autonomy.tier_controls(call, facts, sampled_below=policies.sampling)),
    ("stage", lambda call, facts, _policies: autonomy.stage_permits(call, facts)),
    ("approvals", lambda call, facts, _policies: autonomy.agent_asks_approval(call, facts)),
    ("caller", lambda call, facts, _policies: autonomy.caller_asks(call, facts)),
    ("provenance", lambda call, facts, _policies: autonomy.origin_is_trusted(call, facts)),
    ("redaction", lambda call, facts, _policies: autonomy.personal_data_stays(call, facts)),
    ("refusal", lambda call, facts, _policies: standing.nobody_said_no(call, facts)),
)
"""Everything that is asked of a call, in the order in which people would ask. The order changes no answer."""


def decide(call: ToolCall, facts: Facts, policies: PolicySet) -> Decision:
    """Return what may happen to `call`. Never raises: what cannot be decided is denied (INVARIANT I2)."""
    findings = tuple(finding for name, check in CHECKS for finding in _ask(name, check, call, facts, policies))
    try:
        versions = _versions(facts, policies)
        decision = combine(_as_the_agent_wishes(findings, facts.agent), versions)
        return honour_grant(decision, call, facts, policies)
    except Exception as error:  # noqa: BLE001 - whatever fails here, the answer is no
        return combine((*findings, _failure("decision", error)), {})


def decide_result(call: ToolCall, facts: Facts, policies: PolicySet, output: JsonObject) -> Decision:
    """Return what may happen to the result of `call`: ALLOW shows it, anything else withholds it. Never raises."""
    shown = Finding("result", Effect.ALLOW, "No rule withholds the result.")
    try:
        said = conditions.result_passes(call, facts, policies, output)
        return combine((shown, *said), _versions(facts, policies))
    except Exception as error:  # noqa: BLE001 - whatever fails here, the result stays hidden
        return combine((_failure("result", error),), {})


def _ask(name: str, check: Check, call: ToolCall, facts: Facts, policies: PolicySet) -> tuple[Finding, ...]:
    try:
        findings = check(call, facts, policies)
        if all(isinstance(finding.effect, Effect) for finding in findings):
            return findings
    except Exception as error:  # noqa: BLE001 - INVARIANT I2: any error denies
        return (_failure(name, error),)
    return (_failure(name, TypeError()),)


def _failure(name: str, error: Exception) -> Finding:
    # Only our own errors are written for people and free of secrets; of others, the kind is all that is said.
    detail = str(error) if isinstance(error, PolicyError) else f"it ended in {type(error).__name__}."
    return standing.deny(f"check.{name}", f"The check '{name}' could not be made: {detail}", "policy_error")


def _policies_are_the_agents(facts: Facts, policies: PolicySet) -> tuple[Finding, ...]:
    if (policies.agent.id, policies.agent.version) == (facts.agent.id, facts.agent.version):
        return ()
    return (standing.deny("policies", "The rules at hand are another agent's, or of another version.", "policy_error"),)


def _as_the_agent_wishes(findings: tuple[Finding, ...], agent: AgentPolicy) -> tuple[Finding, ...]:
    """Turn denials by policy into escalations where the agent's declaration says so; no other denial ever."""
    if agent.on_violation is not Effect.ESCALATE:
        return findings
    return tuple(
        replace(finding, effect=Effect.ESCALATE)
        if finding.effect is Effect.DENY and finding.code == "policy_denied"
        else finding
        for finding in findings
    )


def _versions(facts: Facts, policies: PolicySet) -> Mapping[str, str]:
    versions = {**policies.versions, "policy": policies.version}
    if facts.contract is not None:
        versions["contract"] = facts.contract.hash
    return versions
