"""Scores that a span carries as events, made visible as spans of their own below it."""

import hashlib

import orjson

from interlock.domain.spans import Category, SpanKind, SpanStatus
from interlock.traces.details import Bodies, short
from interlock.traces.ports import SpanRow
from interlock.traces.told import ToldEvent, ToldSpan
from interlock.traces.understanding import column

EVENT = "gen_ai.evaluation.result"
"""OpenTelemetry's event for the result of an evaluation."""
_FAR = 1 << 62


def evaluations_of(span: ToldSpan, row: SpanRow) -> list[SpanRow]:
    """Return a row for each evaluation that the events of `span`, whose row is `row`, tell."""
    return [_row(row, number, event) for number, event in enumerate(span.events) if event.name == EVENT]


def _row(above: SpanRow, number: int, event: ToldEvent) -> SpanRow:
    named = column(event.attributes.get("gen_ai.evaluation.name", ""))
    # Its id follows from its span's, so that a span that comes twice brings no second one.
    span = hashlib.sha256(b"evaluation" + above.span + number.to_bytes(4, "big")).digest()[:8]
    bodies: Bodies = []
    at = event.at_ns if above.start_ns <= event.at_ns < _FAR else above.end_ns
    attributes = short(event.attributes, bodies)
    return above._replace(
        span=span,
        parent=above.span,
        name=f"evaluation {named}".rstrip(),
        category=Category.EVALUATION.value,
        kind=SpanKind.INTERNAL.value,
        status=SpanStatus.ERROR.value if "error.type" in attributes else SpanStatus.UNSET.value,
        start_ns=at,
        end_ns=at,
        model="",
        input_tokens=0,
        output_tokens=0,
        cost_nano_usd=0,
        details=orjson.dumps({"attributes": attributes, "scope": EVENT}),
        bodies=tuple(bodies),
    )
