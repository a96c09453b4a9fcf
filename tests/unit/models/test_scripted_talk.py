"""A script talks in model conversations: it knows its own calls again, keeps to the cap and counts what it says."""

from typing import Any

import pytest

from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError
from interlock.domain.models import Usage
from interlock.models.dialogue import (
    Message,
    Reply,
    Request,
    Role,
    Stop,
    Text,
    Thinking,
    ToolOutcome,
    ToolUse,
)
from interlock.models.scripted import script
from interlock.models.scripted_talk import conversation_of, reply_of, rule_marks

RULES: list[dict[str, Any]] = [
    {
        "id": "both",
        "last": r"weather in (?P<a>\w+) and (?P<b>\w+)",
        "calls": [{"tool": "sky", "arguments": {"city": "{a}"}}, {"tool": "sky", "arguments": {"city": "{b}"}}],
        "think": "Two: {a}, {b}.",
        "say": "Looking.",
    },
    {"id": "again", "result": "try again", "tool": "sky", "arguments": {"city": "Rome"}, "times": 2},
    {"id": "told", "ended": ["denied"], "say": "I may not."},
    {"id": "second", "step": 1, "after": ["sky"], "say": "It is {sky}."},
    {"id": "small", "model": "^small", "say": "Small talk only, and a good deal of it."},
    {"id": "shape", "user": "as JSON", "json": {"city": "Bonn", "warm": True}},
]


def said(words: str) -> Message:
    return Message(Role.USER, (Text(words),))


def results(*outcomes: tuple[str, str]) -> Message:
    return Message(Role.USER, tuple(ToolOutcome(call, (Text(text),)) for call, text in outcomes))


def ask(*messages: Message, model: str = "m", cap: int | None = None) -> Reply:
    rules = script(RULES)
    request = Request(model, messages, max_tokens=cap)
    reply, _ = reply_of(
        rules, request, "ab" * 32, vendor="anthropic", count=lambda text: len(text.split()), rules=rule_marks(rules)
    )
    return reply


def answered(reply: Reply, text: str) -> tuple[Message, Message]:
    return Message(Role.ASSISTANT, reply.parts), results(*((use.id, text) for use in reply.proposals))


def test_several_calls_are_proposed_together() -> None:
    reply = ask(said("What is the weather in Bonn and Rome?"))
    thinking, words, first, second = reply.parts
    assert isinstance(thinking, Thinking)
    assert (thinking.text, thinking.vendor, bool(thinking.signature)) == ("Two: Bonn, Rome.", "anthropic", True)
    assert words == Text("Looking.")
    assert isinstance(first, ToolUse)
    assert isinstance(second, ToolUse)
    assert (first.name, first.arguments, second.arguments) == ("sky", '{"city":"Bonn"}', '{"city":"Rome"}')
    assert first.id != second.id
    assert reply.stop is Stop.TOOLS


def test_a_rule_knows_its_own_calls_again() -> None:
    first = said("What is the weather in Bonn and Rome?")
    reply = ask(first)
    assert ask(first, *answered(reply, "blue")).text == "It is blue."
    once = ask(first, *answered(reply, "try again"))
    assert [use.arguments for use in once.proposals] == ['{"city":"Rome"}']
    twice = ask(first, *answered(reply, "try again"), *answered(once, "try again"))
    assert twice.proposals
    thrice = ask(first, *answered(reply, "try again"), *answered(once, "try again"), *answered(twice, "try again"))
    assert not thrice.proposals, "no more often than it may"


def test_calls_with_ids_of_another_format_count_by_their_tool() -> None:
    use = Message(Role.ASSISTANT, (ToolUse("call_0_sky", "sky", "{}"),))
    request = Request("m", (said("go"), use, results(("call_0_sky", "try again"))))
    assert conversation_of(request).turns[1:] != ()
    told = (said("go"), use, results(("call_0_sky", "try again")))
    assert ask(*told).proposals
    assert not ask(*told, *told[1:]).proposals


@pytest.mark.parametrize(
    ("text", "status", "content"),
    [
        ('{"status": "denied", "content": "no"}', "denied", "no"),
        (
            '{"status": "denied", "call_id": "c", "run": "r"}',
            "denied",
            {"status": "denied", "call_id": "c", "run": "r"},
        ),
        ('{"status": "open", "total": 3}', "succeeded", {"status": "open", "total": 3}),
        ("NaN", "succeeded", "NaN"),
        ("12", "succeeded", 12),
    ],
)
def test_a_result_says_how_its_call_ended(text: str, status: str, content: Json) -> None:
    use = Message(Role.ASSISTANT, (ToolUse("c1", "sky", "{}"),))
    (done,) = conversation_of(Request("m", (use, results(("c1", text))))).turns
    assert (done.status, done.content, done.tool) == (status, content, "sky")  # type: ignore[union-attr]


def test_a_rule_can_ask_for_the_model_and_for_json() -> None:
    assert ask(said("hi"), model="small-1").text.startswith("Small talk")
    assert ask(said("as JSON, please")).text == '{"city":"Bonn","warm":true}'
    assert ask(said("hi")).text == "", "silence is a reply"


def test_a_reply_is_no_longer_than_its_cap() -> None:
    reply = ask(said("hi"), model="small", cap=3)
    assert (reply.text, reply.stop) == ("Small talk only,", Stop.LENGTH)
    assert reply.usage is not None
    assert reply.usage.output == 3


def test_usage_is_what_the_counter_counts() -> None:
    reply = ask(said("What is the weather in Bonn and Rome?"))
    assert reply.usage == Usage(input=4 + 8, output=3 + 1 + 2 + 2, reasoning=3)


@pytest.mark.parametrize(
    "mistake",
    [
        {"calls": [{"arguments": {}}]},
        {"calls": "sky"},
        {"calls": [], "tool": "sky"},
        {"error": {"status": 200}},
        {"error": {"status": 429, "retry_after": "soon"}},
        {"error": {"kind": 1}},
        {"delay": {"first": 1}},
        {"delay": 3},
        {"usage": {"tokens": 3}},
        {"usage": {"input": -3}},
        {"cut_after": -1},
        {"step": "first"},
        {"stop": "never"},
        {"model": 3},
        {"say": ["x"]},
        {"after": "sky"},
    ],
)
def test_a_mistake_names_its_rule(mistake: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^Rule 'x'"):
        script([{"id": "x", **mistake}])
