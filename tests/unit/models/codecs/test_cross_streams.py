"""However the parts of a stream are cut and interleaved, every format puts them in order and loses none of their words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.domain.models import Usage
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Part,
    PartBegin,
    PartEnd,
    Stop,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)
from interlock.models.sse import Splitter
from interlock.models.streams import whole
from interlock.models.wire import Wire
from tests.kits.dialogues import ASK, through

WIRES: tuple[Wire, ...] = (Anthropic(), Gemini(), Bedrock())
WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5), min_size=1, max_size=4
)
ARGUMENTS = st.lists(st.sampled_from(['{"a":1}', "{}", '{"city":"Zürich","deep":{"n":[1,2]}}']), min_size=1, max_size=1)
VENDORS = st.sampled_from(["anthropic", "gemini", "bedrock", "openai"])


@st.composite
def _parts(draw: st.DrawFn) -> list[tuple[Part, list[Delta]]]:
    """Return parts without their words, each with the pieces that its words come in."""
    found: list[tuple[Part, list[Delta]]] = []
    for index, kind in enumerate(draw(st.lists(st.sampled_from(["text", "think", "call"]), max_size=5))):
        if kind == "call":
            arguments = draw(ARGUMENTS)[0]
            cut = draw(st.integers(0, len(arguments)))
            pieces = [Delta(index, arguments[:cut]), Delta(index, arguments[cut:])]
            found.append((ToolUse(f"id-{index}", draw(st.sampled_from(["look", "now"])), ""), pieces))
        elif kind == "think":
            pieces = [Delta(index, words) for words in draw(WORDS)]
            found.append((Thinking("", vendor=draw(VENDORS)), [*pieces, Delta(index, signature="c2lnbmVk")]))
        elif not found or not isinstance(found[-1][0], Text):  # Gemini has no border between words and words
            found.append((Text(""), [Delta(index, words) for words in draw(WORDS)]))
    return found


@st.composite
def _streams(draw: st.DrawFn) -> list[StreamEvent]:
    """Return a stream in which parts begin in order and go on in any."""
    events: list[StreamEvent] = [Begin("id", "m")]
    waiting: list[list[StreamEvent]] = []
    for index, (part, pieces) in enumerate(draw(_parts())):
        numbered = [Delta(index, piece.text, piece.signature) for piece in pieces]
        events.append(PartBegin(index, part))
        waiting.append([*numbered, PartEnd(index)])
        for _ in range(draw(st.integers(0, 6))):
            _go_on(draw, waiting, events)
    while any(waiting):
        _go_on(draw, waiting, events)
    return [*events, End(draw(st.sampled_from([Stop.LENGTH, Stop.OTHER])), Usage(9, 7))]


def _go_on(draw: st.DrawFn, waiting: list[list[StreamEvent]], events: list[StreamEvent]) -> None:
    ready = [left for left in waiting if left]
    if ready:
        events.append(draw(st.sampled_from(ready)).pop(0))


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.dialect.value)
@given(events=_streams())
@settings(max_examples=150, deadline=None)
def test_a_stream_in_any_order_arrives_in_order(wire: Wire, events: list[StreamEvent]) -> None:
    assert whole(through(wire, ASK, events)).parts == whole(events).parts


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.dialect.value)
@given(events=_streams())
@settings(max_examples=60, deadline=None)
def test_a_stream_that_left_its_parts_open_keeps_what_came(wire: Wire, events: list[StreamEvent]) -> None:
    unended: list[StreamEvent] = [event for event in events if not isinstance(event, PartEnd)]

    assert whole(through(wire, ASK, unended)).parts == whole(events).parts


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.dialect.value)
@given(events=_streams())
@settings(max_examples=60, deadline=None)
def test_a_tap_sees_the_calls_that_the_reply_holds(wire: Wire, events: list[StreamEvent]) -> None:
    writer, tap = wire.writer(ASK), wire.tap(hide_usage=False)
    for event in Splitter().feed(b"".join(writer.write(said) for said in events)):
        tap.feed(event)

    assert tap.finished
    assert [(call.id, call.name, call.arguments) for call in tap.seen().proposals] == [
        (part.id, part.name, part.arguments) for part in whole(events).parts if isinstance(part, ToolUse)
    ]
