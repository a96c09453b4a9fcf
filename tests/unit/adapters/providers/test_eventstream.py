"""AWS event streams come out as server-sent events, and damage is seen."""

import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapters.providers.eventstream import EventStreamAnswer, FrameReader, sse_of
from interlock.adapters.providers.local import LocalAnswer
from interlock.domain.errors import BadModelReply, ReplyCut
from tests.kits.upstream_formats import aws_event, aws_frame

STREAM = aws_event("messageStart", {"role": "assistant"}) + aws_event("messageStop", {"stopReason": "end_turn"})
AS_SSE = b'event: messageStart\ndata: {"role": "assistant"}\n\nevent: messageStop\ndata: {"stopReason": "end_turn"}\n\n'


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_chunks_may_end_anywhere(borders: list[int]) -> None:
    reader, got = FrameReader("aws"), b""
    at = [0, *sorted(borders), len(STREAM)]
    for start, end in pairwise(at):
        got += b"".join(map(sse_of, reader.feed(STREAM[start:end])))
    assert got == AS_SSE
    assert not reader.rest


def test_a_message_that_is_not_complete_is_a_rest() -> None:
    reader = FrameReader("aws")
    assert len(list(reader.feed(STREAM[:-1]))) == 1
    assert reader.rest


@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_passed_on(position: int, change: int) -> None:
    damaged = bytearray(STREAM)
    damaged[position] ^= change
    reader, got = FrameReader("aws"), b""
    with suppress(BadModelReply):
        for frame in reader.feed(bytes(damaged)):
            got += sse_of(frame)
    # What comes before the damage is sound, and what is damaged is refused or waited for.
    assert got in (b"", AS_SSE[: AS_SSE.index(b"event: messageStop")])


@pytest.mark.parametrize("position", range(8))
def test_a_length_that_is_damaged_is_not_waited_for(position: int) -> None:
    damaged = bytearray(STREAM)
    damaged[position] ^= 1
    with pytest.raises(BadModelReply, match="beginning"):
        list(FrameReader("aws").feed(bytes(damaged)))


async def test_a_stream_that_ends_within_a_message_is_cut() -> None:
    answer = EventStreamAnswer(LocalAnswer(200, {"Content-Type": "x", "X-Id": "1"}, (STREAM[:-5],)), "aws")
    assert answer.headers == {"content-type": "text/event-stream", "x-id": "1"}
    with pytest.raises(ReplyCut, match="aws"):
        await answer.read()


def test_an_exception_is_an_event_of_its_name() -> None:
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    (frame,) = FrameReader("aws").feed(aws_frame(headers, b'{"message":"Too many"}'))
    assert sse_of(frame) == b'event: throttlingException\ndata: {"message":"Too many"}\n\n'


def test_an_error_without_a_body_is_an_event_too() -> None:
    headers = {":message-type": "error", ":error-code": "internalServerException", ":error-message": "no"}
    (frame,) = FrameReader("aws").feed(aws_frame(headers, b""))
    assert sse_of(frame) == b'event: internalServerException\ndata: {"message":"no"}\n\n'


def test_headers_of_every_type_are_passed_over() -> None:
    packed = b"\x01a\x00\x01b\x04\0\0\0\x01\x01c\x06\0\x02xy\x01d\x08" + bytes(8) + b"\x01e\x09" + bytes(16)
    plain = aws_frame({":message-type": "event", ":event-type": "x"}, b"{}")
    (frame,) = FrameReader("aws").feed(_with_headers(plain, packed))
    assert frame.headers == {":message-type": "event", ":event-type": "x"}


def test_headers_that_run_over_their_end_are_damage() -> None:
    with pytest.raises(BadModelReply, match="headers"):
        list(FrameReader("aws").feed(_with_headers(aws_frame({}, b"{}"), b"\x01a\x07\xff\xffx")))


def _with_headers(frame: bytes, more: bytes) -> bytes:
    """Return `frame` with packed headers added, and its checksums made anew."""
    length = int.from_bytes(frame[4:8], "big")
    return _framed(frame[12 : 12 + length] + more, frame[12 + length : -4])


def _framed(headers: bytes, payload: bytes) -> bytes:
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return message + zlib.crc32(message).to_bytes(4, "big")
