"""Output that was asked for in a shape has it, or is withheld with the reasons."""

import pytest

from interlock.domain.errors import BadInput
from interlock.models.dialogue import Message, OutputSchema, Reply, Request, Role, Stop, Text, ToolUse
from interlock.models.structured import repaired, shape_of

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "celsius": {"type": "number"}},
    "required": ["city", "celsius"],
    "additionalProperties": False,
}


def reply(text: str, stop: Stop = Stop.END) -> Reply:
    return Reply((Text(text),), stop)


def test_output_of_the_right_shape_has_no_problems() -> None:
    assert shape_of(OutputSchema(SCHEMA)).problems(reply('{"city": "Oslo", "celsius": 7}')) == ()


@pytest.mark.parametrize(
    ("text", "stop", "why"),
    [
        ("Here you are: {}", Stop.END, "not JSON"),
        ('{"city": "Oslo"}', Stop.END, "celsius"),
        ('{"city": 3, "celsius": 7}', Stop.END, "/city"),
        ('{"city": "Oslo", "celsius": 7, "wind": 3}', Stop.END, "wind"),
        ('{"city": "Os', Stop.LENGTH, "cap"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, stop: Stop, why: str) -> None:
    found = shape_of(OutputSchema(SCHEMA)).problems(reply(text, stop))
    assert any(why in problem for problem in found), found


def test_a_reply_that_only_calls_tools_is_not_output_yet() -> None:
    calling = Reply((ToolUse("c1", "look", "{}"),), Stop.TOOLS)
    assert shape_of(OutputSchema(SCHEMA)).problems(calling) == ()


def test_any_object_will_do_where_no_schema_was_given() -> None:
    shape = shape_of(OutputSchema(None))
    assert shape.problems(reply("{}")) == ()
    assert shape.problems(reply("[]"))


def test_a_schema_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        shape_of(OutputSchema({"type": "nonsense"}))


def test_a_schema_fetches_nothing() -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        shape_of(OutputSchema({"$ref": "https://example.com/schema.json"}))


def test_a_repair_tells_the_model_what_it_said_and_what_is_wrong() -> None:
    request = Request("m", (Message(Role.USER, (Text("weather"),)),))
    asked = repaired(request, reply("no"), ("At /city: missing",))
    assert asked.messages[:1] == request.messages
    assert asked.messages[1] == Message(Role.ASSISTANT, (Text("no"),))
    assert "At /city: missing" in str(asked.messages[2].parts[0])
