"""The document that conditions and policies read: plain JSON values under a few documented names."""

from typing import Any

from interlock.domain.calls import ToolCall
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import PolicyError
from interlock.policy.facts import Facts
from interlock.policy.ports import Document


def document_of(call: ToolCall, facts: Facts) -> Document:
    """Return what rules of the phase BEFORE see. Raises PolicyError when the call's tool has no contract."""
    return Document(_values(call, facts))


def document_with_output(call: ToolCall, facts: Facts, output: JsonObject) -> Document:
    """Return what rules of the phase AFTER see: the same, and the result as `output`."""
    values = _values(call, facts)
    values["output"] = output
    return Document(values)


def output_values(content: Json, *, is_error: bool, contains_pii: bool) -> JsonObject:
    """Return the value of `output` for a result."""
    return {"content": content, "is_error": is_error, "contains_pii": contains_pii}


def _values(call: ToolCall, facts: Facts) -> dict[str, Any]:
    contract = facts.contract
    if contract is None:
        raise PolicyError("A rule was asked about a tool that has no contract")
    run = facts.run
    return {
        "input": call.arguments,
        "call": {
            "id": call.key.call,
            "tool": call.tool,
            "user": call.user or "",
            "principal": call.principal,
            "reason": call.reason,
            "dry_run": call.dry_run,
            "kind": contract.kind.value,
            "tier": int(contract.tier),
            "category": contract.category,
            "environment": contract.environment.value,
            "provenance": facts.provenance.verdict.value if facts.provenance else "",
        },
        "run": {
            "id": run.id,
            "age_ms": facts.now - run.opened_at,
            "labels": dict(run.labels),
            "refused_writes": facts.refused_writes,
        },
        "agent": {"id": facts.agent.id, "stage": facts.agent.stage.value},
    }
