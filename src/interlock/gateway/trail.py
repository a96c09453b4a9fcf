"""The audit events of the road. Payloads enter as commitments under the record's salt, never in the clear."""

from collections.abc import Sequence

from interlock.domain.approvals import Approval, Vote
from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.brakes import Brake
from interlock.domain.calls import CallRecord, ToolResult
from interlock.domain.canonical import Json, JsonObject, canonical_json, commitment
from interlock.domain.decisions import Decision
from interlock.domain.ids import TenantId, new_id
from interlock.domain.provenance import Provenance
from interlock.domain.runs import Run


def event(tenant: TenantId, kind: AuditKind, at: int, actor: str, subject: str, body: JsonObject) -> AuditEvent:
    """Return a new event with an id of its own."""
    return AuditEvent(new_id("evt"), tenant, kind, at, actor, subject, body)


def decided(
    record: CallRecord, decision: Decision, provenance: Provenance | None, now: int, known: CallRecord | None = None
) -> AuditEvent:
    """Return the event of a decision: effect, rules, versions, and commitments to arguments and reasons.

    `known` is what stood in the journal before: a call is decided again whenever it is asked for while it waits.
    """
    call = record.call
    body: dict[str, Json] = {
        "agent": call.agent,
        "arguments": _sealed(record, "arguments", call.arguments),
        "attempt": record.attempt,
        "before": known.status.value if known is not None else None,
        "contract": record.contract_hash,
        "decision": _sealed(record, "decision", record.decision),
        "effect": decision.effect.value,
        "obligations": [f"{one.duty.value}:{one.rule}" for one in decision.obligations],
        "provenance": provenance.verdict.value if provenance is not None else None,
        "rules": [[one.rule, one.effect.value, one.code] for one in decision.findings],
        "status": record.status.value,
        "tool": call.tool,
        "user": _sealed(record, "user", call.user) if call.user else None,
        "versions": dict(decision.versions),
    }
    # By which everything that decided can be found again, and whether it was close; left out where there is nothing to say.
    body |= {name: record.extras[name] for name in ("near", "release") if name in record.extras}
    return event(call.key.tenant, AuditKind.CALL_DECIDED, now, call.principal, str(call.key), body)


def settled(
    record: CallRecord, now: int, actor: str = "gateway", kind: AuditKind = AuditKind.CALL_SETTLED, note: str = ""
) -> AuditEvent:
    """Return the event of an outcome."""
    body: dict[str, Json] = {
        "attempt": record.attempt,
        "failure": record.failure.code if record.failure else None,
        "result": _sealed(record, "result", result_json(record.result)) if record.result else None,
        "status": record.status.value,
        "tool": record.call.tool,
    }
    if note:
        body["note"] = _sealed(record, "note", note)
    return event(record.call.key.tenant, kind, now, actor, str(record.call.key), body)


def approval_requested(approval: Approval, record: CallRecord, now: int) -> AuditEvent:
    """Return the event of a question to people, with everything it is bound to."""
    bound = approval.binding
    body = {
        "arguments": _sealed(record, "arguments", record.call.arguments),
        "call": str(bound.key),
        "contract": bound.contract_hash,
        "expires_at": approval.expires_at,
        "needed": approval.needed,
        "nonce": bound.nonce,
        "policy": bound.policy_version,
        "tool": bound.tool,
    }
    return event(bound.key.tenant, AuditKind.APPROVAL_REQUESTED, now, approval.requested_by, str(approval.id), body)


def approval_voted(approval: Approval, vote: Vote, record: CallRecord) -> AuditEvent:
    """Return the event of one person's answer."""
    body = {
        "call": str(approval.binding.key),
        "reason": _sealed(record, "reason", vote.reason),
        "state": approval.state.value,
        "verdict": vote.verdict.value,
    }
    return event(approval.binding.key.tenant, AuditKind.APPROVAL_VOTED, vote.at, vote.by, str(approval.id), body)


def approval_closed(approval: Approval, now: int) -> AuditEvent:
    """Return the event of an approval's end: used, expired, void."""
    body = {"call": str(approval.binding.key), "state": approval.state.value}
    return event(approval.binding.key.tenant, AuditKind.APPROVAL_CLOSED, now, "gateway", str(approval.id), body)


def approval_escalated(approval: Approval, now: int) -> AuditEvent:
    """Return the event of an SLA clock that ran out."""
    body = {"call": str(approval.binding.key), "due_at": approval.due_at, "to": approval.escalate_to}
    return event(approval.binding.key.tenant, AuditKind.APPROVAL_ESCALATED, now, "gateway", str(approval.id), body)


def run_opened(run: Run, token: str, texts: Sequence[tuple[str, str]] = ()) -> AuditEvent:
    """Return the event of a run that begins. What its opener says of it, `texts` included, enters as commitments."""
    body = {
        "deadline": run.deadline,
        "labels": _committed(run, "labels", dict(run.labels)) if run.labels else None,
        "texts": [[kind, _committed(run, kind, text)] for kind, text in texts],
        "token": token,
        "trace": run.trace,
        "user": _committed(run, "user", run.user) if run.user else None,
    }
    return run_event(AuditKind.RUN_OPENED, run, run.opened_at, run.principal, body)


def instructed(run: Run, seq: int, text: str, now: int, actor: str) -> AuditEvent:
    """Return the event of what the user said next; `seq` is its place in what the run saw."""
    body = {"seq": seq, "text": _committed(run, "user", text) if run.salt else None}
    return run_event(AuditKind.INSTRUCTION_ADDED, run, now, actor, body)


def run_event(kind: AuditKind, run: Run, now: int, actor: str, body: JsonObject) -> AuditEvent:
    """Return an event about a run."""
    return event(run.tenant, kind, now, actor, str(run.id), {"agent": run.agent, **body})


def brake_event(kind: AuditKind, brake: Brake, now: int, actor: str) -> AuditEvent:
    """Return the event of a brake put on or lifted. Its reason enters as a commitment: it may name people."""
    body = {
        "expires_at": brake.expires_at,
        "name": brake.name,
        "reason": _bound(brake.salt, "reason", brake.reason) if brake.salt else None,
        "target": brake.target.value,
    }
    return event(brake.tenant, kind, now, actor, brake.id, body)


def result_json(result: ToolResult) -> Json:
    """Return what the event of an outcome commits to."""
    return {"content": result.content, "is_error": result.is_error, "redacted": result.redacted}


def _committed(run: Run, field: str, value: Json) -> str:
    return _bound(run.salt, field, value)


def _sealed(record: CallRecord, field: str, value: Json) -> str:
    return _bound(record.salt, field, value)


def _bound(salt: bytes, field: str, value: Json) -> str:
    return commitment(salt, field.encode() + b"\x00" + canonical_json(value))
