"""What comes to the gate and what it answers, free of any wire format."""

from dataclasses import dataclass, field

from interlock.domain.calls import CallKey, CallRecord, CallStatus, Failure, ToolResult
from interlock.domain.canonical import JsonObject
from interlock.domain.identity import Principal
from interlock.domain.ids import ApprovalId, CallId, RunId, ToolName
from interlock.domain.trace_context import TraceContext


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A proposed call as a surface understood it."""

    principal: Principal
    run: RunId
    tool: ToolName
    arguments: JsonObject
    call: CallId | None = None
    """None when the caller cannot keep an id: a call that waits for approval is then recognised by its arguments."""
    reason: str = ""
    proposal: str | None = None
    constraints: JsonObject = field(default_factory=dict)
    """Travelling constraints as they came, such as `max_amount_usd`."""
    requires_approval: bool = False
    dry_run: bool = False
    trace: TraceContext | None = None
    """The caller's span, where the caller is traced."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """What became of the call, as far as the caller may know."""

    key: CallKey
    status: CallStatus
    decision: JsonObject
    result: ToolResult | None
    failure: Failure | None
    approval: ApprovalId | None


def answer_of(record: CallRecord) -> CallAnswer:
    """Return what the caller is told of `record`."""
    return CallAnswer(record.call.key, record.status, record.decision, record.result, record.failure, record.approval)
