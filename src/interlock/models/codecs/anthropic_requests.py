"""Anthropic's Messages request: read into the neutral request, and written from it."""

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.anthropic_blocks import (
    VENDOR,
    read_cache,
    read_content,
    write_cache,
    write_content,
    write_text,
)
from interlock.models.codecs.carriage import extras_lost, system_first
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import Choice, Message, OutputSchema, Request, Role, ToolSpec
from interlock.models.wire import Written

_NEUTRAL = {"model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream"}
_CHOICES = {"auto": Choice.AUTO, "none": Choice.NONE, "any": Choice.ANY, "tool": Choice.ONE}
_CHOICE_WORDS = {choice: word for word, choice in _CHOICES.items()}
_EFFORTS = {"low", "medium", "high", "xhigh", "max"}
_LEAST_THINKING = 1024


def read_request(body: JsonObject) -> Request:
    """Return the request. Raises BadInput, naming the field."""
    top = Field(body)
    choice = top["tool_choice"]
    chosen = choice["type"].text() if choice.given else ""
    if choice.given and chosen not in _CHOICES:
        raise choice["type"].error("one of auto, any, tool, none")
    serial = choice["disable_parallel_tool_use"].flag()
    tools, extras = _read_tools(top)
    budget, output, effort = _read_thinking(top, extras), _read_output(top), _read_effort(top)
    user = top["metadata"]["user_id"].text("")
    for name, known in _READ_IN_PART.items():
        if top[name].given and (rest := {key: item for key, item in top[name].object().items() if key not in known}):
            extras[name] = rest
    extras |= {key: value for key, value in body.items() if key not in _NEUTRAL | _READ_APART and value is not None}
    return Request(
        model=top["model"].name(),
        messages=_read_messages(top),
        tools=tools,
        choice=_CHOICES.get(chosen),
        chosen=choice["name"].name() if chosen == "tool" else "",
        parallel_tools=None if serial is None else not serial,
        max_tokens=top["max_tokens"].integer(),
        temperature=top["temperature"].number(),
        top_p=top["top_p"].number(),
        top_k=top["top_k"].integer(),
        stop=top["stop_sequences"].texts(),
        output=output,
        effort=effort,
        thinking_budget=budget,
        stream=bool(top["stream"].flag()),
        user=user,
        extras=extras,
        vendor=VENDOR if extras else "",
    )


_READ_IN_PART = {"metadata": {"user_id"}, "output_config": {"effort", "format"}}
_READ_APART = {"tools", "tool_choice", "thinking", "output_format", *_READ_IN_PART}


def _read_messages(top: Field) -> tuple[Message, ...]:
    messages = [Message(Role.SYSTEM, read_content(top["system"]))] if top["system"].value else []
    for message in top["messages"].items():
        role = message["role"].text()
        if role not in {"user", "assistant", "system"}:
            raise message["role"].error("one of user, assistant, system")
        if not message["content"].given:
            raise message["content"].error("text or a list of blocks")
        messages.append(Message(Role(role), read_content(message["content"])))
    return tuple(messages)


_TOOL_FIELDS = {"type", "name", "description", "input_schema", "strict", "cache_control"}


def _read_tools(top: Field) -> tuple[tuple[ToolSpec, ...], dict[str, Json]]:
    """Return the tools, and what of them has no neutral meaning: the provider's own by position, other fields by name."""
    found: list[ToolSpec] = []
    provided: dict[str, Json] = {}
    fields: dict[str, Json] = {}
    for position, tool in enumerate(top["tools"].items()):
        if tool["type"].text("custom") != "custom":
            provided[str(position)] = tool.value
            continue
        name = tool["name"].name()
        schema = tool["input_schema"].object()
        found.append(ToolSpec(name, schema, tool["description"].text(""), tool["strict"].flag(), read_cache(tool)))
        if rest := {key: value for key, value in tool.object().items() if key not in _TOOL_FIELDS}:
            fields[name] = rest
    return tuple(found), {key: value for key, value in (("tools", provided), ("fields of tools", fields)) if value}


def _read_thinking(top: Field, extras: dict[str, Json]) -> int | None:
    thinking = top["thinking"]
    if not thinking.given:
        return None
    kind = thinking["type"].text()
    budget = thinking["budget_tokens"].integer() if kind == "enabled" else 0 if kind == "disabled" else None
    if kind not in {"enabled", "disabled"} or thinking["display"].given:
        extras["thinking"] = thinking.value
    return budget


