"""Values that the suites store and expect back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from interlock.domain.approvals import Approval, Binding, Verdict, Vote
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window
from interlock.domain.calls import CallKey, CallRecord, CallStatus, ToolCall
from interlock.domain.contracts import Constraint
from interlock.domain.identity import Principal, Role
from interlock.domain.identity import Scope as TokenScope
from interlock.domain.ids import AgentId, ApprovalId, CallId, PrincipalId, RunId, TenantId, ToolName, UserId
from interlock.domain.runs import Run
from interlock.identity.ports import KeyRecord, TokenRecord
from interlock.tools.ports import Pin

V = TypeVar("V")

ACME = TenantId("acme")
OTHER = TenantId("other")
AGENT = AgentId("refunds")
ANNA = PrincipalId("anna")
NOW = 1_800_000_000_000


def put_all(put: Callable[[V], None], values: Iterable[V]) -> None:
    """Put each of `values`."""
    for value in values:
        put(value)


def a_run(id_: str = "run-1", **changes: Any) -> Run:
    fields: dict[str, Any] = {
        "id": RunId(id_),
        "tenant": ACME,
        "agent": AGENT,
        "principal": ANNA,
        "opened_at": NOW,
        "deadline": NOW + 1000,
        "user": UserId("u-7"),
        "labels": (("team", "support"), ("release", "r7")),
    }
    return Run(**(fields | changes))


def a_key(call: str = "call-1", run: str = "run-1", tenant: TenantId = ACME) -> CallKey:
    return CallKey(tenant, RunId(run), CallId(call))


def a_call(key: CallKey | None = None, **changes: Any) -> ToolCall:
    fields: dict[str, Any] = {
        "key": key or a_key(),
        "agent": AGENT,
        "principal": ANNA,
        "tool": ToolName("refund"),
        "arguments": {"amount": 49.5, "to": ["Zoë", None, True], "note": {"text": "naïve \u2028 \U0001f600"}},
        "user": UserId("u-7"),
        "reason": "the parcel never came",
        "proposal": "toolu_1",
        "constraints": (
            Constraint("/amount", maximum=50.0, minimum=0, source="call"),
            Constraint("/to/*", one_of=("a", 1, True), pattern="[a-z]+", domains=("example.org",)),
        ),
        "requires_approval": True,
        "dry_run": False,
    }
    return ToolCall(**(fields | changes))


def a_record(call: ToolCall | None = None, **changes: Any) -> CallRecord:
    call = call or a_call()
    fields: dict[str, Any] = {
        "call": call,
        "arguments_hash": call.arguments_hash,
        "status": CallStatus.PENDING,
        "decision": {"effect": "require_approval", "findings": [{"rule": "tier.3", "reason": "A person decides."}]},
        "contract_hash": "c" * 64,
        "created_at": NOW,
        "updated_at": NOW + 1,
        "salt": bytes(range(32)),
    }
    return CallRecord(**(fields | changes))


def a_limit(maximum: int = 100, id_: str = "daily_refunds") -> Limit:
    return Limit(id_, Measure.MONEY, Scope.AGENT, maximum, Window.DAY, "USD", ToolName("refund"))


def a_charge(amount: int, *, maximum: int = 100, budget: str = "acme|agent=refunds|money:USD") -> Charge:
    return Charge(budget, a_limit(maximum), amount)


def used(**amounts: int) -> Callable[[Charge], int]:
    """Return what a call took of each budget: of those that are not named, all that it held."""
    return lambda charge: amounts.get(charge.budget, charge.amount)


def an_approval(id_: str = "apr-1", **changes: Any) -> Approval:
    binding = Binding(a_key(), AGENT, ToolName("refund"), "c" * 64, "a" * 64, "p" * 64, "nonce")
    fields: dict[str, Any] = {
        "id": ApprovalId(id_),
        "binding": binding,
        "requested_by": ANNA,
        "arguments": {"amount": 49, "to": "zoë@example.org"},
        "reasons": ("Tier 3 asks a person.", "The amount is new."),
        "needed": 2,
        "reasons_required": True,
        "created_at": NOW,
        "due_at": NOW + 100,
        "expires_at": NOW + 200,
        "escalate_to": "lead",
        "votes": (Vote(PrincipalId("ben"), Verdict.APPROVE, "seen the parcel slip", NOW + 5),),
        "evidence": {"leaves": [{"pointer": "/to", "seen": "user"}]},
    }
    return Approval(**(fields | changes))


def a_brake(id_: str = "brk-1", **changes: Any) -> Brake:
    fields: dict[str, Any] = {
        "id": id_,
        "tenant": ACME,
        "target": BrakeTarget.TOOL,
        "name": "refund",
        "reason": "double refunds since noon",
        "set_by": ANNA,
        "set_at": NOW,
        "expires_at": NOW + 1000,
    }
    return Brake(**(fields | changes))


def an_event(id_: str = "evt-1", **changes: Any) -> AuditEvent:
    fields: dict[str, Any] = {
        "id": id_,
        "tenant": ACME,
        "kind": AuditKind.CALL_DECIDED,
        "at": NOW,
        "actor": "refunds",
        "subject": "acme/run-1/call-1",
        "body": {"effect": "allow", "arguments": "a" * 64, "versions": {"tiers": "1"}},
    }
    return AuditEvent(**(fields | changes))


def a_principal(**changes: Any) -> Principal:
    scope = TokenScope(RunId("run-1"), frozenset({ToolName("refund")}), NOW + 50)
    fields: dict[str, Any] = {
        "id": ANNA,
        "tenant": ACME,
        "roles": frozenset({Role.AGENT, Role.APPROVER}),
        "agent": AGENT,
        "scope": scope,
    }
    return Principal(**(fields | changes))


def an_api_key(id_: str = "key-1", **changes: Any) -> KeyRecord:
    fields: dict[str, Any] = {
        "id": id_,
        "hash": f"hash of {id_}",
        "principal": a_principal(scope=None),
        "created_at": NOW,
        "created_by": "anna",
        "expires_at": NOW + 1000,
    }
    return KeyRecord(**(fields | changes))


def a_token(id_: str = "tok-1", **changes: Any) -> TokenRecord:
    fields: dict[str, Any] = {
        "id": id_,
        "hash": f"hash of {id_}",
        "tenant": ACME,
        "run": RunId("run-1"),
        "principal": a_principal(),
        "tools": frozenset({ToolName("refund"), ToolName("lookup")}),
        "issued_at": NOW,
        "expires_at": NOW + 600,
        "renewable_until": NOW + 6000,
        "path": id_,
    }
    return TokenRecord(**(fields | changes))


def a_pin(tool: str = "refund", **changes: Any) -> Pin:
    fields: dict[str, Any] = {
        "tool": ToolName(tool),
        "surface_hash": "s" * 64,
        "surface": {"name": tool, "description": "Give money back", "input": {"type": "object"}},
        "pinned_at": NOW,
        "pinned_by": "first-use",
    }
    return Pin(**(fields | changes))
