"""Server-sent events are cut out of bytes wherever chunks end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import BadModelReply
from interlock.models.sse import MAX_EVENT_BYTES, Splitter, event
from interlock.models.wire import SseEvent

_STREAM = (
    b": keep-alive\n\n"
    b"event: response.created\ndata: {}\n\n"
    b'data: {"a":1}\n\n'
    b"data:first\ndata: second\nid: 7\nretry: 10\n\n"
    b'event: x\r\ndata: {"b":2}\r\n\r\n'
    b"\n"
    b"data: [DONE]\n\n"
)
_TOLD = [
    ("", b""),
    ("response.created", b"{}"),
    ("", b'{"a":1}'),
    ("", b"first\nsecond"),
    ("x", b'{"b":2}'),
    ("", b"[DONE]"),
]


@given(st.lists(st.integers(0, len(_STREAM)), max_size=12))
def test_events_are_the_same_wherever_chunks_end_and_no_byte_is_lost(cuts: list[int]) -> None:
    splitter, found, start = Splitter(), list[SseEvent](), 0
    for cut in [*sorted(cuts), len(_STREAM)]:
        found += splitter.feed(_STREAM[start:cut])
        start = cut
    assert [(each.name, each.data) for each in found if each.data or b":" in each.raw] == _TOLD
    assert b"".join(each.raw for each in found) == _STREAM
    assert not splitter.rest


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_bytes_that_come_one_by_one_make_the_same_events(newline: bytes) -> None:
    stream = b"data: a\n\nevent: e\ndata: b\n\n".replace(b"\n", newline)
    splitter = Splitter()
    found = [each for byte in stream for each in splitter.feed(bytes([byte]))]
    assert [(each.name, each.data) for each in found] == [("", b"a"), ("e", b"b")]


def test_an_event_without_its_empty_line_is_left_over() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: a\n\ndata: b\n") == [SseEvent(b"data: a\n\n", b"a")]
    assert splitter.rest
    splitter.feed(b"\n")
    assert not splitter.rest


def test_empty_lines_alone_are_not_an_incomplete_event() -> None:
    splitter = Splitter()
    splitter.feed(b"data: a\n\n\n")
    assert not splitter.rest


def test_a_byte_order_mark_before_the_first_event_is_skipped() -> None:
    assert Splitter().feed(b"\xef\xbb\xbfdata: a\n\n")[0].data == b"a"


@pytest.mark.parametrize("end", [b"", b"\n\n"])
@pytest.mark.parametrize("size", [MAX_EVENT_BYTES, 1 << 16])
def test_an_event_over_the_limit_is_refused_however_it_comes(size: int, end: bytes) -> None:
    splitter = Splitter()
    text = b"data: " + b"x" * MAX_EVENT_BYTES + end
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    with pytest.raises(BadModelReply, match="larger"):
        list(map(splitter.feed, chunks))


def test_many_events_in_one_chunk_over_the_limit_are_fine() -> None:
    one = b"data: " + b"x" * (MAX_EVENT_BYTES // 4) + b"\n\n"
    assert len(Splitter().feed(one * 6)) == 6


def test_a_name_that_is_not_utf_8_is_a_bad_reply() -> None:
    with pytest.raises(BadModelReply, match="UTF-8"):
        Splitter().feed(b"event: \xff\ndata: a\n\n")


@given(
    st.sampled_from(["", "message_start"]),
    st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1),
)
def test_what_is_written_is_read_back(name: str, text: str) -> None:
    (found,) = Splitter().feed(event(name, text.encode()))
    assert (found.name, found.data.decode()) == (name, text)


@pytest.mark.parametrize(
    "hidden", [b": seen by nobody\rdata: {}\n\n", b"data: {}\r\rdata: {}\n\n", b"data: 1\r\r\n\r\n"]
)
def test_lines_that_other_readers_would_end_elsewhere_are_a_bad_reply(hidden: bytes) -> None:
    with pytest.raises(BadModelReply, match="line"):
        Splitter().feed(hidden)
