"""Spans as an export request of OTLP in JSON; needs nothing that is not in the base install."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from interlock.domain.spans import Category, Span, SpanKind, SpanStatus, Value

KINDS: Mapping[SpanKind, int] = {
    SpanKind.INTERNAL: 1,
    SpanKind.SERVER: 2,
    SpanKind.CLIENT: 3,
    SpanKind.PRODUCER: 4,
    SpanKind.CONSUMER: 5,
}
STATUSES: Mapping[SpanStatus, int] = {SpanStatus.UNSET: 0, SpanStatus.OK: 1, SpanStatus.ERROR: 2}
_OPENINFERENCE: Mapping[Category, str] = {
    Category.AGENT: "AGENT",
    Category.MODEL: "LLM",
    Category.ATTEMPT: "CHAIN",
    Category.TOOL: "TOOL",
    Category.RETRIEVAL: "RETRIEVER",
    Category.EMBEDDING: "EMBEDDING",
    Category.DECISION: "GUARDRAIL",
    Category.APPROVAL: "CHAIN",
    Category.EVALUATION: "EVALUATOR",
}
"""What receivers that sort spans by OpenInference's kinds take them for."""
Resource = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Group:
    """Spans of one resource and one instrumentation."""

    resource: Resource
    scope: str
    spans: tuple[Span, ...]


class Encoding(Protocol):
    """How an export request is written."""

    @property
    def content_type(self) -> str:
        """What the request declares."""

    def request(self, groups: Sequence[Group]) -> bytes:
        """Return the body of the request."""

    def rejected(self, answer: bytes) -> tuple[int, str]:
        """Return how many spans the receiver did not take, and what it says; (0, "") where it took all, or says nothing."""


class JsonEncoding(Encoding):
    """`application/json`: ids in hexadecimal, 64-bit integers as text, enumerations as numbers."""

    @property
    def content_type(self) -> str:
        return "application/json"

    def request(self, groups: Sequence[Group]) -> bytes:
        return orjson.dumps({"resourceSpans": [_resource_spans(group) for group in groups]})

    def rejected(self, answer: bytes) -> tuple[int, str]:
        try:
            said = orjson.loads(answer or b"{}").get("partialSuccess") or {}
            return int(said.get("rejectedSpans") or 0), str(said.get("errorMessage") or "")
        except (orjson.JSONDecodeError, AttributeError, ValueError, TypeError):
            return 0, ""


def grouped(spans: Iterable[Span], resource: Resource) -> tuple[Group, ...]:
    """Return the spans by resource and instrumentation; those of our own have `resource`."""
    groups: dict[tuple[Any, ...], tuple[Resource, str, list[Span]]] = {}
    for span in spans:
        made_on = span.resource or resource
        key = (tuple(sorted(made_on.items())), span.scope)
        groups.setdefault(key, (made_on, span.scope, []))[2].append(span)
    return tuple(Group(made_on, scope, tuple(found)) for made_on, scope, found in groups.values())


def attributes_of(span: Span) -> Mapping[str, Value]:
    """Return the attributes of a span as they are sent: with its kind in OpenInference's words, where it has none."""
    kind = _OPENINFERENCE.get(span.category)
    return span.attributes if kind is None else {"openinference.span.kind": kind, **span.attributes}


def _resource_spans(group: Group) -> dict[str, Any]:
    return {
        "resource": {"attributes": _attributes(group.resource)},
        "scopeSpans": [{"scope": {"name": group.scope}, "spans": [_span(span) for span in group.spans]}],
    }


def _span(span: Span) -> dict[str, Any]:
    written: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(attributes_of(span)),
        "status": {"code": STATUSES[span.status]} | ({"message": span.message} if span.message else {}),
    }
    if span.parent_id is not None:
        written["parentSpanId"] = span.parent_id
    if span.events:
        written["events"] = [
            {"name": one.name, "timeUnixNano": str(one.at_ns), "attributes": _attributes(one.attributes)}
            for one in span.events
        ]
    if span.links:
        written["links"] = [
            {"traceId": one.trace_id, "spanId": one.span_id, "attributes": _attributes(one.attributes)}
            for one in span.links
        ]
    return written


def _attributes(attributes: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [_value(one) for one in value]}}
