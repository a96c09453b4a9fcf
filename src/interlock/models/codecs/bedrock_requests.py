"""Bedrock's Converse request: read into the neutral request, and written from it."""

from dataclasses import replace

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.bedrock_blocks import VENDOR, read_blocks, read_cache, write_blocks, write_cache
from interlock.models.codecs.carriage import extras_lost, merged, system_first, uncarriable
from interlock.models.codecs.fields import Field
from interlock.models.dialogue import (
    CacheFor,
    Choice,
    Message,
    OutputSchema,
    Request,
    Role,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)
from interlock.models.wire import Written

_NEUTRAL = {"modelId", "messages", "system", "inferenceConfig", "toolConfig", "outputConfig"}
_INFERENCE = {"maxTokens", "temperature", "topP", "stopSequences"}
_IN_INFERENCE = "inferenceConfig."
_MORE = "additionalModelRequestFields"


def read_request(body: JsonObject) -> Request:
    """Return the request; the model is in the address here, so it may be missing. Raises BadInput, naming the field."""
    top = Field(body)
    inference = top["inferenceConfig"]
    extras = {key: value for key, value in body.items() if key not in _NEUTRAL and value is not None}
    extras |= {_IN_INFERENCE + key: value for key, value in inference.members().items() if key not in _INFERENCE}
    tools = _read_tools(top, extras)
    choice, chosen = _read_choice(top)
    top_k, budget = _read_more(top, extras)
    output = top["outputConfig"]
    return Request(
        model=top["modelId"].text(""),
        messages=_read_messages(top),
        tools=tools,
        choice=choice,
        chosen=chosen,
        max_tokens=inference["maxTokens"].integer(least=1),
        temperature=inference["temperature"].number(),
        top_p=inference["topP"].number(),
        top_k=top_k,
        stop=inference["stopSequences"].texts(),
        output=_read_output(output["textFormat"]),
        effort=output["effort"].text(""),
        thinking_budget=budget,
        extras=extras,
        vendor=VENDOR if extras else "",
    )


def _read_messages(top: Field) -> tuple[Message, ...]:
    messages = [Message(Role.SYSTEM, read_blocks(top["system"]))] if top["system"].value else []
    for message in top["messages"].items():
        role = message["role"].text()
        if role not in {"user", "assistant", "system"}:
            raise message["role"].error("one of user, assistant, system")
        messages.append(Message(Role(role), read_blocks(message["content"])))
    return tuple(messages)


def _read_tools(top: Field, extras: dict[str, Json]) -> tuple[ToolSpec, ...]:
    found: list[ToolSpec] = []
    provided: list[Json] = []
    config = top["toolConfig"]
    for tool in config["tools"].items():
        cache, spec = read_cache(tool), tool["toolSpec"]
        if spec.given:
            schema = spec["inputSchema"]["json"].object()
            found.append(ToolSpec(spec["name"].name(), schema, spec["description"].text(""), spec["strict"].flag()))
        elif cache is not CacheFor.NO and found:
            found[-1] = replace(found[-1], cache=cache)
        else:
            provided.append(tool.object())
    if provided:
        extras["tools"] = provided
    return tuple(found)


def _read_choice(top: Field) -> tuple[Choice | None, str]:
    choice = top["toolConfig"]["toolChoice"]
    if not choice.given:
        return None, ""
    if choice["tool"].given:
        return Choice.ONE, choice["tool"]["name"].name()
    if choice["any"].given or choice["auto"].given:
        return (Choice.ANY if choice["any"].given else Choice.AUTO), ""
    raise choice.error("one of auto, any, tool")


def _read_more(top: Field, extras: dict[str, Json]) -> tuple[int | None, int | None]:
    """Return what is known of the fields that go to the model as they are: top_k, and the budget for thinking."""
    more = top[_MORE]
    if not more.given:
        return None, None
    rest = dict(more.object())
    top_k = more["top_k"].integer()
    rest.pop("top_k", None)
    budget = None
    thinking = rest.get("thinking")
    if isinstance(thinking, dict) and thinking.keys() <= {"type", "budget_tokens"}:
        kind = more["thinking"]["type"].text("")
        budget = more["thinking"]["budget_tokens"].integer() if kind == "enabled" else 0 if kind == "disabled" else None
        if budget is not None:
            del rest["thinking"]
    extras.pop(_MORE, None)
    if rest:
        extras[_MORE] = rest
    return top_k, budget


