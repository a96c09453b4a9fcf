"""OpenAI's responses request, read into the neutral request."""

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_parts import ODD, RESPONSES, refuse
from interlock.models.codecs.openai_responses_items import read_items
from interlock.models.dialogue import Choice, Message, OutputSchema, Request, Role, Text, ToolSpec

ENCRYPTED = "reasoning.encrypted_content"
_NEUTRAL = frozenset(
    {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens"}
    | {"temperature", "top_p", "text", "reasoning", "stream", "user", "include", "background", "top_logprobs"}
)
_REFUSED = {
    "previous_response_id": "earlier responses are kept by the provider that made them",
    "conversation": "conversations are kept by the provider that made them",
    "prompt": "prompt templates are kept by the provider that has them",
    "background": "other formats answer while the caller waits",
    "context_management": "the provider's own shortening of the conversation cannot be asked of another",
    "moderation": "the provider's own moderation cannot be asked of another",
}
_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "required": Choice.ANY}
_READ_IN_PART = {"reasoning": {"effort"}, "text": {"format"}}
_DEFAULTS = {"store": False, "truncation": "disabled"}


def read_request(body: JsonObject) -> Request:
    """Return the request. Raises BadInput, naming the field."""
    top = Field(body)
    _refuse(top)
    odd: set[str] = set()
    tools, fields = _read_tools(top)
    choice, chosen = _read_choice(top["tool_choice"])
    messages = _read_messages(top, odd)
    extras: dict[str, Json] = {"fields of tools": fields, ODD: sorted(odd)}
    for name, known in _READ_IN_PART.items():
        if top[name].given:
            extras[name] = {k: v for k, v in top[name].object().items() if k not in known and v is not None}
    extras = {name: value for name, value in extras.items() if value}
    extras |= {k: v for k, v in body.items() if k not in _NEUTRAL and v is not None and _DEFAULTS.get(k) != v}
    return Request(
        model=top["model"].name(),
        messages=messages,
        tools=tools,
        choice=choice,
        chosen=chosen,
        parallel_tools=top["parallel_tool_calls"].flag(),
        max_tokens=top["max_output_tokens"].integer(1),
        temperature=top["temperature"].number(),
        top_p=top["top_p"].number(),
        output=_read_output(top["text"]["format"]) if top["text"].given else None,
        effort=top["reasoning"]["effort"].text("") if top["reasoning"].given else "",
        stream=bool(top["stream"].flag()),
        user=top["user"].text(""),
        extras=extras,
        vendor=RESPONSES if extras else "",
    )


def _refuse(top: Field) -> None:
    for name, why in _REFUSED.items():
        if top[name].given and top[name].value is not False:
            raise refuse(top[name], why)
    if top["top_logprobs"].integer():
        raise refuse(top["top_logprobs"], "other formats do not tell probabilities of tokens")
    if any(value != ENCRYPTED for value in top["include"].texts()):
        raise refuse(top["include"], f"of what can be included, only `{ENCRYPTED}` has a counterpart")


def _read_messages(top: Field, odd: set[str]) -> tuple[Message, ...]:
    instructions, said = top["instructions"], top["input"]
    messages = (Message(Role.SYSTEM, (Text(words),)),) if (words := instructions.text("")) else ()
    if isinstance(said.value, str):
        return (*messages, Message(Role.USER, (Text(said.value),)))
    if not isinstance(said.value, list) or not said.value:
        raise said.error("text, or a list with at least one item")
    return messages + read_items(said, odd)


_TOOL_FIELDS = {"type", "name", "description", "parameters", "strict"}


def _read_tools(top: Field) -> tuple[tuple[ToolSpec, ...], dict[str, Json]]:
    """Return the tools, and by name what of them has no neutral meaning."""
    tools: list[ToolSpec] = []
    fields: dict[str, Json] = {}
    for tool in top["tools"].items():
        if tool["type"].text() != "function":
            raise refuse(tool["type"], "only tools of the type `function` can be translated")
        name, schema = tool["name"].name(), tool["parameters"]
        shape = schema.object() if schema.given else {}
        tools.append(ToolSpec(name, shape, tool["description"].text(""), tool["strict"].flag()))
        if rest := {k: v for k, v in tool.object().items() if k not in _TOOL_FIELDS and v is not None}:
            fields[name] = rest
    return tuple(tools), fields


def _read_choice(choice: Field) -> tuple[Choice | None, str]:
    if not choice.given:
        return None, ""
    if isinstance(choice.value, str):
        if choice.value not in _CHOICES:
            raise choice.error("one of auto, none, required, or the name of a function")
        return _CHOICES[choice.value], ""
    if choice["type"].text() != "function":
        raise refuse(choice, f"the choice `{choice['type'].text()}` has no counterpart in other formats")
    return Choice.ONE, choice["name"].name()


def _read_output(shape: Field) -> OutputSchema | None:
    if not shape.given:
        return None
    match shape["type"].text():
        case "text":
            return None
        case "json_object":
            return OutputSchema(None)
        case "json_schema":
            name, strict = shape["name"].text(""), shape["strict"].flag()
            return OutputSchema(shape["schema"].object(), name, strict, shape["description"].text(""))
    raise shape["type"].error("one of text, json_object, json_schema")
