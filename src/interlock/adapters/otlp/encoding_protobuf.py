"""Spans as an export request of OTLP in protobuf. Needs the extra `otlp`."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from interlock.adapters.otlp.encoding import KINDS, STATUSES, Encoding, Group, attributes_of
from interlock.domain.spans import Span, Value


class ProtobufEncoding(Encoding):
    """`application/x-protobuf`."""

    @property
    def content_type(self) -> str:
        return "application/x-protobuf"

    def request(self, groups: Sequence[Group]) -> bytes:
        request = ExportTraceServiceRequest()
        for group in groups:
            made = request.resource_spans.add()
            _attributes(made.resource.attributes, group.resource)
            part = made.scope_spans.add()
            part.scope.name = group.scope
            for span in group.spans:
                _span(part.spans.add(), span)
        written: bytes = request.SerializeToString()
        return written

    def rejected(self, answer: bytes) -> tuple[int, str]:
        try:
            said = ExportTraceServiceResponse.FromString(answer).partial_success
        except DecodeError:
            return 0, ""
        return said.rejected_spans, said.error_message


def _span(written: Any, span: Span) -> None:  # noqa: ANN401 - a message of a library without types
    written.trace_id = bytes.fromhex(span.trace_id)
    written.span_id = bytes.fromhex(span.span_id)
    if span.parent_id is not None:
        written.parent_span_id = bytes.fromhex(span.parent_id)
    written.name = span.name
    written.kind = KINDS[span.kind]
    written.start_time_unix_nano = span.start_ns
    written.end_time_unix_nano = span.end_ns
    written.status.code = STATUSES[span.status]
    written.status.message = span.message
    _attributes(written.attributes, attributes_of(span))
    for event in span.events:
        noted = written.events.add()
        noted.name = event.name
        noted.time_unix_nano = event.at_ns
        _attributes(noted.attributes, event.attributes)
    for link in span.links:
        linked = written.links.add()
        linked.trace_id = bytes.fromhex(link.trace_id)
        linked.span_id = bytes.fromhex(link.span_id)
        _attributes(linked.attributes, link.attributes)


def _attributes(written: Any, attributes: Mapping[str, Value]) -> None:  # noqa: ANN401 - see above
    for name, value in attributes.items():
        one = written.add()
        one.key = name
        _value(one.value, value)


def _value(written: Any, value: Value) -> None:  # noqa: ANN401 - see above
    if isinstance(value, bool):
        written.bool_value = value
    elif isinstance(value, int):
        written.int_value = value
    elif isinstance(value, float):
        written.double_value = value
    elif isinstance(value, str):
        written.string_value = value
    else:
        written.array_value.SetInParent()
        for one in value:
            _value(written.array_value.values.add(), one)
