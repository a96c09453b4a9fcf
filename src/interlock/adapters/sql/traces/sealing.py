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
    """Return the rows of `spans`, for the trace that is numbered `number` and whose spans `rows` are."""
    place, sealed = details_place(rows[0].trace, b""), seal.seal
    return [(number, *row[1:-2], sealed(tenant, place + row[1].hex(), row[-2])) for row in rows]


def sealed_bodies(seal: Seal, tenant: TenantId, number: int, rows: Sequence[SpanRow]) -> dict[tuple[int, bytes], bytes]:
    """Return the rows of `bodies` by number of the trace and hash."""
    place, sealed = body_place(rows[0].trace, b""), seal.seal
    found = {hash: text for row in rows for _, hash, text in row[-1]}
    return {(number, hash): sealed(tenant, place + hash.hex(), text) for hash, text in found.items()}
