"""OpenAI's chat completions request, read into the neutral request."""

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.fields import Field
from interlock.models.codecs.openai_parts import ODD, VENDOR, note_odd, read_cache, read_file, read_image, refuse
from interlock.models.codecs.openai_thinking import read_seal, read_thinking
from interlock.models.dialogue import (
    CacheFor,
    Choice,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Request,
    Role,
    Text,
    Thinking,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)

_NEUTRAL = frozenset(
    {"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens", "max_completion_tokens"}
    | {
        "temperature",
        "top_p",
        "stop",
        "seed",
        "response_format",
        "reasoning_effort",
        "stream",
        "stream_options",
        "user",
    }
    | {"n", "modalities", "logprobs"}
)
_REFUSED = {
    "functions": "it is the old form of `tools`",
    "function_call": "it is the old form of `tool_choice`",
    "audio": "the reply would have to be spoken",
    "web_search_options": "the provider's own search cannot be asked of another",
    "moderation": "the provider's own moderation cannot be asked of another",
}
CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "required": Choice.ANY}


def read_request(body: JsonObject) -> Request:
    """Return the request. Raises BadInput, naming the field."""
    top = Field(body)
    _refuse(top)
    odd: set[str] = set()
    tools, fields = _read_tools(top)
    extras: dict[str, Json] = {k: v for k, v in body.items() if k not in _NEUTRAL and v is not None}
    if extras.get("store") is False:
        del extras["store"]
    choice, chosen = _read_choice(top["tool_choice"])
    options = top["stream_options"]
    stop = top["stop"]
    # Before anything is asked: messages fill `odd`.
    messages = _read_messages(top, odd)
    extras |= {name: value for name, value in (("fields of tools", fields), (ODD, sorted(odd))) if value}
    return Request(
        model=top["model"].name(),
        messages=messages,
        tools=tools,
        choice=choice,
        chosen=chosen,
        parallel_tools=top["parallel_tool_calls"].flag(),
        max_tokens=cap_of(top),
        temperature=top["temperature"].number(),
        top_p=top["top_p"].number(),
        stop=(stop.value,) if isinstance(stop.value, str) else stop.texts(),
        seed=top["seed"].integer(-(2**63)),
        output=_read_output(top["response_format"]),
        effort=top["reasoning_effort"].text(""),
        stream=bool(top["stream"].flag()),
        stream_usage=bool(options["include_usage"].flag()) if options.given else False,
        user=top["user"].text(""),
        extras=extras,
        vendor=VENDOR if extras else "",
    )


def cap_of(top: Field) -> int | None:
    """Return the cap on one reply; the larger one where both names are used."""
    said = top.object()
    given = [name for name in ("max_completion_tokens", "max_tokens") if name in said]
    return max((cap for name in given if (cap := top[name].integer(1)) is not None), default=None) if given else None


def _refuse(top: Field) -> None:
    for name, why in _REFUSED.items():
        if top[name].given:
            raise refuse(top[name], why)
    if (top["n"].integer(1) or 1) != 1:
        raise refuse(top["n"], "only one reply at a time can be translated", "Ask several times")
    if top["logprobs"].flag():
        raise refuse(top["logprobs"], "other formats do not tell probabilities of tokens")
    if any(modality != "text" for modality in top["modalities"].texts()):
        raise refuse(top["modalities"], "only text can be translated")


def _read_messages(top: Field, odd: set[str]) -> tuple[Message, ...]:
    messages: list[Message] = []
    for message in top["messages"].items():
        match message["role"].text():
            case "system" | "developer":
                note_odd(message, {"role", "content", "name"}, odd)
                found = Message(Role.SYSTEM, _read_content(message["content"], odd), message["name"].text(""))
            case "user":
                note_odd(message, {"role", "content", "name"}, odd)
                found = Message(Role.USER, _read_content(message["content"], odd), message["name"].text(""))
            case "assistant":
                found = Message(Role.ASSISTANT, _read_answer(message, odd), message["name"].text(""))
            case "tool":
                outcome = _read_outcome(message, odd)
                last = messages[-1] if messages else None
                if last is not None and isinstance(last.parts[-1] if last.parts else None, ToolOutcome):
                    messages[-1] = Message(Role.USER, (*last.parts, outcome))
                    continue
                found = Message(Role.USER, (outcome,))
            case "function":
                raise refuse(message["role"], "it is the old form of `tool`")
            case _:
                raise message["role"].error("one of system, developer, user, assistant, tool")
        messages.append(found)
    if not messages:
        raise top["messages"].error("a list with at least one message")
    return tuple(messages)


def _read_content(content: Field, odd: set[str]) -> tuple[Part, ...]:
    if isinstance(content.value, str):
        return (Text(content.value),)
    if not content.given:
        raise content.error("text or a list of parts")
    return tuple(_read_part(part, odd) for part in content.items())


