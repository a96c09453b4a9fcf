"""Both encodings of a request say the same, and what is no request is refused in words."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from interlock.adapters.otlp.decoding import Protobuf
from interlock.adapters.otlp.decoding_json import Json
from interlock.adapters.otlp.limits import MOST_ATTRIBUTES, MOST_EVENTS, MOST_GROUPS, TOGETHER
from interlock.domain.errors import BadInput, TooLarge
from interlock.traces.told import Attributes, Decoder, ToldSpan

TOLD = Path(__file__).parents[2] / "traces" / "told"
IDS = {"traceId", "spanId", "parentSpanId"}


def _protobuf(said: Any) -> bytes:
    """The request that OTLP's JSON says, in protobuf: protobuf's own JSON writes ids in base64."""

    def ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: base64.b64encode(bytes.fromhex(inner)).decode() if name in IDS else ids(inner)
                for name, inner in value.items()
            }
        return [ids(inner) for inner in value] if isinstance(value, list) else value

    whole: bytes = ParseDict(ids(said), ExportTraceServiceRequest()).SerializeToString()
    return whole


def _spans(decoder: Decoder, body: bytes) -> list[ToldSpan]:
    return [span for batch in decoder.batches(body) for span in batch.spans]


def _request(**span: Any) -> dict[str, Any]:
    one = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "n", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [one | span]}]}]}


def _attributes(value: dict[str, Any]) -> Attributes:
    request = _request(attributes=[{"key": "a", "value": value}])
    (one,) = _spans(Json(), orjson.dumps(request))
    (other,) = _spans(Protobuf(), _protobuf(request))
    assert one == other
    return one.attributes


@pytest.mark.parametrize("path", sorted(TOLD.glob("*.json")), ids=lambda path: path.stem)
def test_protobuf_and_json_tell_the_same(path: Path) -> None:
    said = orjson.loads(path.read_bytes())
    assert list(Json().batches(path.read_bytes())) == list(Protobuf().batches(_protobuf(said)))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"stringValue": "x"}, "x"),
        ({"stringValue": ""}, ""),
        ({"intValue": "9223372036854775807"}, (1 << 63) - 1),
        ({"intValue": "-5"}, -5),
        ({"intValue": 0}, 0),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.5}, 0.5),
        ({"doubleValue": 0.0}, 0.0),
        ({"doubleValue": "NaN"}, "nan"),
        ({"doubleValue": "-Infinity"}, "-inf"),
        ({"bytesValue": "aGk="}, "aGk="),
        ({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}, ["a", 1]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}, '{"k":true}'),
        ({"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}}, "[{}]"),
    ],
)
def test_every_kind_of_value_is_told_alike(value: dict[str, Any], told: object) -> None:
    assert _attributes(value) == {"a": told}


def test_an_attribute_without_a_value_is_left_out() -> None:
    assert _attributes({}) == {}


def test_kinds_and_states_may_come_by_name_or_by_number() -> None:
    named = _request(kind="SPAN_KIND_CLIENT", status={"code": "STATUS_CODE_ERROR"})
    numbered = _request(kind=3, status={"code": 2})
    assert _spans(Json(), orjson.dumps(named)) == _spans(Json(), orjson.dumps(numbered))


def test_what_is_too_much_of_a_span_is_left_out_and_counted() -> None:
    attributes = [{"key": f"a{number}", "value": {"intValue": "1"}} for number in range(MOST_ATTRIBUTES + 3)]
    events = [{"name": "e", "timeUnixNano": "1"}] * (MOST_EVENTS + 2)
    request = _request(attributes=attributes, events=events, droppedLinksCount=4)
    (one,) = _spans(Json(), orjson.dumps(request))
    (other,) = _spans(Protobuf(), _protobuf(request))
    assert one == other
    assert (len(one.attributes), len(one.events), one.dropped) == (MOST_ATTRIBUTES, MOST_EVENTS, 3 + 2 + 4)


def test_spans_come_a_few_at_a_time() -> None:
    one = _request()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [one] * (TOGETHER * 2 + 1)}]}]}
    assert [len(batch.spans) for batch in Json().batches(orjson.dumps(body))] == [TOGETHER, TOGETHER, 1]
    assert [len(batch.spans) for batch in Protobuf().batches(_protobuf(body))] == [TOGETHER, TOGETHER, 1]


def test_an_id_that_is_no_id_spoils_its_span_only() -> None:
    (span,) = _spans(Json(), orjson.dumps(_request(traceId="not hexadecimal")))
    assert len(span.trace) != 16


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 1}]}]}]}',
        orjson.dumps(_request(startTimeUnixNano="tomorrow")),
        orjson.dumps(_request(startTimeUnixNano="9" * 30)),
        orjson.dumps(_request(kind="SPAN_KIND_UNHEARD_OF")),
        orjson.dumps(_request(attributes=[{"key": "a", "value": {"stringValue": 1}}])),
        orjson.dumps(_request(attributes=[{"key": "a", "value": {"bytesValue": "?"}}])),
        orjson.dumps(_request(attributes=[{"key": "a", "value": {"doubleValue": True}}])),
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_in_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        list(Json().batches(body))
    assert refused.value.do


def test_what_is_no_request_in_protobuf_is_refused() -> None:
    with pytest.raises(BadInput):
        list(Protobuf().batches(b"\xff\xff no request"))


def test_values_in_values_end_somewhere() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(40):
        value = {"arrayValue": {"values": [value]}}
    assert "deep" not in str(_attributes(value))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "traceId", "kind", "events"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(_json)
def test_no_json_at_all_does_anything_but_tell_spans_or_refuse(said: Any) -> None:
    try:
        body = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [said]}], "resource": said}]})
    except TypeError:
        return
    try:
        found = _spans(Json(), body)
    except BadInput:
        return
    assert all(
        not isinstance(value, float) or math.isfinite(value) for span in found for value in span.attributes.values()
    )


@pytest.mark.parametrize("number", ["-9223372036854775809", "18446744073709551616", "-18446744073709551615"])
def test_a_whole_number_of_more_than_64_bits_is_refused(number: str) -> None:
    request = _request(attributes=[{"key": "a", "value": {"intValue": number}}])
    with pytest.raises(BadInput):
        _spans(Json(), orjson.dumps(request))


def test_what_a_sender_says_it_dropped_is_bounded() -> None:
    most = (1 << 64) - 1
    request = _request(droppedAttributesCount=most, droppedEventsCount=most, droppedLinksCount=-5)
    (span,) = _spans(Json(), orjson.dumps(request))
    assert span.dropped == 2 * ((1 << 32) - 1)


@pytest.mark.parametrize("level", ["resourceSpans", "scopeSpans"])
def test_empty_groups_beyond_their_limit_are_refused_before_time_is_spent_on_them(level: str) -> None:
    many: list[dict[str, Any]] = [{}] * (MOST_GROUPS + 1)
    request = {"resourceSpans": many} if level == "resourceSpans" else {"resourceSpans": [{"scopeSpans": many}]}
    for decoder, body in ((Json(), orjson.dumps(request)), (Protobuf(), _protobuf(request))):
        with pytest.raises(TooLarge, match="resources and scopes"):
            _spans(decoder, body)
