"""Responses pass as they are and are translated without silent loss."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    InterlockError,
    ModelFailed,
    ModelOverloaded,
    ModelRefused,
    ModelUnavailable,
    ReplyCut,
    Uncarriable,
)
from interlock.domain.models import Usage
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.codecs.openai_responses import OpenAiResponses
from interlock.models.dialogue import (
    CacheFor,
    Document,
    Image,
    Message,
    Opaque,
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
from interlock.models.sse import Splitter
from interlock.models.streams import events_of, whole
from interlock.models.wire import SseEvent

_GOLDEN = Path(__file__).parent / "golden"
_REQUESTS: dict[str, dict[str, Any]] = json.loads((_GOLDEN / "openai_responses_requests.json").read_text())
_REPLIES: dict[str, dict[str, Any]] = json.loads((_GOLDEN / "openai_responses_replies.json").read_text())
_STREAM = (_GOLDEN / "openai_responses_stream.txt").read_bytes()
_USAGE = Usage(80, 40, cache_read=64, reasoning=12)
_CITATION = {"type": "url_citation", "start_index": 0, "end_index": 6, "title": "W", "url": "https://w.example"}
_CALLS = (
    ToolUse("call_1", "weather", '{"city": "Paris"}'),
    ToolUse("call_2", "weather", '{"city": "Rome"}'),
)
_STREAMED = Reply(
    (
        Thinking("Two cities.\n\nBoth.", "gAAAAB", "openai", id="rs_1"),
        Text("Let me look.", citations=(_CITATION,), vendor="openai"),
        *_CALLS,
    ),
    Stop.TOOLS,
    _USAGE,
    "resp_1",
    "gpt-5",
    1741476542,
)
wire = OpenAiResponses()


def _asked(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "input": "Hi", **fields}


def _said(*parts: Any, role: Role = Role.USER, **fields: Any) -> Request:
    return Request("gpt-5", (Message(role, tuple(parts)),), **fields)


def _sse(**fields: Any) -> SseEvent:
    return SseEvent(b"", orjson.dumps(fields))


def _events(stream: bytes) -> list[StreamEvent]:
    reader = wire.reader()
    events = [each for sse in Splitter().feed(stream) for each in reader.read(sse)]
    assert reader.finished
    return events


def _streamed(reply: Reply) -> bytes:
    return b"".join(map(wire.writer(_said(Text("Hi"))).write, events_of(reply)))


# Requests


@pytest.mark.parametrize("name", _REQUESTS)
def test_a_request_read_and_written_is_the_same_request(name: str) -> None:
    wire.check(_REQUESTS[name])
    written = wire.write_request(wire.read_request(_REQUESTS[name]))
    assert written.body == _REQUESTS[name]
    assert written.lost == ()


def test_a_text_is_a_message_of_the_user_and_the_provider_keeps_nothing() -> None:
    written = wire.write_request(wire.read_request(_asked()))
    assert written.body == {"model": "gpt-5", "input": [{"role": "user", "content": "Hi"}], "store": False}


def test_one_turn_of_the_model_is_one_message_and_results_are_another() -> None:
    messages = wire.read_request(_REQUESTS["reasoning, parallel calls and their results"]).messages
    assert [message.role for message in messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert messages[1].parts[0] == Thinking("Two cities.", "gAAAAB", "openai", id="rs_1")
    assert [type(part) for part in messages[2].parts] == [ToolOutcome, ToolOutcome]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("prompt", {"id": "pmpt_1"}),
        ("background", True),
        ("context_management", [{"type": "compaction"}]),
        ("moderation", {"model": "omni"}),
        ("include", ["file_search_call.results"]),
        ("top_logprobs", 3),
        ("tools", [{"type": "web_search"}]),
        ("tools", [{"type": "mcp", "server_label": "x"}]),
        ("tools", [{"type": "custom", "name": "grep"}]),
        ("tool_choice", {"type": "allowed_tools", "mode": "auto", "tools": []}),
    ],
)
def test_what_only_the_provider_can_do_is_refused_in_translation_and_passes_otherwise(field: str, value: Any) -> None:
    wire.check(_asked(**{field: value}))
    with pytest.raises(Uncarriable, match=f"`{field}"):
        wire.read_request(_asked(**{field: value}))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"input": 3}, "input"),
        ({"input": None}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"model": 7}, "model"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"instructions": []}, "instructions"),
    ],
)
def test_wrong_types_are_refused_by_the_name_of_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput) as caught:
        wire.check(_asked(**fields))
    assert f"`{named}`" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "role", "fields"),
    [
        (Image(url="https://a.example/a.png"), Role.ASSISTANT, {}),
        (Opaque("openai", {"type": "input_audio"}), Role.USER, {}),
        (Opaque("anthropic", {"type": "server_tool_use"}), Role.ASSISTANT, {}),
        (Text("Hi"), Role.USER, {"stop": ("###",)}),
    ],
)
def test_what_must_not_be_lost_is_refused(part: Any, role: Role, fields: dict[str, Any]) -> None:
    with pytest.raises(Uncarriable):
        wire.write_request(_said(part, role=role, **fields))


def test_what_other_formats_ask_for_is_written_or_reported() -> None:
    written = wire.write_request(
        _said(
            Text("Hi", CacheFor.LONG),
            Document("text/plain", "words", cited=True),
            ToolOutcome("call_1", (Text("no"),), is_error=True),
            top_k=5,
            seed=1,
            thinking_budget=32_000,
            tools=(ToolSpec("now", {"type": "object"}),),
        )
    )
    assert written.body["reasoning"] == {"effort": "high"}
    assert written.body["include"] == ["reasoning.encrypted_content"]
    assert written.body["tools"][0]["strict"] is False
    lost = "\n".join(written.lost)
    for what in ("top_k", "seed", "thinking budget", "cache", "citations", "call_1"):
        assert what in lost


def test_reasoning_of_another_vendor_is_left_out_and_that_is_said() -> None:
    written = wire.write_request(_said(Thinking("Hm.", "sig", "anthropic"), Text("4"), role=Role.ASSISTANT))
    assert written.body["input"] == [{"role": "assistant", "content": "4"}]
    assert "anthropic" in written.lost[0]


def test_fields_that_both_of_openais_formats_have_go_from_one_to_the_other() -> None:
    request = wire.read_request(_asked(metadata={"a": "b"}, truncation="auto"))
    written = OpenAiChat().write_request(request)
    assert written.body["metadata"] == {"a": "b"}
    assert written.lost == ("`truncation` has no counterpart in the openai format",)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"input": [{"role": "user", "content": "x"}, {"type": "reasoning"}]}, False),
        ({"tools": [{}]}, True),
        ({"input": [{"type": "function_call"}]}, True),
        ({"input": [{"type": "function_call_output"}]}, True),
        ({"previous_response_id": "resp_1"}, True),
    ],
)
def test_tools_are_in_play_when_offered_called_answered_or_perhaps_before(
    fields: dict[str, Any], expected: bool
) -> None:
    assert wire.has_tools(_asked(**fields)) is expected


def test_the_cap_is_read_and_set() -> None:
    body = _asked()
    assert wire.cap_of(body) is None
    wire.with_cap(body, 7)
    assert wire.cap_of(body) == 7
    assert not wire.with_usage(body)


# Whole replies


@pytest.mark.parametrize("name", _REPLIES)
def test_a_reply_read_and_written_is_the_same_reply(name: str) -> None:
    written = wire.write_reply(wire.read_reply(_REPLIES[name]))
    assert written.body == _REPLIES[name]
    assert written.lost == ()


@pytest.mark.parametrize("name", _REPLIES)
def test_a_reply_that_passes_is_seen_as_it_is_read(name: str) -> None:
    seen, reply = wire.see(_REPLIES[name]), wire.read_reply(_REPLIES[name])
    assert (seen.usage, seen.stop, seen.proposals) == (reply.usage, reply.stop, reply.proposals)
    assert reply.text in seen.text or reply.usage is not None


def test_a_reply_that_is_under_way_has_not_ended() -> None:
    assert wire.see({**_REPLIES["filtered"], "status": "queued"}).stop is None


def test_calls_of_custom_tools_are_proposals_too() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "grep", "input": "-r x"}
    assert wire.see({"status": "completed", "output": [call]}).proposals == (ToolUse("c", "grep", "-r x"),)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}, "output": []},
            ModelOverloaded,
        ),
        ({"status": "failed", "error": {"code": "invalid_image", "message": "bad"}, "output": []}, ModelRefused),
        ({"status": "failed", "error": None, "output": []}, ModelUnavailable),
        ({"error": {"code": "server_error", "message": "x"}}, ModelUnavailable),
        ({"status": "completed"}, BadModelReply),
        ({"status": "completed", "output": ["x"]}, BadModelReply),
        ({"status": "completed", "output": [{"type": "function_call", "name": 3}]}, BadModelReply),
    ],
)
def test_an_error_in_place_of_a_reply_is_an_error(body: dict[str, Any], error: type[InterlockError]) -> None:
    for look in (wire.see, wire.read_reply):
        with pytest.raises(error):
            look(body)


@pytest.mark.parametrize(
    "part",
    [
        Thinking("Hm.", "sig", "anthropic"),
        Thinking("", "sig", "anthropic"),
        Thinking("", "enc", "anthropic", redacted=True),
        ToolUse("c", "now", "{}", signature="seal"),
    ],
)
def test_what_another_vendor_signed_finds_its_way_through(part: Any) -> None:
    reply = Reply((part, Text("4")), Stop.TOOLS if isinstance(part, ToolUse) else Stop.END)
    written = wire.write_reply(reply)
    assert wire.read_reply(written.body).parts == reply.parts
    assert whole(_events(_streamed(reply))).parts == reply.parts
    told = wire.read_request(_asked(input=[{"role": "user", "content": "2+2"}, *written.body["output"]]))
    assert told.messages[1].parts == reply.parts


def test_pictures_in_a_reply_are_never_left_out_in_silence() -> None:
    picture = Reply((Image("image/png", "AAAA"),), Stop.END)
    with pytest.raises(BadModelReply):
        wire.write_reply(picture)
    with pytest.raises(BadModelReply):
        _streamed(picture)


# Streams


def test_a_stream_that_passes_is_seen_whole() -> None:
    tap = wire.tap(hide_usage=True)
    assert all(tap.feed(each) for each in Splitter().feed(_STREAM))
    assert tap.finished
    seen = tap.seen()
    assert (seen.usage, seen.stop, seen.proposals, seen.text) == (_USAGE, Stop.TOOLS, _CALLS, "")


def test_a_stream_that_breaks_off_is_not_finished_and_its_words_are_counted() -> None:
    tap = wire.tap(hide_usage=True)
    for each in Splitter().feed(_STREAM)[:-1]:
        tap.feed(each)
    seen = tap.seen()
    assert not tap.finished
    assert (seen.usage, seen.stop, seen.proposals) == (None, None, _CALLS)
    assert seen.text == 'Two cities.Both.Let me look.{"city":{"city": "Paris"} "Rome"}'


def test_a_stream_is_read_as_the_reply_it_is() -> None:
    assert whole(_events(_STREAM)) == _STREAMED


@pytest.mark.parametrize("name", [name for name in _REPLIES if name != "a refusal"])
def test_a_reply_written_as_a_stream_is_read_as_the_same_reply(name: str) -> None:
    reply = wire.read_reply(_REPLIES[name])
    assert whole(_events(_streamed(reply))) == reply


def test_events_are_numbered_and_the_last_holds_what_a_whole_reply_would() -> None:
    events = [orjson.loads(each.data) for each in Splitter().feed(_streamed(_STREAMED))]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert [events[0]["type"], events[-1]["type"]] == ["response.created", "response.completed"]
    assert events[-1]["response"] == wire.write_reply(_STREAMED).body


def test_an_event_says_its_type_in_its_name_too() -> None:
    assert all(each.name == orjson.loads(each.data)["type"] for each in Splitter().feed(_streamed(_STREAMED)))


def test_a_refusal_in_a_stream_is_read_as_one() -> None:
    part = {"type": "refusal", "refusal": ""}
    done = {"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]}
    reader = wire.reader()
    events = [
        *reader.read(_sse(type="response.created", response={"id": "r"})),
        *reader.read(_sse(type="response.content_part.added", output_index=0, content_index=0, part=part)),
        *reader.read(_sse(type="response.refusal.delta", output_index=0, content_index=0, delta="No.")),
        *reader.read(_sse(type="response.completed", response=done)),
    ]
    assert (whole(events).text, whole(events).stop) == ("No.", Stop.REFUSAL)


@pytest.mark.parametrize(
    "event",
    [
        _sse(type="response.failed", response={"error": {"code": "server_error", "message": "x"}}),
        _sse(type="error", code="server_error", message="x", param=None),
        _sse(type="error", error={"type": "server_error", "message": "x"}),
    ],
)
def test_an_error_inside_a_stream_is_the_providers_error(event: SseEvent) -> None:
    with pytest.raises(ModelUnavailable):
        wire.tap(hide_usage=False).feed(event)
    with pytest.raises(ModelUnavailable):
        wire.reader().read(event)


def test_usage_of_a_failed_response_is_known_for_settling() -> None:
    tap = wire.tap(hide_usage=False)
    usage = {"input_tokens": 9, "output_tokens": 1}
    with pytest.raises(ModelFailed):
        tap.feed(_sse(type="response.failed", response={"error": {"code": "server_error"}, "usage": usage}))
    assert tap.finished
    assert tap.seen().usage == Usage(9, 1)


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":',
        b'{"type":"response.output_text.delta","delta":"\xff"}',
        b'{"type":"response.output_text.delta","output_index":0,"content_index":0}',
        b'{"type":"response.output_text.delta","delta":3}',
        b"[]",
        b"{}",
        b"oops",
    ],
)
def test_a_broken_event_breaks_the_stream(data: bytes) -> None:
    with pytest.raises(BadModelReply):
        wire.tap(hide_usage=False).feed(SseEvent(b"", data))
    with pytest.raises(BadModelReply):
        wire.reader().read(SseEvent(b"", data))


def test_keep_alives_and_the_end_mark_of_the_other_format_pass() -> None:
    tap = wire.tap(hide_usage=False)
    assert tap.feed(SseEvent(b": ping\n\n", b""))
    assert tap.feed(SseEvent(b"", b"[DONE]"))
    assert not tap.finished


def test_a_stream_without_its_terminator_does_not_end() -> None:
    reader = wire.reader()
    events = [each for sse in Splitter().feed(_STREAM)[:-1] for each in reader.read(sse)]
    assert not reader.finished
    with pytest.raises(ReplyCut):
        whole(events)


# Errors


def test_an_error_in_a_stream_is_told_to_clients_that_look_for_either_form() -> None:
    error = BudgetExceeded("The budget is spent")
    (told,) = Splitter().feed(wire.stream_error(error))
    said = orjson.loads(told.data)
    assert told.name == said["type"] == "error"
    assert said["code"] == said["error"]["code"] == "budget_exceeded"
    assert said["message"] == str(error)
    assert wire.write_error(error)["error"]["type"] == "insufficient_quota"