def _read_part(part: Field, odd: set[str]) -> Part:
    kind = part["type"].text()
    match kind:
        case "text":
            note_odd(part, {"type", "text", "prompt_cache_breakpoint"}, odd)
            return Text(part["text"].text(), read_cache(part))
        case "refusal":
            return Text(part["refusal"].text())
        case "image_url":
            note_odd(part, {"type", "image_url", "prompt_cache_breakpoint"}, odd)
            image = part["image_url"]
            return read_image(image["url"], image["detail"].text(""), read_cache(part))
        case "file" if part["file"]["file_data"].given:
            file = part["file"]
            return read_file(file["file_data"], file["filename"].text(""), read_cache(part))
    return Opaque(VENDOR, part.object())


_ANSWER = {"role", "content", "name", "refusal", "tool_calls", "annotations", "reasoning", "reasoning_content"} | {
    "reasoning_details"
}


def _read_answer(message: Field, odd: set[str]) -> tuple[Part, ...]:
    """Return the parts of an earlier reply that is told again."""
    if message["function_call"].given:
        raise refuse(message["function_call"], "it is the old form of `tool_calls`")
    if message["audio"].given:
        raise refuse(message["audio"], "spoken replies are kept by the provider that spoke")
    note_odd(message, _ANSWER, odd)
    content = message["content"]
    parts: list[Part] = list(read_thinking(message))
    if content.given:
        parts += [part for part in _read_content(content, odd) if part != Text("")]
    if refusal := message["refusal"].text(""):
        parts.append(Text(refusal))
    parts += [read_call(call) for call in message["tool_calls"].items()]
    return tuple(parts)


def read_call(call: Field) -> Part:
    """Return a tool call of a reply; one that is no function stays as it is."""
    if call["type"].text("function") != "function":
        return Opaque(VENDOR, call.object())
    function = call["function"]
    return ToolUse(
        call["id"].text(""), function["name"].name(), function["arguments"].text(""), signature=read_seal(call)
    )


def _read_outcome(message: Field, odd: set[str]) -> ToolOutcome:
    note_odd(message, {"role", "content", "tool_call_id", "name"}, odd)
    parts: list[Text | Image] = []
    for part in _read_content(message["content"], odd):
        if not isinstance(part, Text | Image):
            raise refuse(message["content"], "only text and images in results of tools can be translated")
        parts.append(part)
    return ToolOutcome(message["tool_call_id"].name(), tuple(parts), name=message["name"].text(""))


def _read_tools(top: Field) -> tuple[tuple[ToolSpec, ...], dict[str, Json]]:
    """Return the tools, and by name what of them has no neutral meaning."""
    tools: list[ToolSpec] = []
    fields: dict[str, Json] = {}
    for tool in top["tools"].items():
        if tool["type"].text() != "function":
            raise refuse(tool["type"], "only tools of the type `function` can be translated")
        function = tool["function"]
        name, schema = function["name"].name(), function["parameters"]
        shape = schema.object() if schema.given else {}
        tools.append(ToolSpec(name, shape, function["description"].text(""), function["strict"].flag(), CacheFor.NO))
        known = {"name", "parameters", "description", "strict"}
        if rest := {key: value for key, value in function.object().items() if key not in known}:
            fields[name] = rest
    return tuple(tools), fields


def _read_choice(choice: Field) -> tuple[Choice | None, str]:
    if not choice.given:
        return None, ""
    if isinstance(choice.value, str):
        if choice.value not in CHOICES:
            raise choice.error("one of auto, none, required, or the name of a function")
        return CHOICES[choice.value], ""
    if choice["type"].text() != "function":
        raise refuse(choice, f"the choice `{choice['type'].text()}` has no counterpart in other formats")
    return Choice.ONE, choice["function"]["name"].name()


def _read_output(shape: Field) -> OutputSchema | None:
    if not shape.given:
        return None
    match shape["type"].text():
        case "text":
            return None
        case "json_object":
            return OutputSchema(None)
        case "json_schema":
            said = shape["json_schema"]
            schema = said["schema"]
            return OutputSchema(
                schema.object() if schema.given else {},
                said["name"].text(""),
                said["strict"].flag(),
                said["description"].text(""),
            )
    raise shape["type"].error("one of text, json_object, json_schema")


def parts_of_answer(message: Field) -> tuple[Part, ...]:
    """Return the parts of a fresh reply, whose citations count."""
    parts: list[Part] = list(_read_answer(message, set()))
    citations = tuple(read_annotation(each) for each in message["annotations"].items())
    if citations:
        place = next((at for at, part in enumerate(parts) if isinstance(part, Text)), None)
        text = parts[place] if place is not None else Text("")
        if place is not None and isinstance(text, Text):
            parts[place] = Text(text.text, text.cache, citations, VENDOR)
    return tuple(part for part in parts if not (isinstance(part, Thinking) and not part.text and not part.signature))


def read_annotation(annotation: Field) -> JsonObject:
    """Return a citation as responses write it, which is flat."""
    kind = annotation["type"].text()
    inner = annotation[kind]
    return {"type": kind, **inner.object()} if inner.given else annotation.object()
