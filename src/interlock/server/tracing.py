"""Where a request stands in its caller's trace. What cannot be read is left out: nothing fails for the sake of a trace."""

from collections.abc import Mapping

from interlock.domain.canonical import Json
from interlock.domain.trace_context import TraceContext, trace_context

TRACEPARENT, TRACESTATE = b"traceparent", b"tracestate"


def trace_in(headers: Mapping[bytes, bytes]) -> TraceContext | None:
    """Return what the headers of an HTTP request say, or None."""
    said = headers.get(TRACEPARENT)
    return None if said is None else trace_context(said, headers.get(TRACESTATE, b""))


def trace_in_meta(meta: Json) -> TraceContext | None:
    """Return what `_meta` of an MCP request says, or None."""
    said = meta.get("traceparent") if isinstance(meta, dict) else None
    if not isinstance(said, str):
        return None
    state = meta.get("tracestate", "")
    return trace_context(_bytes(said), _bytes(state))


def _bytes(text: Json) -> bytes:
    return text.encode("utf-8", "replace") if isinstance(text, str) else b""
