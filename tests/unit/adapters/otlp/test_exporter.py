"""Spans reach a receiver whole, in either encoding, and a receiver's faults are told apart."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from interlock.adapters.otlp.decoding import Protobuf
from interlock.adapters.otlp.decoding_json import Json
from interlock.adapters.otlp.encoding import Encoding, Group, JsonEncoding, grouped
from interlock.adapters.otlp.encoding_protobuf import ProtobufEncoding
from interlock.adapters.otlp.exporter import OtlpReceiver
from interlock.domain.spans import Category, Span, SpanEvent, SpanKind, SpanLink, SpanStatus
from interlock.gateway.exporting import ReceiverAway
from tests.kits.receivers import SpanReceiver, Told, a_receiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
RESOURCE = {"service.name": "interlock"}


class OneSecret:
    async def resolve(self, reference: str) -> str:
        return f"value of {reference}"


def a_span(number: int = 1, **changes: object) -> Span:
    fields: dict[str, object] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": "00f067aa0ba902b7",
        "name": "execute_tool refund \u2028 \U0001f600",
        "category": Category.TOOL,
        "start_ns": 1_800_000_000_000_000_001,
        "end_ns": 1_800_000_000_000_000_009,
        "status": SpanStatus.ERROR,
        "attributes": {
            "text": "naïve",
            "number": 2**53 + 1,
            "real": 0.5,
            "yes": True,
            "no": False,
            "none of them": (),
            "several": ("a", "b"),
            "mixed": (1, 2.5, True, "x"),
        },
        "kind": SpanKind.CLIENT,
        "message": "it broke",
        "events": (SpanEvent("gen_ai.evaluation.result", 1_800_000_000_000_000_005, {"score": 1.0}),),
        "links": (SpanLink("a" * 32, "b" * 16, {"why": "proposal"}),),
    }
    return Span(**(fields | changes))  # type: ignore[arg-type]


def receiving(receiver: SpanReceiver, encoding: Encoding | None = None, **more: str) -> OtlpReceiver:
    return OtlpReceiver(receiver.url, encoding or ProtobufEncoding(), RESOURCE, OneSecret(), **more)


def test_both_encodings_say_the_same() -> None:
    groups = grouped([a_span(), a_span(2, parent_id=None, events=(), links=(), message="")], RESOURCE)

    in_json = list(Json().batches(JsonEncoding().request(groups)))
    in_protobuf = list(Protobuf().batches(ProtobufEncoding().request(groups)))

    assert in_json == in_protobuf
    ((resource, scope, (span, root)),) = in_json
    assert (resource, scope) == (RESOURCE, "interlock")
    assert (span.trace.hex(), span.span.hex(), span.parent.hex()) == (TRACE, f"{1:016x}", "00f067aa0ba902b7")
    assert (span.kind, span.status, span.message, root.parent) == (3, 2, "it broke", b"")
    assert span.attributes == {
        "openinference.span.kind": "TOOL",
        **{name: list(value) if isinstance(value, tuple) else value for name, value in a_span().attributes.items()},
    }
    assert (span.start_ns, span.events[0].at_ns) == (1_800_000_000_000_000_001, 1_800_000_000_000_000_005)


def test_spans_are_grouped_by_what_made_them() -> None:
    foreign = a_span(2, resource={"service.name": "shop"}, scope="theirs")

    groups = grouped([a_span(1), foreign, a_span(3)], RESOURCE)

    assert [(group.resource["service.name"], group.scope, len(group.spans)) for group in groups] == [
        ("interlock", "interlock", 2),
        ("shop", "theirs", 1),
    ]
    assert isinstance(groups[0], Group)


@pytest.mark.parametrize("encoding", [JsonEncoding(), ProtobufEncoding()], ids=["json", "protobuf"])
async def test_spans_arrive_compressed_with_the_credential(encoding: Encoding) -> None:
    async with a_receiver() as receiver:
        sender = receiving(receiver, encoding, credential="env:KEY")
        await sender.send([a_span(1), a_span(2)])
        await sender.close()

    assert [span.span for span in receiver.spans] == [bytes.fromhex(f"{one:016x}") for one in (1, 2)]
    (headers,) = receiver.headers
    assert headers["authorization"] == "Bearer value of env:KEY"
    assert headers["content-type"] == encoding.content_type
    assert headers["content-encoding"] == "gzip"


async def test_another_header_carries_the_credential_as_it_is() -> None:
    async with a_receiver() as receiver:
        sender = receiving(receiver, credential="env:KEY", header="x-api-key")
        await sender.send([a_span()])
        await sender.close()

    assert receiver.headers[0]["x-api-key"] == "value of env:KEY"
    assert "authorization" not in receiver.headers[0]


@pytest.mark.parametrize("status", [429, 502, 503, 504, 500, 401, 403, 404, 302])
async def test_a_receiver_that_may_take_them_later_is_away(status: int) -> None:
    async with a_receiver(Told(status, headers=(("Retry-After", "7"), ("Location", "/elsewhere")))) as receiver:
        sender = receiving(receiver)
        with pytest.raises(ReceiverAway) as away:
            await sender.send([a_span()])
        await sender.close()

    assert away.value.after_s == 7
    assert receiver.requests == 1


async def test_a_date_says_when_to_come_again_and_nobody_waits_for_ever() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    answers = [Told(503, headers=(("Retry-After", said),)) for said in (soon, "999999999", "whenever")]
    async with a_receiver(*answers) as receiver:
        sender = receiving(receiver)
        waits = []
        for _ in answers:
            with pytest.raises(ReceiverAway) as away:
                await sender.send([a_span()])
            waits.append(away.value.after_s)
        await sender.close()

    assert waits[0] is not None
    assert 25 < waits[0] <= 30
    assert waits[1:] == [600, None]


async def test_a_receiver_that_is_not_there_is_away_and_the_words_hold_no_address() -> None:
    async with a_receiver() as receiver:
        gone = receiver.url
    sender = OtlpReceiver(gone + "?key=secret", JsonEncoding(), RESOURCE, OneSecret())
    with pytest.raises(ReceiverAway) as away:
        await sender.send([a_span()])
    await sender.close()

    assert "secret" not in str(away.value)
    assert "127.0.0.1" not in str(away.value)


async def test_what_is_refused_for_good_is_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async with a_receiver(Told(400)) as receiver:
        sender = receiving(receiver)
        await sender.send([a_span()])
        await sender.close()

    assert receiver.spans == []
    assert "1 of them for good (HTTP 400)" in caplog.text


async def test_what_is_too_much_at_once_is_sent_in_parts(caplog: pytest.LogCaptureFixture) -> None:
    async with a_receiver(Told(413), Told(200), Told(413), Told(200), Told(413)) as receiver:
        sender = receiving(receiver)
        await sender.send([a_span(number) for number in range(1, 5)])
        await sender.close()

    assert [span.span[-1] for span in receiver.spans] == [1, 2, 3]
    assert "1 of them for good (HTTP 413)" in caplog.text


@pytest.mark.parametrize("encoding", [JsonEncoding(), ProtobufEncoding()], ids=["json", "protobuf"])
async def test_a_partial_success_is_told(encoding: Encoding, caplog: pytest.LogCaptureFixture) -> None:
    said = ExportTraceServiceResponse()
    said.partial_success.rejected_spans = 2
    said.partial_success.error_message = "too old"
    in_json = b'{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}'
    body = in_json if isinstance(encoding, JsonEncoding) else said.SerializeToString()
    async with a_receiver(Told(200, body)) as receiver:
        sender = receiving(receiver, encoding)
        with caplog.at_level(logging.WARNING):
            await sender.send([a_span()])
        await sender.close()

    assert "rejected 2 of them: too old" in caplog.text


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b"<html>", b"[]", b'{"partialSuccess": null}', b'{"partialSuccess": 7}']
)
@pytest.mark.parametrize("encoding", [JsonEncoding(), ProtobufEncoding()], ids=["json", "protobuf"])
def test_an_answer_that_says_nothing_is_a_success(encoding: Encoding, answer: bytes) -> None:
    assert encoding.rejected(answer) == (0, "")