def _read_output(top: Field) -> OutputSchema | None:
    """Return the shape of the reply, from its field of today or of the beta before."""
    shape = top["output_config"]["format"]
    if not shape.given:
        shape = top["output_format"]
    if not shape.given:
        return None
    if shape["type"].text() != "json_schema":
        raise shape["type"].error("json_schema")
    return OutputSchema(shape["schema"].object())


def _read_effort(top: Field) -> str:
    return top["output_config"]["effort"].text("")


def write_request(request: Request) -> Written:
    """Return the request in this format, without a cap when it has none. Raises Uncarriable."""
    lost = extras_lost(request, VENDOR)
    body: dict[str, Json] = {"model": request.model}
    _write_messages(body, request, lost)
    _write_tools(body, request)
    _write_sampling(body, request, lost)
    _write_thinking(body, request, lost)
    _write_output(body, request, lost)
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.stream:
        body["stream"] = True
    if request.vendor == VENDOR:
        for key, value in request.extras.items():
            if key in _READ_IN_PART:
                body[key] = body.get(key, {}) | value
            elif key not in {"tools", "fields of tools"}:
                body[key] = value
    return Written(body, tuple(dict.fromkeys(lost)))


def _write_messages(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    told = system_first(request, VENDOR)
    lost.extend(told.lost)
    if told.system:
        blocks = [write_text(part, lost) for part in told.system if part.text]
        plain = len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
        body["system"] = blocks[0]["text"] if plain else blocks
    messages = []
    for message in told.messages:
        if content := write_content(message.parts, lost):
            messages.append({"role": message.role.value, "content": content})
        elif not message.parts:
            lost.append("a message without content")
    body["messages"] = messages


def _write_tools(body: dict[str, Json], request: Request) -> None:
    own = request.extras if request.vendor == VENDOR else {}
    tools = [_write_tool(tool) | own.get("fields of tools", {}).get(tool.name, {}) for tool in request.tools]
    for position, tool in own.get("tools", {}).items():
        tools.insert(int(position), tool)
    if tools:
        body["tools"] = tools
    if not tools or (request.choice is None and request.parallel_tools is None):
        return
    choice: dict[str, Json] = {"type": _CHOICE_WORDS[request.choice or Choice.AUTO]}
    if request.choice is Choice.ONE:
        choice["name"] = request.chosen
    if request.parallel_tools is not None and request.choice is not Choice.NONE:
        choice["disable_parallel_tool_use"] = not request.parallel_tools
    body["tool_choice"] = choice


def _write_tool(tool: ToolSpec) -> dict[str, Json]:
    written: dict[str, Json] = {"name": tool.name, "input_schema": dict(tool.schema)}
    # The format insists on what JSON Schema implies.
    written["input_schema"].setdefault("type", "object")
    if tool.description:
        written["description"] = tool.description
    if tool.strict is not None:
        written["strict"] = tool.strict
    return written | write_cache(tool.cache)


def _write_sampling(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    temperature = request.temperature
    if temperature is not None and temperature > 1:
        lost.append(f"temperature {temperature:g}: this format goes to 1")
        temperature = 1.0
    if request.seed is not None:
        lost.append("`seed`")
    said = {
        "max_tokens": request.max_tokens,
        "temperature": temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": list(request.stop) or None,
    }
    body |= {name: value for name, value in said.items() if value is not None}


def _write_thinking(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    budget = request.thinking_budget
    if budget is None:
        return
    if budget == 0:
        body["thinking"] = {"type": "disabled"}
        return
    if budget < _LEAST_THINKING and request.vendor != VENDOR:
        lost.append(f"a thinking budget of {budget}: this format begins at {_LEAST_THINKING}")
        budget = _LEAST_THINKING
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _write_output(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    config: dict[str, Json] = {}
    if request.effort:
        effort = {"minimal": "low"}.get(request.effort, request.effort)
        if effort == "none" and "thinking" not in body:
            body["thinking"] = {"type": "disabled"}
        elif effort in _EFFORTS:
            config["effort"] = effort
        if effort != request.effort or (effort not in _EFFORTS and effort != "none"):
            lost.append(f"the effort `{request.effort}`" + (f": sent as {effort}" if effort in _EFFORTS else ""))
    if request.output is not None and request.output.schema is None:
        lost.append("that the reply must be a JSON object: this format needs a schema")
    elif request.output is not None:
        config["format"] = {"type": "json_schema", "schema": dict(request.output.schema or {})}
        if request.output.name or request.output.description:
            lost.append("name and description of the output schema")
    if config:
        body["output_config"] = config
