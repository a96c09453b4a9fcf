"""What is particular to Bedrock's Converse."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    ModelFailed,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    Uncarriable,
)
from interlock.models.codecs.anthropic import Anthropic
from interlock.models.codecs.bedrock import Bedrock
from interlock.models.dialogue import (
    Choice,
    Document,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Request,
    Role,
    Text,
    Thinking,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)
from interlock.models.sse import Splitter
from interlock.models.wire import SseEvent

WIRE = Bedrock()
REQUEST = Request("amazon.nova-pro-v1:0", (Message(Role.USER, (Text("Hi"),)),))
CLAUDE = "eu.anthropic.claude-opus-4-5-20251101-v1:0"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [None]},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": ["Hi"]}]},
        {"messages": [{"role": "user", "content": []}], "inferenceConfig": {"maxTokens": 0}},
    ],
)
def test_a_wrong_field_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        WIRE.check(body)


def test_a_cap_is_set_beside_what_is_there() -> None:
    body: dict[str, Any] = {"messages": [], "inferenceConfig": {"topP": 0.5}}
    WIRE.with_cap(body, 70)

    assert body["inferenceConfig"] == {"topP": 0.5, "maxTokens": 70}
    assert WIRE.cap_of(body) == 70


def test_roles_take_turns_and_empty_words_are_left_out() -> None:
    messages = (
        Message(Role.USER, (Text("Hi"),)),
        Message(Role.ASSISTANT, (Text(""), ToolUse("a", "f", "{}"))),
        Message(Role.USER, (ToolOutcome("a", (Text("1"),)),)),
        Message(Role.USER, (Text("So?"),)),
    )
    written = WIRE.write_request(replace(REQUEST, messages=messages)).body["messages"]

    assert [(message["role"], [next(iter(block)) for block in message["content"]]) for message in written] == [
        ("user", ["text"]),
        ("assistant", ["toolUse"]),
        ("user", ["toolResult", "text"]),
    ]


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://example.org/a.png"),
        Image("image/tiff", "AA=="),
        Document("application/pdf", url="https://example.org/a.pdf"),
        Document("application/zip", "AA=="),
        Opaque("anthropic", {"type": "container_upload"}),
        Opaque("gemini", {"fileData": {}}),
    ],
)
def test_what_must_not_be_lost_is_refused(part: Any) -> None:
    with pytest.raises(Uncarriable):
        WIRE.write_request(replace(REQUEST, messages=(Message(Role.USER, (part,)),)))


def test_tools_that_must_not_be_called_are_not_offered_or_the_call_is_refused() -> None:
    """The format cannot forbid calls, and must be told of tools that were called."""
    request = replace(REQUEST, tools=(ToolSpec("f", {}),), choice=Choice.NONE)
    written = WIRE.write_request(request)

    assert "toolConfig" not in written.body
    assert len(written.lost) == 1
    called = (*REQUEST.messages, Message(Role.ASSISTANT, (ToolUse("a", "f", "{}"),)))
    with pytest.raises(Uncarriable):
        WIRE.write_request(replace(request, messages=called))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"user": "u-1"},
        {"temperature": 1.5},
        {"top_k": 40},
        {"thinking_budget": 2048},
        {"output": OutputSchema(None)},
        {"tools": (ToolSpec("f", {}),), "parallel_tools": False},
        {"messages": (Message(Role.ASSISTANT, (Text("Hi"), Thinking("So", "sig", "anthropic"))),)},
        {"messages": (Message(Role.USER, (Document("text/plain", "Hi", name="a.b/c"),)),)},
    ],
)
def test_what_is_lost_is_said(change: dict[str, Any]) -> None:
    assert len(WIRE.write_request(replace(REQUEST, **change)).lost) == 1


def test_claude_takes_here_what_it_takes_at_home() -> None:
    turn = Message(Role.ASSISTANT, (Thinking("So", "sig", "anthropic"), Text("Hi")))
    request = replace(REQUEST, model=CLAUDE, messages=(*REQUEST.messages, turn), top_k=40, thinking_budget=2048)
    written = WIRE.write_request(request)

    assert written.lost == ()
    assert written.body["additionalModelRequestFields"] == {
        "top_k": 40,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
    }
    reasoning = written.body["messages"][1]["content"][0]["reasoningContent"]
    assert reasoning == {"reasoningText": {"text": "So", "signature": "sig"}}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("throttlingException", ModelOverloaded),
        ("serviceUnavailableException", ModelUnavailable),
        ("internalServerException", ModelUnavailable),
        ("modelStreamErrorException", ModelUnavailable),
        ("validationException", ModelRefused),
        ("modelTimeoutException", ModelTimeout),
    ],
)
def test_an_exception_in_a_stream_is_the_provider_s_error(name: str, error: type[ModelFailed]) -> None:
    for event in (
        SseEvent(b"", b'{"message": "Too many"}', name),
        SseEvent(b"", orjson.dumps({"message": "Too many", "__type": name}), "error"),
        SseEvent(b"", orjson.dumps({"message": "Too many", "__type": name}), "SomeFutureCode"),
    ):
        for look in (WIRE.tap(hide_usage=False).feed, WIRE.reader().read):
            with pytest.raises(error):
                look(event)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (429, "ThrottlingException", ModelOverloaded),
        (429, "ModelNotReadyException", ModelUnavailable),
        (424, "ModelErrorException", ModelUnavailable),
        (408, "ModelTimeoutException", ModelTimeout),
        (400, "ValidationException", ModelRefused),
        (403, "AccessDeniedException", ModelRefused),
        (500, "com.amazon#InternalServerException", ModelUnavailable),
    ],
)
def test_a_status_says_whether_another_attempt_may_help(status: int, kind: str, error: type[ModelFailed]) -> None:
    assert type(WIRE.read_error(status, orjson.dumps({"__type": kind, "message": "No"}))) is error


def test_a_200_that_holds_no_output_is_no_reply() -> None:
    with pytest.raises(ModelFailed):
        WIRE.see({"message": "Try again", "__type": "ServiceUnavailableException"})
    with pytest.raises(BadModelReply):
        WIRE.see({"usage": {}})


def test_our_errors_in_a_stream_are_exceptions_with_our_code() -> None:
    (event,) = Splitter().feed(WIRE.stream_error(BudgetExceeded("x")))

    assert event.name == "throttlingException"
    assert orjson.loads(event.data)["code"] == "budget_exceeded"


def test_messages_end_without_metadata_is_not_the_end() -> None:
    reader = WIRE.reader()
    reader.read(SseEvent(b"", b'{"stopReason": "end_turn"}', "messageStop"))

    assert not reader.finished


def test_a_result_with_more_than_words_and_images_stays_whole_for_its_own_vendor() -> None:
    content = [{"text": "See"}, {"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBERi0="}}}]
    body = {"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": content}}]}]}
    request = WIRE.read_request(body)

    assert WIRE.write_request(request).body == body
    with pytest.raises(Uncarriable, match="`toolResult` of bedrock"):
        Anthropic().write_request(request)
