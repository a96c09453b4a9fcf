"""A streamed reply as one, and one reply as a stream."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.domain.errors import BadModelReply, ReplyCut
from interlock.domain.models import Usage
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Image,
    Opaque,
    Part,
    PartBegin,
    PartEnd,
    Reply,
    Stop,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)
from interlock.models.streams import events_of, whole

_parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(
        Text, st.text(), citations=st.just(()) | st.just(({"url": "https://a.example"},)), vendor=st.just("openai")
    ),
    st.builds(ToolUse, st.text(min_size=1), st.text(min_size=1), st.text(), signature=st.text()),
    st.builds(Thinking, st.text(), st.text(), st.just("anthropic"), id=st.text()),
    st.builds(Thinking, st.just(""), st.text(), st.just("anthropic"), redacted=st.just(value=True)),
    st.just(Image(url="https://a.example/a.png")),
    st.just(Opaque("openai", {"type": "audio"})),
)


@given(st.lists(_parts), st.sampled_from(Stop), st.none() | st.just(Usage(3, 4)))
def test_a_reply_that_is_streamed_is_whole_again_at_the_end(
    parts: Sequence[Part], stop: Stop, usage: Usage | None
) -> None:
    told = tuple(Text(part.text) if isinstance(part, Text) and not part.citations else part for part in parts)
    reply = Reply(told, stop, usage, "id", "model", 17, "###" if stop is Stop.SEQUENCE else "")
    assert whole(events_of(reply)) == reply


def test_text_is_streamed_word_by_word_and_long_text_in_at_most_two_thousand_pieces() -> None:
    def pieces(text: str) -> list[str]:
        return [event.text for event in events_of(Reply((Text(text),), Stop.END)) if isinstance(event, Delta)]

    assert pieces("Hello, you  there.\n") == ["Hello,", " you", "  there.", "\n"]
    assert len(pieces("word " * 50_000)) <= 2_000


def test_a_stream_without_its_end_is_cut() -> None:
    with pytest.raises(ReplyCut):
        whole([Begin("id"), PartBegin(0, Text("")), Delta(0, "Hel"), PartEnd(0)])


def test_words_of_a_part_that_never_began_are_a_bad_reply() -> None:
    with pytest.raises(BadModelReply, match="part 3"):
        whole([Begin("id"), Delta(3, "Hel"), End(Stop.END)])


def test_parts_whose_words_come_interleaved_are_kept_apart() -> None:
    events: list[StreamEvent] = [
        Begin("id"),
        PartBegin(0, ToolUse("a", "add", "")),
        PartBegin(1, ToolUse("b", "sub", "")),
        Delta(1, '{"x"'),
        Delta(0, '{"y"'),
        Delta(1, ":1}"),
        Delta(0, ":2}"),
        PartEnd(0),
        PartEnd(1),
        End(Stop.TOOLS),
    ]
    assert whole(events).parts == (ToolUse("a", "add", '{"y":2}'), ToolUse("b", "sub", '{"x":1}'))


def test_usage_of_the_beginning_stands_until_the_end_says_better() -> None:
    assert whole([Begin(usage=Usage(5)), End(Stop.END)]).usage == Usage(5)
    assert whole([Begin(usage=Usage(5)), End(Stop.END, Usage(5, 2))]).usage == Usage(5, 2)
