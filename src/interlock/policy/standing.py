"""Whether a call may be considered at all: its run, its agent, the tool's standing, the brake."""

from datetime import UTC, datetime

from interlock.domain.approvals import ApprovalState
from interlock.domain.calls import ToolCall
from interlock.domain.contracts import Kind, Standing
from interlock.domain.decisions import Effect, Finding
from interlock.domain.models import Proposed
from interlock.domain.runs import RunState
from interlock.policy.facts import Facts


def run_is_open(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny when the run is not this call's, has ended, or is past its deadline."""
    run = facts.run
    if (run.id, run.tenant) != (call.key.run, call.key.tenant):
        return (deny("run.identity", "The call names another run than the one it was opened for.", "not_allowed"),)
    if run.state is not RunState.OPEN:
        return (deny("run.open", f"The run is {run.state.value}; open a new run.", "run_closed"),)
    if run.deadline is not None and not facts.now < run.deadline:
        return (deny("run.deadline", f"The run's time ended at {instant(run.deadline)}.", "run_closed"),)
    return ()


def agent_is_the_runs(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny when the agent that calls is not the one whose run and rules these are."""
    if call.agent == facts.run.agent == facts.agent.id:
        return ()
    return (deny("agent.identity", f"The run does not belong to the agent '{call.agent}'.", "forbidden"),)


def tool_is_allowed(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Allow what is on the agent's list and exists, and deny everything else: an empty list allows nothing."""
    if call.tool in facts.agent.tools and facts.contract is not None:
        return (Finding("agent.allowlist", Effect.ALLOW, "The tool is on the agent's list."),)
    reason = f"No tool '{call.tool}' is open to the agent '{facts.agent.id}'."
    return (deny("agent.allowlist", reason, "unknown_tool"),)


def contract_stands(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny a tool whose upstream changed since its contract was reviewed."""
    contract = facts.contract
    if contract is None:
        return ()
    if contract.name != call.tool:
        return (deny("contract.identity", "The contract at hand is another tool's.", "policy_error"),)
    if contract.standing is not Standing.APPROVED:
        reason = f"'{call.tool}' changed since it was reviewed and waits for `interlock tools approve`."
        return (deny("contract.standing", reason, "contract_quarantined"),)
    return ()


def brakes_are_off(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny what an operator has stopped, saying who, why and until when."""
    contract = facts.contract
    category = contract.category if contract else ""
    is_write = contract is None or contract.kind is Kind.WRITE
    return tuple(
        deny(
            f"brake.{brake.target.value}",
            f"Stopped by {brake.set_by} until {instant(brake.expires_at)}: {brake.reason}",
            "braked",
        )
        for brake in facts.brakes
        if brake.tenant == call.key.tenant
        and brake.covers(tool=call.tool, category=category, agent=call.agent, is_write=is_write, now=facts.now)
    )


def model_proposed_it(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny a call that names a proposal which is another, and, where the agent demands it, one that nobody proposed."""
    if facts.proposed is Proposed.OTHER:
        reason = f"The proposal '{call.proposal}' of this run is of another tool, or has other arguments."
        return (deny("proposal.same", reason, "unproposed"),)
    if facts.agent.proposed_only and facts.proposed not in (Proposed.BOUND, Proposed.PERSON):
        reason = "No reply of a model in this run proposes this tool with these arguments."
        return (deny("proposal.bound", reason, "unproposed"),)
    return ()


def tool_is_up(call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny while the tool's circuit breaker is open."""
    if facts.breaker_open is False:
        return ()
    reason = f"'{call.tool}' failed several times in a row and is left alone for a while."
    return (deny("breaker", reason, "tool_unavailable"),)


def nobody_said_no(_call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
    """Deny a call that a person has already refused."""
    if facts.grant is None or ApprovalState(facts.grant.state) is not ApprovalState.DENIED:
        return ()
    return (deny("approval.denied", "A person refused this call.", "approval_denied"),)


def deny(rule: str, reason: str, code: str) -> Finding:
    """Return a finding that denies."""
    return Finding(rule, Effect.DENY, reason, code=code)


def instant(at: int) -> str:
    """Return `at` (milliseconds since the epoch) as people write it, in UTC."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{at} ms"
