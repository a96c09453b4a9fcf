"""What a tool's tier, an agent's stage and the caller itself ask for before a call may run."""

import unicodedata

from interlock.domain.agents import ApprovalRule, Stage
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Environment, Kind, Tier
from interlock.domain.decisions import Duty, Effect, Finding, Obligation
from interlock.domain.provenance import Verdict
from interlock.policy.bounds import same
from interlock.policy.facts import Facts
from interlock.policy.standing import deny

_STAGES = tuple(Stage)


def tier_controls(_call: ToolCall, facts: Facts, *, sampled_below: int) -> tuple[Finding, ...]:
    """Apply the defaults of requirement T4; `sampled_below` of 10,000 calls of tier 2 are reviewed afterwards."""
    contract = facts.contract
    if contract is None:
        return ()
    tier = Tier(contract.tier)
    if contract.kind is Kind.WRITE and contract.environment is Environment.STAGING:
        return (Finding(f"tier.{tier}", Effect.ALLOW, "Writes in staging need no approval for their tier."),)
    if tier is Tier.IRREVERSIBLE:
        duty = Obligation(Duty.TWO_PEOPLE, "tier.4")
        reason = "Tier 4: irreversible or regulated; two people must approve, each with a written reason."
        return (Finding("tier.4", Effect.REQUIRE_APPROVAL, reason, obligations=(duty,)),)
    if tier is Tier.HIGH_IMPACT:
        return (Finding("tier.3", Effect.REQUIRE_APPROVAL, "Tier 3: high impact; a person must approve."),)
    if tier is Tier.REVERSIBLE and facts.sample_roll < sampled_below:
        sample = Obligation(Duty.SAMPLE, "tier.2")
        return (Finding("tier.2", Effect.ALLOW, "Tier 2: allowed, and sampled for review.", obligations=(sample,)),)
    return ()


def stage_permits(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Hold writes back as far as the lower of the agent's and the tool's autonomy stage asks (requirement P4)."""
    contract = facts.contract
    if contract is None or contract.kind is Kind.READ:
        return ()
    agent = facts.agent
    stage = min(agent.stage, agent.stages.get(call.tool, agent.stage), key=_STAGES.index)
    rule = f"stage.{stage.value}"
    match stage:
        case Stage.OBSERVE:
            return (Finding(rule, Effect.DRY_RUN, "The agent is in shadow: writes are recorded and not executed."),)
        case Stage.SUGGEST:
            return (Finding(rule, Effect.ESCALATE, "The agent may only suggest: a person carries writes out."),)
        case Stage.DRAFT if contract.tier > Tier.LOW_IMPACT:
            return (Finding(rule, Effect.REQUIRE_APPROVAL, "The agent may only draft: other writes need approval."),)
        case Stage.APPROVAL:
            return (Finding(rule, Effect.REQUIRE_APPROVAL, "Every write of this agent needs approval."),)
        case _:
            return ()


def agent_asks_approval(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Require approval where the agent's declaration does, for the tool or for single values of its arguments."""
    return tuple(
        Finding("agent.approval", Effect.REQUIRE_APPROVAL, f"The agent's file asks for approval of '{call.tool}'{why}.")
        for rule in facts.agent.approvals
        if rule.tool == call.tool and (why := _reason(rule, call.arguments)) is not None
    )


def caller_asks(call: ToolCall, _facts: Facts) -> tuple[Finding, ...]:
    """Honour what travels with the call: it may ask for an approval or a dry run, and never lift one."""
    found: list[Finding] = []
    if call.requires_approval is not False:
        found.append(Finding("call.requires_approval", Effect.REQUIRE_APPROVAL, "The call itself asks for approval."))
    if call.dry_run is not False:
        found.append(Finding("call.dry_run", Effect.DRY_RUN, "The caller asked what would happen."))
    return tuple(found)


def origin_is_trusted(_call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Require a person for a write with a consequential value that nothing trusted stands behind.

    Such a write is limited to low risk (requirement D2): one of tier 1 may run, if a reviewer and no guess said tier 1.
    A value that stands nowhere at all is the model's own; it is held where the gate knows what the user asked for.
    """
    contract = facts.contract
    if contract is None or contract.kind is Kind.READ:
        return ()
    if facts.provenance is None:
        return (deny("provenance", "Nobody looked where the values of this write come from.", "policy_error"),)
    verdict = facts.provenance.verdict
    if verdict is Verdict.SUPPORTED:
        return ()
    reasons = facts.provenance.reasons or ("A value has no trusted support.",)
    if verdict is Verdict.UNSUPPORTED and not facts.instructed:
        return tuple(Finding("provenance.composed", Effect.ALLOW, reason) for reason in reasons)
    if Tier(contract.tier) <= Tier.LOW_IMPACT and "tier" not in contract.guessed:
        return tuple(Finding("provenance.low_risk", Effect.ALLOW, reason) for reason in reasons)
    return tuple(Finding("provenance", Effect.REQUIRE_APPROVAL, reason) for reason in reasons)


def personal_data_stays(_call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Oblige the gate to take personal data out of the result where the agent's declaration says so."""
    if not facts.agent.redact:
        return ()
    duty = Obligation(Duty.REDACT, "agent.redact")
    reason = "Personal data is taken out of every result."
    return (Finding("agent.redact", Effect.ALLOW, reason, obligations=(duty,)),)


def _reason(rule: ApprovalRule, arguments: JsonObject) -> str | None:
    if not rule.when:
        return ""
    for name, values in rule.when:
        if name not in arguments:
            return f": it does not say '{name}'"
        given = arguments[name]
        for item in given if isinstance(given, list | tuple) else (given,):
            if any(_stands_for(item, value) for value in values):
                return f": '{name}' has a value that needs it"
        if isinstance(given, list | tuple) and not given:
            return f": '{name}' is empty"
    return None


def _stands_for(item: Json, value: Json) -> bool:
    # A value of another kind than the listed one cannot be told from it, and one that differs only in case, spaces or
    # the form of its characters may be taken for it by the tool: both count, so that the rule errs towards asking.
    if isinstance(item, str) and isinstance(value, str):
        return item == value or _folded(item) == _folded(value)
    if isinstance(item, bool) or isinstance(value, bool):
        return not isinstance(item, bool) or not isinstance(value, bool) or item is value
    if isinstance(item, int | float) and isinstance(value, int | float):
        return same(item, value)
    return True


def _folded(text: str) -> str:
    visible = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return visible.strip().casefold()