def _read_output(shape: Field) -> OutputSchema | None:
    if not shape.given:
        return None
    said = shape["structure"]["jsonSchema"]
    try:
        schema = orjson.loads(said["schema"].text())
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise said["schema"].error("the JSON text of a schema")
    return OutputSchema(schema, said["name"].text(""), description=said["description"].text(""))


def write_request(request: Request) -> Written:
    """Return the request in this format; model and stream belong to the address. Raises Uncarriable."""
    lost = extras_lost(request, VENDOR)
    if request.max_tokens == 0:
        raise uncarriable("A cap of 0 tokens", VENDOR)
    told = system_first(request, VENDOR)
    lost.extend(told.lost)
    messages = []
    for message in merged(told.messages):
        if content := write_blocks(message.parts, lost, claude=_is_claude(request)):
            messages.append({"role": message.role.value, "content": content})
        elif not message.parts:
            lost.append("a message without content")
    body: dict[str, Json] = {"messages": messages}
    if told.system:
        body["system"] = write_blocks(told.system, lost)
    own = request.extras if request.vendor == VENDOR else {}
    _write_tools(body, request, lost)
    inference = _write_inference(request, lost)
    inference |= {key.removeprefix(_IN_INFERENCE): own[key] for key in own if key.startswith(_IN_INFERENCE)}
    if inference:
        body["inferenceConfig"] = inference
    _write_output(body, request, lost)
    body |= {key: own[key] for key in own if key != "tools" and not key.startswith(_IN_INFERENCE)}
    if more := _write_more(request, lost):
        body[_MORE] = {**own.get(_MORE, {}), **more}
    return Written(body, tuple(dict.fromkeys(lost)))


def _is_claude(request: Request) -> bool:
    return "anthropic" in request.model


def _write_tools(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    if request.parallel_tools is False and request.tools:
        lost.append("that only one tool may be called at a time")
    tools: list[Json] = [block for tool in request.tools for block in _write_tool(tool)]
    if request.vendor == VENDOR:
        tools.extend(request.extras.get("tools", ()))
    if request.choice is Choice.NONE and tools:
        if any(isinstance(part, ToolUse | ToolOutcome) for message in request.messages for part in message.parts):
            raise uncarriable("Tools that must not be called, in a conversation that has called some,", VENDOR)
        lost.append("the tools, which must not be called: they were not offered")
        return
    if not tools:
        return
    config: dict[str, Json] = {"tools": tools}
    if request.choice is not None:
        one = {"tool": {"name": request.chosen}}
        config["toolChoice"] = one if request.choice is Choice.ONE else {request.choice.value: {}}
    body["toolConfig"] = config


def _write_tool(tool: ToolSpec) -> list[dict[str, Json]]:
    spec: dict[str, Json] = {"name": tool.name, "inputSchema": {"json": {"type": "object", **tool.schema}}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return [{"toolSpec": spec}, *write_cache(tool.cache)]


def _write_inference(request: Request, lost: list[str]) -> dict[str, Json]:
    temperature = request.temperature
    if temperature is not None and temperature > 1:
        lost.append(f"temperature {temperature:g}: this format goes to 1")
        temperature = 1.0
    if request.seed is not None:
        lost.append("`seed`")
    if request.user:
        lost.append("the id of the caller's user")
    said = {
        "maxTokens": request.max_tokens,
        "temperature": temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _write_more(request: Request, lost: list[str]) -> dict[str, Json]:
    """Return what only the models of one maker take, or say that it is lost to the others."""
    more: dict[str, Json] = {}
    budget = request.thinking_budget
    if request.top_k is not None:
        more["top_k"] = request.top_k
    if budget is not None:
        more["thinking"] = {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}
    if more and request.model and not _is_claude(request):
        lost.extend(f"`{name}`, which this model does not take here" for name in more)
        return {}
    return more


def _write_output(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    config: dict[str, Json] = {}
    output = request.output
    if output is not None and output.schema is None:
        lost.append("that the reply must be a JSON object: this format needs a schema")
    elif output is not None:
        shape = {"schema": orjson.dumps(output.schema).decode(), "name": output.name, "description": output.description}
        structure = {"jsonSchema": {key: value for key, value in shape.items() if value}}
        config["textFormat"] = {"type": "json_schema", "structure": structure}
    if request.effort:
        config["effort"] = request.effort
    if config:
        body["outputConfig"] = config
