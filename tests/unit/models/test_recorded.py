"""What a model once said is found again, by name or by how the conversation went."""

from typing import Any

import pytest

from interlock.domain.errors import MalformedJson, UnknownModel
from interlock.domain.models import Usage
from interlock.models.dialogue import Message, Request, Role, Text, ToolOutcome, ToolUse
from interlock.models.recorded import Rates, Recordings, conversation_of


def record(task: str, *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"source": "bench", "suite": "shop", "task_id": task, "model": "gpt", "messages": list(messages), **more}


def call(name: str, arguments: Any, id: str = "c1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


HELLO = {"role": "assistant", "content": "Hi! How can I help you today?"}
FIRST = record(
    "1",
    HELLO,
    {"role": "user", "content": "Where is my mug?"},
    {"role": "assistant", "content": None, "tool_calls": [call("find", {"b": 1, "a": "mug"}), call("look", {}, "c2")],
     "usage": {"prompt_tokens": 100, "completion_tokens": 9}, "cost_usd": 0.000197},
    {"role": "tool", "tool_call_id": "c1", "content": "on the table"},
    {"role": "tool", "tool_call_id": "c2", "content": "nothing"},
    {"role": "assistant", "content": "On the table.", "usage": {"prompt_tokens": 130, "completion_tokens": 4}},
    trial=0,
)  # fmt: skip
SECOND = record(
    "2", HELLO, {"role": "user", "content": "Where is my hat?"}, {"role": "assistant", "content": "Gone."}, trial=0
)
THIRD = record(
    "1",
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "Where is my mug?"},
    {"role": "assistant", "content": "Which?", "tool_calls": [call("find", '{"a": "mug",  "b": 1}', "x")]},
    source="other",
)


def recordings() -> Recordings:
    return Recordings(conversation_of(one) for one in (FIRST, SECOND, THIRD))


def user(text: str) -> Message:
    return Message(Role.USER, (Text(text),))


GREETING = Message(Role.ASSISTANT, (Text(HELLO["content"]),))
CALLS = Message(Role.ASSISTANT, (ToolUse("a", "find", '{"a":"mug","b":1}'), ToolUse("b", "look", "{}")))
RESULTS = Message(Role.USER, (ToolOutcome("a", (Text("on the table"),)), ToolOutcome("b", (Text("nothing"),))))


def said(*messages: Message, names: tuple[str, ...] = ()) -> str:
    spoken, _ = recordings().next_reply(Request("recorded", messages), names)
    return "".join(part.text if isinstance(part, Text) else f"<{getattr(part, 'name', '')}>" for part in spoken.parts)


def test_a_conversation_is_played_reply_by_reply() -> None:
    label = ("bench:shop:1",)
    assert said(names=label) == HELLO["content"]
    assert said(GREETING, user("Where is my mug?"), names=label) == "<find><look>"
    assert said(GREETING, user("Where is my mug?"), CALLS, RESULTS, names=label) == "On the table."
    with pytest.raises(UnknownModel, match="over"):
        said(GREETING, user("?"), CALLS, RESULTS, GREETING, user("And?"), names=label)


def test_a_greeting_may_be_left_out() -> None:
    assert said(user("Where is my mug?"), names=("bench:shop:1",)) == "<find><look>"
    assert said(user("Where is my hat?")) == "Gone."


def test_the_rest_is_played_as_it_stands_when_a_call_was_not_carried_out() -> None:
    blocked = Message(Role.USER, (ToolOutcome("a", (Text("denied"),), is_error=True), ToolOutcome("b", (Text("no"),))))
    assert said(GREETING, user("Where is my mug?"), CALLS, blocked, names=("bench:shop:1",)) == "On the table."
    assert said(GREETING, user("Where is my mug?"), CALLS, blocked) == "On the table."


def test_a_conversation_is_found_by_how_it_went() -> None:
    system = Message(Role.SYSTEM, (Text("Other words."),))
    assert said(system, GREETING, user("Where is my hat?")) == "Gone."
    assert said(GREETING, user("Where is my mug?"), CALLS, RESULTS) == "On the table."
    with pytest.raises(UnknownModel, match="begins like"):
        said(GREETING, user("Where is my coat?"))
    with pytest.raises(UnknownModel, match="begins like"):
        said()


def test_a_label_that_stands_for_several_is_refused() -> None:
    twice = Recordings(conversation_of(one) for one in (FIRST, {**FIRST, "model": "claude"}))
    assert twice.labels == ("bench:shop:1:0@gpt", "bench:shop:1:0@claude")
    with pytest.raises(UnknownModel, match="bench:shop:1:0@claude"):
        twice.next_reply(Request("m", ()), ("bench:shop:1",))
    assert twice.next_reply(Request("m", ()), ("bench:shop:1:0@claude",))


def test_the_recorded_usage_is_kept_and_what_the_cost_implies_is_found() -> None:
    spoken, _ = recordings().next_reply(Request("m", (user("Where is my mug?"),)), ("bench:shop:1",))
    assert spoken.usage == Usage(input=100, output=9)
    rated = Recordings([conversation_of(FIRST, {"gpt": Rates(2_000, 500, 8_000)})])
    spoken, _ = rated.next_reply(Request("m", (user("Where is my mug?"),)), ("bench:shop:1",))
    assert spoken.usage == Usage(input=100, output=9, cache_read=50)


@pytest.mark.parametrize(("cost", "cached"), [(0.000272, 0), (0.000122, 100), (0.000197, 50), (0.000198, 0), (9.0, 0)])
def test_only_a_whole_number_of_cached_tokens_is_implied(cost: float, cached: int) -> None:
    assert Rates(2_000, 500, 8_000).cache_read_of(100, 9, cost) == cached
    assert Rates(2_000, 2_000, 8_000).cache_read_of(100, 9, cost) == 0


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"messages": 3},
        record("1", {"content": "x"}),
        record("1", {"role": "user"}) | {"suite": 1, "messages": [[]]},
    ],
)
def test_what_is_no_record_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedJson):
        conversation_of(broken)
