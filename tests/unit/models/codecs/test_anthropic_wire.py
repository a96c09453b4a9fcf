"""What is particular to Anthropic's Messages."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    Forbidden,
    InterlockError,
    ModelFailed,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
    TooLarge,
    Unauthenticated,
    Uncarriable,
    UnknownModel,
)
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.codecs.carriage import seal, unseal
from interlock.models.codecs.gemini import Gemini
from interlock.models.dialogue import (
    Begin,
    Choice,
    Delta,
    Document,
    End,
    Image,
    Message,
    Opaque,
    OutputSchema,
    PartBegin,
    PartEnd,
    Reply,
    Request,
    Role,
    Stop,
    StreamEvent,
    Text,
    Thinking,
    ToolSpec,
    ToolUse,
)
from interlock.models.sse import Splitter
from interlock.models.streams import events_of, whole
from interlock.models.wire import SseEvent
from tests.kits.dialogues import through

WIRE = Anthropic()
ASK: dict[str, Any] = {"model": "claude-opus-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
REQUEST = Request("claude-opus-4-5", (Message(Role.USER, (Text("Hi"),)),))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": [], "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "messages[0].content[0]"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"system": 7}, "system"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput, match=rf"^`{field.replace('[', '.').replace(']', '.')}`"):
        WIRE.check(ASK | change)


def test_a_cap_is_read_where_it_is_and_set_where_it_is_not() -> None:
    body = {key: value for key, value in ASK.items() if key != "max_tokens"}
    WIRE.check(body)

    assert WIRE.cap_of(body) is None
    WIRE.with_cap(body, 77)
    assert WIRE.cap_of(body) == 77
    assert WIRE.with_usage(body) is False


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{"name": "f", "input_schema": {}}]}, True),
        ({"mcp_servers": [{"url": "https://example.org"}]}, True),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "web_search_tool_result"}]}]}, True),
    ],
)
def test_tools_are_in_play_when_offered_called_or_answered(change: dict[str, Any], expected: bool) -> None:
    assert WIRE.has_tools(ASK | change) is expected


def _said(**fields: Any) -> SseEvent:
    return SseEvent(b"", orjson.dumps(fields), fields["type"])


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", ModelOverloaded),
        ("rate_limit_error", ModelOverloaded),
        ("api_error", ModelUnavailable),
        ("timeout_error", ModelTimeout),
        ("invalid_request_error", ModelRefused),
    ],
)
def test_an_error_inside_a_stream_or_a_200_is_the_provider_s_error(kind: str, error: type[ModelFailed]) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "Overloaded"}}
    for look in (WIRE.tap(hide_usage=False).feed, WIRE.reader().read):
        with pytest.raises(error):
            look(_said(**body))
    for read in (WIRE.see, WIRE.read_reply):
        with pytest.raises(error):
            read(body)


def test_keep_alives_and_events_of_tomorrow_pass() -> None:
    tap = WIRE.tap(hide_usage=True)

    assert tap.feed(SseEvent(b": keep-alive\n\n", b""))
    assert tap.feed(_said(type="ping"))
    assert tap.feed(_said(type="content_block_delta", index=0, delta={"type": "poem_delta", "poem": "Oh"}))
    assert tap.feed(_said(type="sunrise"))
    assert WIRE.reader().read(_said(type="sunrise")) == ()


def test_a_tap_that_saw_no_total_counts_on_the_words_and_only_whole_calls() -> None:
    tap = WIRE.tap(hide_usage=False)
    tap.feed(_said(type="message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}}))
    for index, name in enumerate(("done", "half")):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
        tap.feed(_said(type="content_block_start", index=index, content_block=block))
        tap.feed(
            _said(type="content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": '{"a":'})
        )
        if name == "done":
            tap.feed(
                _said(type="content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": "1}"})
            )
            tap.feed(_said(type="content_block_stop", index=index))
    seen = tap.seen()

    assert seen.usage is None
    assert seen.stop is None
    assert seen.text == '{"a":1}{"a":'
    assert seen.proposals == (ToolUse("toolu_0", "done", '{"a":1}'),)
    assert not tap.finished


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 7}},
        {"type": "content_block_delta", "index": 0, "delta": []},
        {"type": "content_block_start", "index": 0, "content_block": {"type": []}},
        {"type": "message_start", "message": {"usage": 3}},
        {"no": "type"},
    ],
)
def test_an_event_without_the_shape_of_its_kind_breaks_the_stream(event: dict[str, Any]) -> None:
    with pytest.raises(BadModelReply):
        WIRE.reader().read(SseEvent(b"", orjson.dumps(event)))
    if event.get("type") != "content_block_start":  # what the tap does not need, it does not look at
        with pytest.raises(BadModelReply):
            WIRE.tap(hide_usage=False).feed(SseEvent(b"", orjson.dumps(event)))


def test_interleaved_calls_are_written_one_after_the_other() -> None:
    """The format has one open block at a time; what others interleave is put in order, and nothing is lost."""
    events: list[StreamEvent] = [
        Begin("msg_1", "m"),
        PartBegin(0, Text("")),
        PartBegin(1, ToolUse("toolu_1", "a", "")),
        PartBegin(2, ToolUse("toolu_2", "b", "")),
        Delta(1, '{"x":'),
        Delta(2, '{"y":'),
        Delta(0, "I look."),
        Delta(2, "2}"),
        Delta(1, "1}"),
        PartEnd(2),
        PartEnd(0),
        PartEnd(1),
        End(Stop.TOOLS),
    ]
    writer = WIRE.writer(REQUEST)
    sent = [orjson.loads(event.data) for piece in events for event in Splitter().feed(writer.write(piece))]
    open_blocks: list[int] = []
    for said in sent:
        if said["type"] == "content_block_start":
            assert not open_blocks
            open_blocks.append(said["index"])
        elif said["type"] == "content_block_stop":
            assert open_blocks.pop() == said["index"]

    assert [said["index"] for said in sent if said["type"] == "content_block_start"] == [0, 1, 2]
    assert [said["type"] for said in sent][-2:] == ["message_delta", "message_stop"]
    assert whole(through(WIRE, REQUEST, events)).parts == whole(events).parts


def test_parts_left_open_are_closed_before_the_end() -> None:
    events: list[StreamEvent] = [Begin(), PartBegin(0, Text("")), Delta(0, "Hi"), PartBegin(1, Text("")), End(Stop.END)]
    said = whole(through(WIRE, REQUEST, events))

    assert said.parts == (Text("Hi"), Text(""))


SEALED = Reply(
    (
        Thinking("Two cities.", "c2ln", "bedrock"),
        Thinking("", "ENC", "openai", redacted=True, id="rs_1"),
        Thinking("Unsigned.", "", ""),
        ToolUse("call_0_f", "f", "{}", signature="Z2Vt"),
    ),
    Stop.TOOLS,
    id="msg_1",
    model="m",
)


def test_other_vendors_seals_travel_through_a_client_and_come_back() -> None:
    """A client sends reasoning back as it came, so what another vendor signed reaches that vendor in the next turn."""
    written = WIRE.write_reply(SEALED)
    turn = {"role": "assistant", "content": written.body["content"]}
    request = WIRE.read_request(ASK | {"messages": [*ASK["messages"], turn]})

    assert request.messages[1].parts == SEALED.parts
    streamed = whole(through(WIRE, REQUEST, list(events_of(SEALED))))
    assert streamed.parts == SEALED.parts


def test_a_seal_is_not_taken_for_anthropic_s_own_signature() -> None:
    request = replace(REQUEST, messages=(*REQUEST.messages, Message(Role.ASSISTANT, SEALED.parts)))
    written = WIRE.write_request(request)
    blocks = written.body["messages"][1]["content"]

    # Claude signs alike on Bedrock; the others' reasoning stays behind, and that is said.
    assert [block["type"] for block in blocks] == ["thinking", "tool_use"]
    assert blocks[0]["signature"] == "c2ln"
    assert len(written.lost) == 3


@pytest.mark.parametrize(
    "text", ["EqQB", "interlock:", "aW50ZXJsb2NrOg==", "aW50ZXJsb2NrOnt9", "aW50ZXJsb2Nr!", "aW50ZXJsb2NrOlsxLDIsM10="]
)
def test_what_is_no_seal_stays_as_it_is(text: str) -> None:
    assert unseal(text) is None


def test_a_seal_opens_to_what_was_sealed() -> None:
    assert unseal(seal("openai", "x+/=é", "rs_1")) == ("openai", "x+/=é", "rs_1")


@pytest.mark.parametrize(
    "part",
    [
        Opaque("openai", {"type": "file"}),
        Image(url="data:image/png;base64,AA=="),
        Image(),
        Document("application/msword", "AA=="),
    ],
)
def test_what_must_not_be_lost_is_refused(part: Any) -> None:
    with pytest.raises(Uncarriable):
        WIRE.write_request(replace(REQUEST, messages=(Message(Role.USER, (part,)),)))


def test_server_tools_and_containers_of_others_are_refused() -> None:
    for extras in ({"tools": [{"type": "web_search"}]}, {"previous_response_id": "resp_1"}):
        with pytest.raises(Uncarriable):
            WIRE.write_request(replace(REQUEST, extras=extras, vendor="openai"))


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"temperature": 1.7}, "temperature", 1.0),
        ({"seed": 7}, "seed", None),
        ({"effort": "minimal"}, "output_config", {"effort": "low"}),
        ({"thinking_budget": 200}, "thinking", {"type": "enabled", "budget_tokens": 1024}),
        ({"output": OutputSchema(None)}, "output_config", None),
        ({"extras": {"logit_bias": {}}, "vendor": "openai"}, "logit_bias", None),
    ],
)
def test_what_is_lost_is_said_and_nothing_else(change: dict[str, Any], field: str, value: Any) -> None:
    written = WIRE.write_request(replace(REQUEST, **change))

    assert len(written.lost) == 1
    assert written.body.get(field) == value


def test_one_tool_at_a_time_needs_no_choice_of_tools() -> None:
    request = replace(REQUEST, tools=(ToolSpec("f", {}),), parallel_tools=False)
    written = WIRE.write_request(request)

    assert written.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert written.body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert WIRE.read_request(written.body).choice is Choice.AUTO


def test_a_later_system_message_moves_to_the_front_and_that_is_said() -> None:
    request = replace(REQUEST, messages=(*REQUEST.messages, Message(Role.SYSTEM, (Text("Be brief."),))))
    written = WIRE.write_request(request)

    assert written.body["system"] == "Be brief."
    assert len(written.lost) == 1


def test_arguments_that_are_no_object_are_wrapped_and_that_is_said() -> None:
    call = ToolUse("toolu_1", "f", '{"city": Rome}')
    written = WIRE.write_request(replace(REQUEST, messages=(Message(Role.ASSISTANT, (Text(""), call)),)))

    assert written.body["messages"][0]["content"][0]["input"] == {"not_json": '{"city": Rome}'}
    assert len(written.lost) == 1


def test_a_picture_in_a_reply_fails_rather_than_vanishes() -> None:
    with pytest.raises(BadModelReply):
        WIRE.write_reply(Reply((Image("image/png", "AA=="),), Stop.END))
    with pytest.raises(BadModelReply):
        WIRE.writer(REQUEST).write(PartBegin(0, Image("image/png", "AA==")))


def test_a_stream_that_breaks_off_is_no_reply() -> None:
    with pytest.raises(ReplyCut):
        whole([Begin(), PartBegin(0, Text("")), Delta(0, "Hi")])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ModelRefused),
        (401, ModelRefused),
        (404, ModelRefused),
        (408, ModelTimeout),
        (413, ModelRefused),
        (429, ModelOverloaded),
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (504, ModelTimeout),
        (529, ModelOverloaded),
    ],
)
def test_a_status_says_whether_another_attempt_may_help(status: int, error: type[ModelFailed]) -> None:
    body = orjson.dumps({"type": "error", "error": {"type": "some_error", "message": "messages.0: wrong role"}})

    assert type(WIRE.read_error(status, body)) is error
    assert type(WIRE.read_error(status, b"<html>")) is error


@pytest.mark.parametrize(
    "words",
    [
        "invalid x-api-key sk-ant-api03-abcdefgh",
        "Bearer abcdefgh is not known",
        "key AKIAIOSFODNN7EXAMPLE is wrong",
        "cannot read `the customer's whole letter, which is long`",
        "bad blob " + "QUJD" * 20,
    ],
)
def test_words_of_a_provider_repeat_neither_keys_nor_the_request(words: str) -> None:
    said = str(WIRE.read_error(400, orjson.dumps({"error": {"type": "invalid_request_error", "message": words}})))

    for secret in ("abcdefgh", "IOSFODNN7", "customer", "QUJDQUJD"):
        assert secret not in said


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput("x"), "invalid_request_error"),
        (Uncarriable("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (Forbidden("x"), "permission_error"),
        (UnknownModel("x"), "not_found_error"),
        (TooLarge("x"), "request_too_large"),
        (BudgetExceeded("x"), "rate_limit_error"),
        (ModelUnavailable("x"), "overloaded_error"),
        (ModelTimeout("x"), "api_error"),
        (ReplyCut("x"), "api_error"),
    ],
)
def test_our_errors_come_as_clients_expect_them_with_our_code(error: InterlockError, kind: str) -> None:
    body = WIRE.write_error(error)

    assert body == {"type": "error", "error": {"type": kind, "message": "x.", "code": error.code}}
    (event,) = Splitter().feed(WIRE.stream_error(error))
    assert event.name == "error"
    assert orjson.loads(event.data) == body


def test_a_result_with_more_than_words_and_images_stays_whole_for_anthropic_and_is_refused_elsewhere() -> None:
    found = {"type": "search_result", "source": "a", "title": "b", "content": [{"type": "text", "text": "c"}]}
    turn = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [found]}]}
    body = ASK | {"messages": [turn]}
    request = WIRE.read_request(body)

    assert WIRE.write_request(request).body == body
    for other in (Gemini(), Bedrock()):
        with pytest.raises(Uncarriable, match="`tool_result` of anthropic"):
            other.write_request(request)


@pytest.mark.parametrize("status", [401, 403])
def test_of_a_refused_credential_nothing_is_repeated(status: int) -> None:
    error = WIRE.read_error(status, orjson.dumps({"error": {"type": "authentication_error", "message": "key tiny-1"}}))

    assert isinstance(error, ModelRefused)
    assert "tiny" not in str(error)
    assert "key of this provider" in str(error)
