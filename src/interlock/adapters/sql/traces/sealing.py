"""What spans say, made unreadable at rest: `details` and bodies, each bound to its trace and its own key."""

from collections.abc import Sequence
from typing import Any

from interlock.domain.ids import TenantId
from interlock.traces.ports import Seal, SpanRow


def details_place(trace: bytes, span: bytes) -> str:
    """Return where the details of a span stand, as their seal names it."""
    return f"spans.details/{trace.hex()}/{span.hex()}"


def body_place(trace: bytes, hash: bytes) -> str:
    """Return where a body stands, as its seal names it."""
    return f"bodies.body/{trace.hex()}/{hash.hex()}"


def sealed_spans(seal: Seal, tenant: TenantId, number: int, rows: Sequence[SpanRow]) -> list[tuple[Any, ...]]:
    """Return the rows of `spans`, for the trace that is numbered `number`."""
    return [(number, *row[1:-2], seal.seal(tenant, details_place(row.trace, row.span), row.details)) for row in rows]


def sealed_bodies(seal: Seal, tenant: TenantId, number: int, rows: Sequence[SpanRow]) -> dict[tuple[int, bytes], bytes]:
    """Return the rows of `bodies` by number of the trace and hash."""
    found = {hash: (row.trace, text) for row in rows for _, hash, text in row.bodies}
    return {(number, hash): seal.seal(tenant, body_place(trace, hash), text) for hash, (trace, text) in found.items()}
