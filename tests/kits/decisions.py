"""One refund, everything that a decision about it depends on, and ways to change a part."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from interlock.adapters.cel import CelConditions
from interlock.domain.agents import AgentPolicy, Engine, Rule
from interlock.domain.approvals import Approval, ApprovalState, Binding, Verdict, Vote
from interlock.domain.calls import CallKey, ToolCall
from interlock.domain.contracts import Constraint, Kind, Tier, ToolContract, Upstream
from interlock.domain.decisions import Decision, Effect
from interlock.domain.ids import AgentId, ApprovalId, CallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.provenance import LeafOrigin, Place, Provenance, Role, Seen
from interlock.domain.provenance import Verdict as Origin
from interlock.domain.runs import Run
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.policy.policy_set import PolicySet, publish
from interlock.policy.ports import PolicyEngine

NOW = 1_790_000_000_000
TENANT, RUN, TOOL = TenantId("acme"), RunId("run_1"), ToolName("payments.refund")
BOT = PrincipalId("bot-key")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "reason": {"type": "string"},
        "to": {"type": "array", "items": {"type": "string"}},
        "order": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    },
    "required": ["amount", "order"],
}
CALL = ToolCall(
    CallKey(TENANT, RUN, CallId("call-1")),
    AgentId("refunds"),
    BOT,
    TOOL,
    {"amount": 49.0, "reason": "duplicate", "order": {"id": "o-7"}},
)
CONTRACT = ToolContract(
    TOOL,
    "Pay money back",
    SCHEMA,
    None,
    Kind.WRITE,
    Tier.REVERSIBLE,
    Upstream("python", "shop", "refund"),
    category="payments",
    hash="c" * 64,
)
AGENT = AgentPolicy(AgentId("refunds"), frozenset({TOOL}), version="a" * 64)
_LEAF = LeafOrigin("/order/id", Role.ID, False, Seen.UNTRUSTED, False, "o-7", (), (Place(2, "", "the result of mail"),))  # noqa: FBT003
SUPPORTED = Provenance(Origin.SUPPORTED, ())
UNTRUSTED = Provenance(Origin.UNTRUSTED_DERIVED, (_LEAF,))
FACTS = Facts(
    NOW, AGENT, CONTRACT, Run(RUN, TENANT, AGENT.id, BOT, NOW - 5_000, NOW + 60_000), SUPPORTED, sample_roll=9_999
)
LANGUAGES = {Engine.CEL: CelConditions()}


def a_rule(condition: str, engine: Engine = Engine.CEL, on_fail: Effect = Effect.DENY, **changes: Any) -> Rule:
    return replace(Rule("cap", condition, engine, on_fail, TOOL, source="agents/refunds.yaml:7"), **changes)


def facts_with(facts: Facts = FACTS, **changes: Any) -> Facts:
    """Return facts in which fields of the agent, contract or run are changed: `agent_stage=`, `contract_tier=`, ..."""
    for part in ("agent", "contract", "run"):
        inner = {key.removeprefix(f"{part}_"): changes.pop(key) for key in list(changes) if key.startswith(f"{part}_")}
        if inner:
            facts = replace(facts, **{part: replace(getattr(facts, part), **inner)})
    return replace(facts, **changes)


def policies_for(
    facts: Facts = FACTS,
    engines: tuple[PolicyEngine, ...] = (),
    languages: Mapping[Engine, Any] = LANGUAGES,
) -> PolicySet:
    contract = facts.contract or CONTRACT
    return publish(facts.agent, {contract.name: contract}, languages, engines)


def judge(call: ToolCall = CALL, facts: Facts = FACTS, engines: tuple[PolicyEngine, ...] = ()) -> Decision:
    return decide(call, facts, policies_for(facts, engines))


def cap(maximum: float, source: str = "contract") -> Constraint:
    return Constraint("/amount", maximum=maximum, source=source)


def a_grant(call: ToolCall, facts: Facts, *voters: str, **changes: Any) -> Approval:
    assert facts.contract is not None
    binding = Binding(
        call.key,
        call.agent,
        call.tool,
        facts.contract.hash,
        call.arguments_hash,
        policies_for(facts).version,
        "nonce",
    )
    votes = tuple(Vote(PrincipalId(name), Verdict.APPROVE, "checked the order", NOW - 10) for name in voters)
    grant = Approval(
        ApprovalId("apr_1"), binding, call.principal, call.arguments, ("Tier 3.",), max(1, len(voters)), False,  # noqa: FBT003
        NOW - 100, NOW + 1_000, NOW + 10_000, "", ApprovalState.GRANTED, votes,
    )  # fmt: skip
    return replace(grant, **changes)
