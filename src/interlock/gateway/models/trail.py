"""The audit event of a model call: which model, under which versions, at what cost; words only as commitments."""

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.canonical import commitment
from interlock.domain.ids import new_id
from interlock.domain.models import ModelCallRecord
from interlock.gateway.models.walk import Walk


def model_called(record: ModelCallRecord, walk: Walk) -> AuditEvent:
    """Return the event of a call that has ended, however it did."""
    call, usage = record.call, record.usage
    body = {
        "agent": call.agent,
        "asked": call.model,
        "attempts": [[one.provider, one.model, one.outcome, one.cost_nano_usd] for one in record.attempts],
        "cache": record.cache,
        "cost_nano_usd": record.cost_nano_usd,
        "failure": record.failure.code if record.failure is not None else None,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        # A hash of few arguments can be guessed at; under the salt it says nothing once that is erased.
        "proposals": [[one.id, one.tool, sealed_proposal(record.salt, one.arguments_hash)] for one in record.proposals],
        "reply": walk.replied,
        "request": walk.asked,
        "router": record.route.get("router"),
        "run": call.run,
        "status": record.status.value,
        "step": call.step,
        "versions": {"agent": walk.agent.version, "prices": record.prices},
    }
    subject = f"{call.tenant}/{call.run}/{call.id}" if call.run is not None else f"{call.tenant}/{call.id}"
    return AuditEvent(
        new_id("evt"), call.tenant, AuditKind.MODEL_CALLED, record.started_at, call.principal, subject, body
    )


def sealed_proposal(salt: bytes, arguments_hash: str) -> str:
    """Return the commitment to the arguments of a proposal."""
    return commitment(salt, b"proposal\x00" + arguments_hash.encode())
