"""Chat completions pass as they are and are translated without silent loss."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    Forbidden,
    InterlockError,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
    Unauthenticated,
    Uncarriable,
    UnknownModel,
)
from interlock.domain.models import Usage
from interlock.models.codecs.openai_chat import OpenAiChat
from interlock.models.dialogue import (
    CacheFor,
    Choice,
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
from interlock.models.sse import Splitter, event
from interlock.models.streams import events_of, whole
from interlock.models.wire import SseEvent

_GOLDEN = Path(__file__).parent / "golden"
_REQUESTS: dict[str, dict[str, Any]] = json.loads((_GOLDEN / "openai_chat_requests.json").read_text())
_REPLIES: dict[str, dict[str, Any]] = json.loads((_GOLDEN / "openai_chat_replies.json").read_text())
_STREAM = (_GOLDEN / "openai_chat_stream.txt").read_bytes()
_USAGE = Usage(80, 40, cache_read=64, reasoning=12)
_CALLS = (
    ToolUse("call_1", "weather", '{"city": "Paris"}'),
    ToolUse("call_2", "weather", '{"city": "Rome"}'),
)
wire = OpenAiChat()


def _asked(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}], **fields}


def _said(*parts: Any, role: Role = Role.USER, **fields: Any) -> Request:
    return Request("gpt-5", (Message(role, tuple(parts)),), **fields)


def _chunk(**fields: Any) -> SseEvent:
    return Splitter().feed(event("", orjson.dumps({"id": "c", "object": "chat.completion.chunk", **fields})))[0]


def _delta(**delta: Any) -> SseEvent:
    return _chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])


def _events(stream: bytes) -> list[StreamEvent]:
    reader = wire.reader()
    events = [each for sse in Splitter().feed(stream) for each in reader.read(sse)]
    assert reader.finished
    return events


# Requests


@pytest.mark.parametrize("name", _REQUESTS)
def test_a_request_read_and_written_is_the_same_request(name: str) -> None:
    written = wire.write_request(wire.read_request(_REQUESTS[name]))
    assert written.body == _REQUESTS[name]
    assert written.lost == ()


@pytest.mark.parametrize("name", _REQUESTS)
def test_every_golden_request_is_let_through(name: str) -> None:
    wire.check(_REQUESTS[name])


def test_results_of_parallel_calls_are_one_message_of_the_user() -> None:
    messages = wire.read_request(_REQUESTS["parallel tool calls and their results"]).messages
    assert [message.role for message in messages] == [Role.USER, Role.ASSISTANT, Role.USER, Role.USER]
    assert messages[2].parts == (
        ToolOutcome("call_1", (Text("18 C"),)),
        ToolOutcome("call_2", (Text("24 C"), Text("dry"))),
    )


def test_a_text_file_is_read_as_its_words_and_a_picture_with_its_type() -> None:
    (file,) = wire.read_request(_REQUESTS["a file inline"]).messages[0].parts[1:2]
    assert file == Document("text/plain", "Grüße", name="note.txt")
    picture = wire.read_request(_REQUESTS["images by address and inline"]).messages[0].parts[2]
    assert picture == Image("image/png", "iVBORw0KGgo=")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("modalities", ["text", "audio"]),
        ("audio", {"voice": "alloy", "format": "wav"}),
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("web_search_options", {}),
        ("moderation", {"model": "omni"}),
        ("tools", [{"type": "custom", "custom": {"name": "grep"}}]),
        ("tool_choice", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}),
        ("messages", [{"role": "function", "name": "f", "content": "1"}]),
        ("messages", [{"role": "assistant", "audio": {"id": "audio_1"}}]),
        ("messages", [{"role": "assistant", "function_call": {"name": "f", "arguments": ""}}]),
    ],
)
def test_what_a_translation_would_change_the_meaning_of_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Uncarriable, match=f"`{field}"):
        wire.read_request(_asked(**{field: value}))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_wrong_types_are_refused_by_the_name_of_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput) as caught:
        wire.check(_asked(**fields))
    assert f"`{named}`" in str(caught.value)


@pytest.mark.parametrize("url", ["data:text/html;base64,PGI+", "data:image/png,raw", ""])
def test_a_picture_that_is_none_is_refused(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(BadInput, match=r"image_url\.url"):
        wire.read_request(_asked(messages=[{"role": "user", "content": [part]}]))


def test_fields_inside_messages_that_have_no_meaning_elsewhere_are_reported() -> None:
    request = wire.read_request(_asked(messages=[{"role": "user", "content": "Hi", "mood": "good"}]))
    assert wire.write_request(request).lost == ("`mood` in messages",)


def test_system_and_developer_words_are_both_the_systems() -> None:
    roles = [{"role": role, "content": "Be terse."} for role in ("system", "developer")]
    assert {message.role for message in wire.read_request(_asked(messages=roles)).messages} == {Role.SYSTEM}


def test_what_other_formats_ask_for_is_written_or_reported() -> None:
    written = wire.write_request(
        _said(
            Text("Hi", CacheFor.LONG),
            Document("text/plain", "words", cited=True),
            top_k=5,
            thinking_budget=10_000,
            tools=(ToolSpec("now", {}, cache=CacheFor.SHORT),),
            choice=Choice.NONE,
        )
    )
    assert written.body["reasoning_effort"] == "medium"
    assert written.body["tool_choice"] == "none"
    lost = "\n".join(written.lost)
    for what in ("top_k", "thinking budget", "cache", "citations"):
        assert what in lost


def test_reasoning_of_an_earlier_turn_is_left_out_and_that_is_said() -> None:
    written = wire.write_request(_said(Thinking("Hm.", "sig", "anthropic"), Text("4"), role=Role.ASSISTANT))
    assert written.body["messages"] == [{"role": "assistant", "content": "4"}]
    assert "anthropic" in written.lost[0]


def test_results_of_tools_stand_before_what_the_user_says_beside_them() -> None:
    written = wire.write_request(_said(Text("And?"), ToolOutcome("call_1", (Text("no"),), is_error=True)))
    assert [message["role"] for message in written.body["messages"]] == ["tool", "user"]
    assert written.lost == ("that the result of call call_1 is an error",)


@pytest.mark.parametrize(
    ("part", "role"),
    [
        (ToolOutcome("call_1", (Image("image/png", "AAAA"),)), Role.USER),
        (Document("application/pdf", url="https://a.example/a.pdf"), Role.USER),
        (Image(url="https://a.example/a.png"), Role.ASSISTANT),
        (Image(url="https://a.example/a.png"), Role.SYSTEM),
        (Opaque("anthropic", {"type": "server_tool_use"}), Role.USER),
        (Opaque("openai_responses", {"type": "web_search_call"}), Role.ASSISTANT),
    ],
)
def test_what_must_not_be_lost_is_refused(part: Any, role: Role) -> None:
    with pytest.raises(Uncarriable):
        wire.write_request(_said(part, role=role))


def test_servers_of_the_first_days_get_the_cap_under_its_first_name_and_text_files_as_words() -> None:
    request = _said(Document("text/plain", "words"), max_tokens=9)
    assert wire.write_request(request).body["max_completion_tokens"] == 9
    written = OpenAiChat(legacy_cap=True).write_request(request)
    assert written.body["max_tokens"] == 9
    assert written.body["messages"] == [{"role": "user", "content": "words"}]
    assert written.lost


# The cap, usage, tools


def test_the_cap_is_for_all_replies_together() -> None:
    assert wire.cap_of(_asked()) is None
    assert wire.cap_of(_asked(max_tokens=10)) == 10
    assert wire.cap_of(_asked(max_completion_tokens=10, n=3)) == 30
    assert wire.cap_of(_asked(max_completion_tokens=10, max_tokens=20)) == 20
    body = _asked(n=3)
    wire.with_cap(body, 100)
    assert (wire.cap_of(body) or 0) <= 100


@pytest.mark.parametrize(
    ("used", "legacy", "set_"),
    [
        ({}, False, {"max_completion_tokens"}),
        ({"max_tokens": 9}, False, {"max_tokens"}),
        ({"max_completion_tokens": 9}, False, {"max_completion_tokens"}),
        ({}, True, {"max_tokens"}),
        ({"max_completion_tokens": 9}, True, {"max_tokens"}),
    ],
)
def test_the_cap_is_set_under_the_name_that_is_understood(used: dict[str, int], legacy: bool, set_: set[str]) -> None:
    body = _asked(**used)
    OpenAiChat(legacy_cap=legacy).with_cap(body, 5)
    assert {name: body[name] for name in body if name.startswith("max_")} == dict.fromkeys(set_, 5)


def test_usage_is_asked_for_once_and_the_callers_options_stay() -> None:
    options = {"include_obfuscation": False}
    body = _asked(stream=True, stream_options=options)
    assert wire.with_usage(body)
    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert options == {"include_obfuscation": False}
    assert not wire.with_usage(body)
    assert not wire.with_usage(_asked())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{}]}, True),
        ({"functions": [{}]}, True),
        ({"messages": [{"role": "tool"}]}, True),
        ({"messages": [{"role": "function"}]}, True),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, True),
    ],
)
def test_tools_are_in_play_when_offered_called_or_answered(fields: dict[str, Any], expected: bool) -> None:
    assert wire.has_tools(_asked(**fields)) is expected


# Whole replies


@pytest.mark.parametrize("name", _REPLIES)
def test_a_reply_read_and_written_is_the_same_reply(name: str) -> None:
    written = wire.write_reply(wire.read_reply(_REPLIES[name]))
    assert written.body == _REPLIES[name]
    assert written.lost == ()


@pytest.mark.parametrize("name", _REPLIES)
def test_a_reply_that_passes_is_seen_as_it_is_read(name: str) -> None:
    seen, reply = wire.see(_REPLIES[name]), wire.read_reply(_REPLIES[name])
    assert (seen.usage, seen.stop) == (reply.usage, reply.stop)
    assert [call.arguments for call in seen.proposals] == [call.arguments for call in reply.proposals]
    assert bool(seen.text) is (reply.usage is None and any(not isinstance(part, Opaque) for part in reply.parts))


def test_usage_counts_the_cache_reasoning_and_what_only_the_total_tells() -> None:
    assert wire.read_reply(_REPLIES["text"]).usage == Usage(19, 10, cache_read=4, cache_write=2, reasoning=6)
    body = {**_REPLIES["text"], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}}
    assert wire.see(body).usage == Usage(10, 30)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}, [], "many"])
def test_usage_that_is_none_is_counted_from_the_words(usage: Any) -> None:
    seen = wire.see({**_REPLIES["text"], "usage": usage})
    assert seen.usage is None
    assert seen.text == "Hello! How can I help?"


def test_proposals_of_all_choices_are_seen_and_old_function_calls_too() -> None:
    message = _REPLIES["parallel tool calls beside words"]["choices"][0]
    legacy = {
        "message": {"content": None, "function_call": {"name": "old", "arguments": "{}"}},
        "finish_reason": "function_call",
    }
    seen = wire.see({"choices": [message, legacy]})
    assert [call.name for call in seen.proposals] == ["weather", "weather", "old"]


def test_a_call_that_was_demanded_ends_the_reply_by_tools_though_the_format_says_stop() -> None:
    body = json.loads(json.dumps(_REPLIES["parallel tool calls beside words"]))
    body["choices"][0]["finish_reason"] = "stop"
    assert wire.see(body).stop is wire.read_reply(body).stop is Stop.TOOLS


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, ModelOverloaded),
        ({"error": {"message": "out of credit", "code": 402}}, ModelRefused),
        ({"error": {"message": "upstream", "code": 502}}, ModelUnavailable),
        ({"error": "model is loading"}, ModelUnavailable),
        ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, ModelRefused),
        ({"error": {"code": "context_length_exceeded"}}, ModelRefused),
        ({"error": {"type": "timeout"}}, ModelTimeout),
        ({"choices": []}, BadModelReply),
        ({"choices": [{"message": None}]}, BadModelReply),
        ({"choices": [{"message": {"tool_calls": [{"function": {"name": 3}}]}}]}, BadModelReply),
        ({}, BadModelReply),
    ],
)
def test_an_error_in_place_of_a_reply_is_an_error(body: dict[str, Any], error: type[InterlockError]) -> None:
    for look in (wire.see, wire.read_reply):
        with pytest.raises(error):
            look(body)


def test_endings_that_this_format_has_no_word_for_are_reported() -> None:
    written = wire.write_reply(Reply((Text("a"),), Stop.PAUSE))
    assert written.body["choices"][0]["finish_reason"] == "stop"
    assert written.lost
    assert wire.write_reply(Reply((), Stop.REFUSAL)).body["choices"][0]["finish_reason"] == "content_filter"


def test_pictures_in_a_reply_are_never_left_out_in_silence() -> None:
    picture = Reply((Image("image/png", "AAAA"),), Stop.END)
    with pytest.raises(BadModelReply):
        wire.write_reply(picture)
    writer = wire.writer(_said(Text("Hi")))
    with pytest.raises(BadModelReply):
        b"".join(map(writer.write, events_of(picture)))


# Streams


def test_a_stream_that_passes_is_seen_whole() -> None:
    tap = wire.tap(hide_usage=False)
    assert all(tap.feed(each) for each in Splitter().feed(_STREAM))
    assert tap.finished
    seen = tap.seen()
    assert (seen.usage, seen.stop, seen.proposals, seen.text) == (_USAGE, Stop.TOOLS, _CALLS, "")


def test_usage_that_only_interlock_asked_for_is_kept_from_the_caller() -> None:
    tap = wire.tap(hide_usage=True)
    hidden = [each.data for each in Splitter().feed(_STREAM) if not tap.feed(each)]
    assert len(hidden) == 1
    assert b'"choices":[],' in hidden[0]
    assert tap.seen().usage == _USAGE


def test_usage_in_the_last_chunk_with_words_reaches_the_caller() -> None:
    tap = wire.tap(hide_usage=True)
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    assert tap.feed(_chunk(choices=[{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}], usage=usage))
    assert tap.seen().usage == Usage(3, 1)


def test_a_stream_that_breaks_off_is_not_finished_and_its_words_are_counted() -> None:
    tap = wire.tap(hide_usage=True)
    for each in Splitter().feed(_STREAM)[:9]:
        tap.feed(each)
    seen = tap.seen()
    assert not tap.finished
    assert (seen.usage, seen.stop) == (None, None)
    assert seen.text == 'Two cities.Both now.{"city":{"city": "Paris"}'


def test_keep_alives_and_empty_first_chunks_pass() -> None:
    tap = wire.tap(hide_usage=True)
    assert tap.feed(SseEvent(b": ping\n\n", b""))
    assert tap.feed(_chunk(choices=[], prompt_filter_results=[]))
    assert tap.feed(_chunk(choices=[{"index": 0, "content_filter_offsets": {}, "finish_reason": None}]))


def test_calls_that_a_server_sends_whole_without_numbers_are_kept_apart() -> None:
    tap, reader = wire.tap(hide_usage=False), wire.reader()
    found: list[StreamEvent] = []
    for name in ("a", "b"):
        each = _delta(tool_calls=[{"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}])
        tap.feed(each)
        found += reader.read(each)
    found += reader.read(SseEvent(b"", b"[DONE]"))
    assert tap.seen().proposals == whole(found).proposals == (ToolUse("a", "a", "{}"), ToolUse("b", "b", "{}"))


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":',
        b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
        b"oops",
        b"[1]",
        b'{"choices":["x"]}',
        b'{"choices":"x"}',
        b'{"choices":[{"delta":{"tool_calls":[3]}}]}',
    ],
)
def test_a_broken_event_breaks_the_stream(data: bytes) -> None:
    with pytest.raises(BadModelReply):
        wire.tap(hide_usage=True).feed(SseEvent(b"", data))
    with pytest.raises(BadModelReply):
        wire.reader().read(SseEvent(b"", data))


def test_an_error_inside_a_stream_is_the_providers_error() -> None:
    error = _chunk(error={"message": "overloaded", "code": 503})
    with pytest.raises(ModelUnavailable):
        wire.tap(hide_usage=True).feed(error)
    with pytest.raises(ModelUnavailable):
        wire.reader().read(error)


def test_a_stream_is_read_as_the_reply_it_is() -> None:
    reply = whole(_events(_STREAM))
    assert reply == Reply(
        (Thinking("Two cities."), Text("Both now."), *_CALLS), Stop.TOOLS, _USAGE, "chatcmpl-1", "gpt-5", 1741569952
    )


@pytest.mark.parametrize("name", [name for name in _REPLIES if name != "a refusal"])
def test_a_reply_written_as_a_stream_is_read_as_the_same_reply(name: str) -> None:
    reply = wire.read_reply(_REPLIES[name])
    writer = wire.writer(_said(Text("Hi"), stream_usage=True))
    assert whole(_events(b"".join(map(writer.write, events_of(reply))))) == reply


def test_a_refusal_in_a_stream_is_read_as_one() -> None:
    done = _chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    reader = wire.reader()
    events = [*reader.read(_delta(refusal="No.")), *reader.read(done), *reader.read(SseEvent(b"", b"[DONE]"))]
    assert (whole(events).text, whole(events).stop) == ("No.", Stop.REFUSAL)


def test_usage_is_told_only_to_callers_who_asked() -> None:
    reply = Reply((Text("Hi"),), Stop.END, Usage(1, 2))
    quiet = b"".join(map(wire.writer(_said(Text("Hi"))).write, events_of(reply)))
    told = b"".join(map(wire.writer(_said(Text("Hi"), stream_usage=True)).write, events_of(reply)))
    assert b"usage" not in quiet
    assert b'"usage":null' in told
    assert b'"prompt_tokens":1' in told
    assert quiet.endswith(b"data: [DONE]\n\n")


def test_a_stream_without_its_terminator_does_not_end() -> None:
    reader = wire.reader()
    events = [each for sse in Splitter().feed(_STREAM)[:-1] for each in reader.read(sse)]
    assert not reader.finished
    with pytest.raises(ReplyCut):
        whole(events)


# Errors


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, b'{"error":{"message":"Rate limit","type":"tokens","code":"rate_limit_exceeded"}}', ModelOverloaded),
        (429, b'{"error":{"message":"Quota","type":"insufficient_quota"}}', ModelOverloaded),
        (400, b'{"error":{"message":"Too long","code":"context_length_exceeded"}}', ModelRefused),
        (404, b'{"error":{"message":"No such model","code":"model_not_found"}}', ModelRefused),
        (500, b"<html>oops</html>", ModelUnavailable),
        (503, b"", ModelUnavailable),
        (408, b"null", ModelTimeout),
        (504, b'{"error":"x"}', ModelTimeout),
        (422, b'{"detail":"bad field"}', ModelRefused),
    ],
)
def test_a_status_stands_for_what_another_attempt_would_do(
    status: int, body: bytes, error: type[InterlockError]
) -> None:
    assert type(wire.read_error(status, body)) is error


def test_the_words_of_an_error_show_no_key() -> None:
    body = b'{"error":{"message":"Incorrect API key provided: sk-abcdef123456789.","code":"invalid_api_key"}}'
    assert "sk-" not in str(wire.read_error(401, body))
    assert "sk-" not in str(wire.read_error(400, body))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (Forbidden("x"), "permission_error"),
        (UnknownModel("x"), "not_found_error"),
        (ModelOverloaded("x"), "rate_limit_error"),
        (BudgetExceeded("x"), "insufficient_quota"),
        (ReplyCut("x"), "server_error"),
    ],
)
def test_errors_are_told_in_the_clients_words_with_our_code(error: InterlockError, kind: str) -> None:
    expected = {"error": {"message": str(error), "type": kind, "param": None, "code": error.code}}
    assert wire.write_error(error) == expected
    (told,) = Splitter().feed(wire.stream_error(error))
    assert orjson.loads(told.data) == expected
