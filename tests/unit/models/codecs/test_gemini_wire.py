"""What is particular to Gemini."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    ModelFailed,
    ModelOverloaded,
    ModelRefused,
    ModelUnavailable,
    Uncarriable,
)
from interlock.models.codecs.gemini import Gemini
from interlock.models.dialogue import (
    CacheFor,
    Document,
    Image,
    Message,
    Opaque,
    Request,
    Role,
    Text,
    Thinking,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)
from interlock.models.wire import SseEvent

WIRE = Gemini()
REQUEST = Request("gemini-2.5-pro", (Message(Role.USER, (Text("Hi"),)),))
CALLS = (
    *REQUEST.messages,
    Message(Role.ASSISTANT, (ToolUse("toolu_1", "a", "{}"), ToolUse("toolu_2", "b", "{}"))),
    Message(Role.USER, (ToolOutcome("toolu_2", (Text("2"),)),)),
    Message(Role.USER, (ToolOutcome("toolu_1", (Text('{"n": 1}'),)),)),
)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contents": []},
        {"contents": [None]},
        {"contents": [{"parts": "Hi"}]},
        {"contents": [{"parts": ["Hi"]}]},
        {"contents": [{"parts": []}], "generationConfig": {"maxOutputTokens": 0}},
        {"contents": [{"parts": []}], "generationConfig": []},
    ],
)
def test_a_wrong_field_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        WIRE.check(body)


def test_a_cap_holds_for_every_candidate() -> None:
    body: dict[str, Any] = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"candidateCount": 3}}

    assert WIRE.cap_of(body) is None
    WIRE.with_cap(body, 70)
    assert body["generationConfig"] == {"candidateCount": 3, "maxOutputTokens": 70}
    assert WIRE.cap_of(body) == 210


def test_results_name_the_tool_of_the_call_that_they_answer() -> None:
    contents = WIRE.write_request(replace(REQUEST, messages=CALLS)).body["contents"]

    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert [part["functionResponse"] for part in contents[2]["parts"]] == [
        {"id": "toolu_2", "name": "b", "response": {"result": "2"}},
        {"id": "toolu_1", "name": "a", "response": {"n": 1}},
    ]


def test_a_result_without_its_call_is_named_by_itself_or_by_its_id_or_refused() -> None:
    for outcome in (ToolOutcome("x", (), name="look"), ToolOutcome("call_3_look", ())):
        written = WIRE.write_request(replace(REQUEST, messages=(Message(Role.USER, (outcome,)),)))
        assert written.body["contents"][0]["parts"][0]["functionResponse"]["name"] == "look"
    with pytest.raises(Uncarriable):
        WIRE.write_request(replace(REQUEST, messages=(Message(Role.USER, (ToolOutcome("x", ()),)),)))


def test_calls_have_the_same_id_whenever_the_same_reply_is_read_and_another_in_another_reply() -> None:
    def ids(reply_id: str) -> list[str]:
        parts = [
            {"functionCall": {"name": name}} for name in ("look", "look", "a.name with characters, and very very long")
        ]
        body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "responseId": reply_id}
        return [call.id for call in WIRE.read_reply(body).proposals]

    assert ids("abcdefghij") == ids("abcdefghij")
    assert len({*ids("abcdefghij"), *ids("jihgfedcba")}) == 6
    assert ids("abcdefghij")[0] == "call_0_look_cdefghij"
    assert all(len(call) <= 40 for call in ids("abcdefghij"))


@pytest.mark.parametrize(("model", "signed"), [("gemini-2.5-pro", False), ("gemini-3-pro-preview", True)])
def test_calls_of_another_model_pass_the_check_of_signatures(model: str, signed: bool) -> None:
    parts = WIRE.write_request(replace(REQUEST, model=model, messages=CALLS)).body["contents"][1]["parts"]

    assert ("thoughtSignature" in parts[0]) is signed
    assert "thoughtSignature" not in parts[1]


@pytest.mark.parametrize(
    ("model", "change", "thinking"),
    [
        ("gemini-2.5-pro", {"effort": "medium"}, {"thinkingBudget": 8192}),
        ("gemini-3-pro-preview", {"effort": "medium"}, {"thinkingLevel": "MEDIUM"}),
        ("gemini-2.5-flash", {"effort": "none"}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinking_budget": 2000}, {"thinkingBudget": 2000, "includeThoughts": True}),
        ("gemini-2.5-pro", {"thinking_budget": 0}, {"thinkingBudget": 0}),
    ],
)
def test_how_hard_to_think_is_said_as_the_model_knows_it(model: str, change: dict[str, Any], thinking: Any) -> None:
    written = WIRE.write_request(replace(REQUEST, model=model, **change))

    assert written.body["generationConfig"]["thinkingConfig"] == thinking
    assert written.lost == ()


def test_schemas_in_openapi_s_words_are_read_as_json_schema() -> None:
    parameters = {"type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}, "required": ["city"]}
    tools = [{"functionDeclarations": [{"name": "look", "parameters": parameters}]}]
    (tool,) = WIRE.read_request({"contents": [{"parts": [{"text": "Hi"}]}], "tools": tools}).tools

    assert tool.schema == {
        "type": "object",
        "properties": {"city": {"type": ["string", "null"]}},
        "required": ["city"],
    }


@pytest.mark.parametrize(
    "part",
    [
        Image(url="https://example.org/a.png"),
        Document("application/pdf", url="https://example.org/a.pdf"),
        Opaque("openai", {}),
    ],
)
def test_what_must_not_be_lost_is_refused(part: Any) -> None:
    with pytest.raises(Uncarriable):
        WIRE.write_request(replace(REQUEST, messages=(Message(Role.USER, (part,)),)))


@pytest.mark.parametrize(
    "change",
    [
        {"user": "u-1"},
        {"parallel_tools": False},
        {"tools": (ToolSpec("f", {}, strict=True),)},
        {"tools": (ToolSpec("f", {}, cache=CacheFor.SHORT),)},
        {"messages": (Message(Role.USER, (Text("Hi", CacheFor.LONG),)),)},
        {"messages": (Message(Role.ASSISTANT, (Text("Hi"), Thinking("So", "sig", "anthropic"))),)},
        {"extras": {"logit_bias": {}}, "vendor": "openai"},
        {"effort": "max"},
    ],
)
def test_what_is_lost_is_said(change: dict[str, Any]) -> None:
    assert len(WIRE.write_request(replace(REQUEST, **change)).lost) == 1


def test_a_reply_that_is_neither_a_candidate_nor_a_refusal_is_none() -> None:
    with pytest.raises(BadModelReply):
        WIRE.see({"usageMetadata": {"promptTokenCount": 3}})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, ModelOverloaded),
        ({"code": 503, "status": "UNAVAILABLE"}, ModelUnavailable),
        ({"code": 400, "status": "INVALID_ARGUMENT"}, ModelRefused),
        ({"code": 429}, ModelOverloaded),
        ({}, ModelUnavailable),
    ],
)
def test_an_error_in_a_stream_or_a_200_is_the_provider_s_error(
    error: dict[str, Any], expected: type[ModelFailed]
) -> None:
    body = {"error": error}
    for look in (WIRE.tap(hide_usage=False).feed, WIRE.reader().read):
        with pytest.raises(expected):
            look(SseEvent(b"", orjson.dumps(body)))
    with pytest.raises(expected):
        WIRE.see(body)


def test_how_long_to_wait_is_read_from_the_error() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}]
    body = [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota", "details": details}}]

    assert WIRE.read_error(429, orjson.dumps(body)).retry_after_s == 12.5
