"""Export requests of spans in protobuf, as OTLP's own definitions have it. Needs the extra `otlp`."""

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from interlock.adapters.otlp.limits import DEEPEST, MOST_ATTRIBUTES, MOST_EVENTS, TOGETHER, check_groups
from interlock.domain.errors import BadInput
from interlock.traces.told import Attributes, Decoder, Told, ToldBatch, ToldEvent, ToldLink, ToldSpan


class Protobuf(Decoder):
    """`application/x-protobuf`."""

    def batches(self, body: bytes) -> Iterator[ToldBatch]:
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            raise BadInput(
                "The body is not an export request of spans in protobuf",
                do="Send what an OTLP/HTTP exporter sends to /v1/traces",
            ) from None
        groups = len(request.resource_spans)
        check_groups(groups)
        for group in request.resource_spans:
            groups += len(group.scope_spans)
            check_groups(groups)
            resource, _ = _attributes(group.resource.attributes)
            for part in group.scope_spans:
                scope, spans = part.scope.name, part.spans
                for start in range(0, len(spans), TOGETHER):
                    yield ToldBatch(resource, scope, [_span(one) for one in spans[start : start + TOGETHER]])


def _span(one: Any) -> ToldSpan:  # noqa: ANN401 - a message of a library without types
    attributes, dropped = _attributes(one.attributes)
    events: list[ToldEvent] = []
    links: list[ToldLink] = []
    for event in one.events[:MOST_EVENTS]:
        more, less = _attributes(event.attributes)
        dropped += less
        events.append(ToldEvent(event.name, event.time_unix_nano, more))
    for link in one.links[:MOST_EVENTS]:
        more, less = _attributes(link.attributes)
        dropped += less
        links.append(ToldLink(link.trace_id, link.span_id, more))
    dropped += len(one.events) - len(events) + len(one.links) - len(links)
    dropped += one.dropped_attributes_count + one.dropped_events_count + one.dropped_links_count
    status = one.status
    return ToldSpan(
        one.trace_id,
        one.span_id,
        one.parent_span_id,
        one.name,
        one.kind,
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        status.code,
        status.message,
        attributes,
        events,
        links,
        dropped,
    )


def _attributes(found: Sequence[Any]) -> tuple[Attributes, int]:
    """Return attributes by name, and how many were too many."""
    dropped = max(len(found) - MOST_ATTRIBUTES, 0)
    attributes: Attributes = {}
    for one in found[:MOST_ATTRIBUTES] if dropped else found:
        value = one.value
        # Most are texts, and a text that is not empty can be nothing else: to ask which it is takes longer.
        text = value.string_value
        if text:
            attributes[one.key] = text
            continue
        number = value.int_value
        if number:
            attributes[one.key] = number
            continue
        which = value.WhichOneof("value")
        if which is not None:
            attributes[one.key] = _other(value, which)
    return attributes, dropped


def _other(value: Any, which: str) -> Told:  # noqa: ANN401 - see above
    if which == "string_value":
        return ""
    if which == "int_value":
        return 0
    if which == "bool_value":
        return bool(value.bool_value)
    if which == "double_value":
        number: float = value.double_value
        return number if math.isfinite(number) else str(number)
    if which == "array_value":
        found = [_plain(one, DEEPEST - 1) for one in value.array_value.values]
        if all(one.__class__ in (str, int, float, bool) for one in found):
            return found
        return orjson.dumps(found).decode()
    plain = _plain(value, DEEPEST)
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _plain(value: Any, deeper: int) -> Any:  # noqa: ANN401 - a value of JSON
    which = value.WhichOneof("value")
    if which is None or not deeper:
        return None
    if which == "array_value":
        return [_plain(one, deeper - 1) for one in value.array_value.values]
    if which == "kvlist_value":
        return {one.key: _plain(one.value, deeper - 1) for one in value.kvlist_value.values}
    if which == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    plain = getattr(value, which)
    return str(plain) if which == "double_value" and not math.isfinite(plain) else plain
