"""Where a request stands in a trace that others began: the `traceparent` and `tracestate` of W3C Trace Context."""

import hashlib
import re
from dataclasses import dataclass

from interlock.domain.ids import ApprovalId, CallId, ModelCallId, RunId, TenantId

_LIMIT = 512
"""The longest `tracestate` that is sent on, in bytes; the standard asks for no more."""
_MOST_MEMBERS = 32
_KNOWN_FLAGS = 0b11
"""Sampled, and random trace id. Others are not passed on: nobody knows what they promise."""
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_MEMBER = re.compile(
    rb"([a-z0-9][a-z0-9_*/@-]{0,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_SPAN = re.compile(r"[0-9a-f]{16}")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span of a caller, under which what it asks for belongs."""

    trace: str
    """32 lower-case hexadecimal digits."""
    span: str
    """Of the caller; 16 such digits."""
    flags: int = 0
    state: str = ""
    """What other tracing systems noted, to be passed on unread."""

    def below(self, span: str) -> str:
        """Return the `traceparent` for what `span`, a span of ours in the same trace, asks of others."""
        return f"00-{self.trace}-{span}-{self.flags:02x}"


def trace_context(traceparent: bytes, tracestate: bytes = b"") -> TraceContext | None:
    """Return what the headers say, or None when `traceparent` is not one; a `tracestate` that is none is left out.

    Several headers of a name come joined by commas: of `traceparent` that is none, of `tracestate` it is one.
    """
    found = _PARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    # Later versions may say more behind a dash; the first says exactly this.
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    trace_id, span_id = trace.decode(), span.decode()
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & _KNOWN_FLAGS, _state(tracestate))


def _state(raw: bytes) -> str:
    if not raw or len(raw) > _LIMIT:
        return ""
    members = [member for part in raw.split(b",") if (member := part.strip(b" \t"))]
    keys = {found[1] for member in members if (found := _MEMBER.fullmatch(member)) is not None}
    # Each member is well-formed, and none stands twice.
    if len(keys) != len(members) or len(members) > _MOST_MEMBERS:
        return ""
    return b",".join(members).decode("ascii")


def span_of_call(call: ModelCallId) -> str:
    """Return the id of the span of `call`: the last eight random bytes of an id made here, a hash of any other."""
    last = call[-16:]
    return last if _SPAN.fullmatch(last) is not None and last != _NO_SPAN else _hashed("call", call)[:16]


def span_of_attempt(call: ModelCallId, number: int) -> str:
    """Return the id of the span of attempt `number` of `call`, counted from 1."""
    return _hashed("attempt", call, str(number))[:16]


def span_of_run(tenant: TenantId, run: RunId) -> str:
    """Return the id of the span of a run."""
    return _hashed("run span", tenant, run)[:16]


def span_of_tool_call(tenant: TenantId, run: RunId, call: CallId) -> str:
    """Return the id of the span of a tool call."""
    return _hashed("tool", tenant, run, call)[:16]


def span_within_tool_call(tenant: TenantId, run: RunId, call: CallId, part: str) -> str:
    """Return the id of the span of a part of a tool call: `decision` or `check`."""
    return _hashed("tool", tenant, run, call, part)[:16]


def span_of_tool_attempt(tenant: TenantId, run: RunId, call: CallId, execution: int, number: int) -> str:
    """Return the id of the span of one attempt at a tool: which execution of the call, and which attempt of that, from 1."""
    return _hashed("tool", tenant, run, call, "attempt", str(execution), str(number))[:16]


def span_of_approval(approval: ApprovalId) -> str:
    """Return the id of the span of a question to people."""
    return _hashed("approval", approval)[:16]


def trace_of_run(tenant: TenantId, run: RunId) -> str:
    """Return the id of the trace of a run: one that nobody else began."""
    return _hashed("run", tenant, run)


def trace_of_call(call: ModelCallId) -> str:
    """Return the id of the trace of a call outside any run."""
    return _hashed("trace", call)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\x00".join(("interlock", *parts)).encode()).hexdigest()[:32]
