"""A conversation carried from any of the five formats to any other means the same; what differs is what was said to be lost."""

from dataclasses import replace
from typing import Any

import pytest

from interlock.domain.models import Usage
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.gemini import Gemini
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.dialogue import (
    Begin,
    Choice,
    Delta,
    End,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Part,
    PartBegin,
    PartEnd,
    Reply,
    Request,
    Role,
    Stop,
    StreamEvent,
    Text,
    Thinking,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)
from interlock.models.streams import events_of, whole
from interlock.models.wire import Wire
from tests.kits.dialogues import ASK, golden, read_all, sse_events, through

WIRES: dict[str, Wire] = {
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "bedrock": Bedrock(),
    "openai_chat": OpenAiChat(),
    "openai_responses": OpenAiResponses(),
}
PAIRS = [(source, target) for source in WIRES for target in WIRES]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = ToolSpec("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}}, "Weather now")
TALK = Request(
    "claude-opus-4-5",
    (
        Message(Role.SYSTEM, (Text("Be brief."),)),
        Message(Role.USER, (Text("Weather in both?"), Image("image/png", PNG))),
        Message(
            Role.ASSISTANT,
            (
                Text("I look."),
                ToolUse("call_a", "get_weather", '{"city":"Rome"}'),
                ToolUse("call_b", "get_weather", '{"city":"Oslo"}'),
            ),
        ),
        Message(Role.USER, (ToolOutcome("call_a", (Text("21 C"),)), ToolOutcome("call_b", (Text("-3 C"),)))),
    ),
    tools=(WEATHER,),
    choice=Choice.AUTO,
    max_tokens=300,
    temperature=0.5,
    top_p=0.9,
    output=OutputSchema({"type": "object", "properties": {"warmer": {"type": "string"}}}),
)


def _spoken(request: Request) -> list[tuple[Role, Part]]:
    """Return who says what; how it is cut into messages, that a result names its tool, and defaults are up to the format."""
    return [(message.role, _neutral(part)) for message in request.messages for part in message.parts]


def _neutral(part: Part) -> Part:
    if isinstance(part, ToolOutcome):
        return replace(part, name="")
    return replace(part, detail=part.detail.replace("auto", "")) if isinstance(part, Image) else part


def _asked(request: Request) -> tuple[Any, ...]:
    output = request.output and request.output.schema
    tools = [(tool.name, tool.schema, tool.description) for tool in request.tools]
    sampling = (request.max_tokens, request.temperature, request.top_p, request.choice, request.chosen)
    return _spoken(request), tools, output, sampling


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("choice", [Choice.AUTO, Choice.ANY, Choice.ONE])
def test_a_conversation_means_the_same_in_every_format(source: str, target: str, choice: Choice) -> None:
    talk = replace(TALK, choice=choice, chosen="get_weather" if choice is Choice.ONE else "")
    first = WIRES[source].read_request(WIRES[source].write_request(talk).body)
    WIRES[source].check({"model": "m", **WIRES[source].write_request(talk).body})
    second = WIRES[target].read_request(WIRES[target].write_request(replace(first, model=TALK.model)).body)

    assert _asked(first) == _asked(talk)
    assert _asked(second) == _asked(talk)


@pytest.mark.parametrize("target", WIRES)
def test_a_written_request_has_the_cap_and_the_tools_that_were_asked(target: str) -> None:
    wire = WIRES[target]
    body = wire.write_request(TALK).body

    assert wire.cap_of(body) == 300
    assert wire.has_tools(body)
    wire.with_cap(body, 50)
    assert wire.cap_of(body) == 50
    assert not wire.has_tools(wire.write_request(ASK).body)


ANSWER = Reply(
    (
        Text("I look up both — 你好."),
        ToolUse("call_a", "get_weather", '{"city":"Rome"}'),
        ToolUse("call_b", "get_weather", "{}"),
    ),
    Stop.TOOLS,
    Usage(input=120, output=30, cache_read=100),
)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_reply_means_the_same_in_every_format(source: str, target: str) -> None:
    first = WIRES[source].read_reply(WIRES[source].write_reply(ANSWER).body)
    body = WIRES[target].write_reply(first).body
    second, seen = WIRES[target].read_reply(body), WIRES[target].see(body)

    assert (second.parts, second.stop, second.usage) == (ANSWER.parts, ANSWER.stop, ANSWER.usage)
    assert (seen.proposals, seen.stop, seen.usage) == (ANSWER.proposals, ANSWER.stop, ANSWER.usage)


@pytest.mark.parametrize("target", WIRES)
@pytest.mark.parametrize("stop", list(Stop))
def test_why_a_reply_ended_arrives_or_is_said_to_be_lost(target: str, stop: Stop) -> None:
    parts: tuple[Part, ...] = (ToolUse("call_a", "f", "{}"),) if stop is Stop.TOOLS else (Text("So"),)
    written = WIRES[target].write_reply(Reply(parts, stop))

    arrived = WIRES[target].read_reply(written.body).stop
    assert arrived is stop or any("ended" in sentence for sentence in written.lost), (arrived, written.lost)


def _recorded() -> list[Any]:
    sources = ("anthropic", "gemini", "bedrock")
    return [
        pytest.param(source, target, case, id=f"{source}-{target}-{case['name'].replace(' ', '-')}")
        for source in sources
        for target in WIRES
        if target != source
        for case in golden(f"{source}_streams")
    ]


def _carriable(part: Part) -> Part:
    """Return `part` without what no other vendor's stream has a place for."""
    return Text(part.text) if isinstance(part, Text) else part


# What a stream of a format cannot say, which a whole reply reports as lost.
_STOPS = {
    "anthropic": {Stop.FILTERED: Stop.REFUSAL},
    "gemini": {Stop.SEQUENCE: Stop.END, Stop.REFUSAL: Stop.FILTERED},
    "bedrock": {Stop.REFUSAL: Stop.FILTERED},
    "openai_chat": {Stop.SEQUENCE: Stop.END, Stop.REFUSAL: Stop.FILTERED},
    "openai_responses": {Stop.SEQUENCE: Stop.END, Stop.REFUSAL: Stop.FILTERED},
}


@pytest.mark.parametrize(("source", "target", "case"), _recorded())
def test_a_recorded_stream_arrives_whole_in_another_format(source: str, target: str, case: dict[str, Any]) -> None:
    events = read_all(WIRES[source].reader(), sse_events(case["events"]))
    original, arrived = whole(events), whole(through(WIRES[target], ASK, events))
    expected = tuple(_carriable(part) for part in original.parts if not isinstance(part, Opaque))
    if target == "bedrock":  # a tool call has no place for a seal there
        expected = tuple(replace(part, signature="") if isinstance(part, ToolUse) else part for part in expected)

    assert _compared(arrived.parts) == _compared(expected)
    assert arrived.stop is _STOPS[target].get(original.stop, original.stop)
    assert arrived.usage is not None
    assert original.usage is not None
    assert (arrived.usage.input, arrived.usage.output) == (original.usage.input, original.usage.output)
    assert arrived.usage.cache_read == original.usage.cache_read


def _compared(parts: tuple[Part, ...]) -> list[Part]:
    """Return parts with arguments as compact JSON: formats that carry objects do not keep their spaces."""
    return [
        replace(part, arguments=part.arguments.replace('": "', '":"')) if isinstance(part, ToolUse) else part
        for part in parts
    ]


INTERLEAVED: list[StreamEvent] = [
    Begin("id-1", "m", 5),
    PartBegin(0, Text("")),
    Delta(0, "I "),
    Delta(0, "look."),
    PartEnd(0),
    PartBegin(1, ToolUse("call_a", "one", "")),
    PartBegin(2, ToolUse("call_b", "two", "")),
    Delta(1, '{"x":'),
    Delta(2, '{"y":'),
    Delta(2, "2}"),
    Delta(1, "1}"),
    PartEnd(2),
    PartEnd(1),
    End(Stop.TOOLS, Usage(9, 7)),
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_interleaved_parallel_calls_keep_their_words_apart(source: str, target: str) -> None:
    arrived = whole(through(WIRES[target], ASK, through(WIRES[source], ASK, INTERLEAVED)))

    assert arrived.parts == whole(INTERLEAVED).parts
    assert (arrived.stop, arrived.usage) == (Stop.TOOLS, Usage(9, 7))


SIGNED = Reply(
    (
        Thinking("They want both.", "c2ln", "bedrock"),
        Thinking("", "ENC", "anthropic", redacted=True),
        Text("I look."),
        ToolUse("call_a", "get_weather", "{}", signature="Z2Vt"),
    ),
    Stop.TOOLS,
    Usage(9, 7),
)


@pytest.mark.parametrize("client", ["anthropic", "openai_chat", "openai_responses"])
@pytest.mark.parametrize("streamed", [False, True])
def test_seals_come_back_to_their_vendor_through_a_client_of_another_format(client: str, streamed: bool) -> None:
    """What models refuse to go on without must survive the turn of a caller that speaks another format."""
    wire = WIRES[client]
    at_once = wire.read_reply(wire.write_reply(SIGNED).body)
    reply = whole(through(wire, ASK, list(events_of(SIGNED)))) if streamed else at_once

    assert [(type(part), getattr(part, "signature", "")) for part in reply.parts] == [
        (type(part), getattr(part, "signature", "")) for part in SIGNED.parts
    ]
