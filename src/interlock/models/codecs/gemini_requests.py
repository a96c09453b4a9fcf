"""Gemini's generateContent request: read into the neutral request, and written from it."""

import re

from interlock.domain.canonical import Json, JsonObject
from interlock.models.codecs.carriage import extras_lost, merged, system_first, uncarriable
from interlock.models.codecs.fields import Field
from interlock.models.codecs.gemini_parts import VENDOR, Calls, read_parts, write_parts
from interlock.models.dialogue import (
    CacheFor,
    Choice,
    Message,
    OutputSchema,
    Request,
    Role,
    Text,
    Thinking,
    ToolSpec,
    ToolUse,
)
from interlock.models.wire import Written

_NEUTRAL = {"model", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig"}
_CONFIG = {
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "stopSequences",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
}
_IN_CONFIG = "generationConfig."
_ROLES = {"user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT}
_CHOICES = {"AUTO": Choice.AUTO, "NONE": Choice.NONE, "ANY": Choice.ANY}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""Google's own reading of effort for models that know only budgets."""
_GENERATION = re.compile(r"gemini-(\d+)")
_UNSIGNED = "skip_thought_signature_validator"
"""What Google says to send with calls that another model proposed; without a signature, its newer models refuse them."""


def read_request(body: JsonObject) -> Request:
    """Return the request; the model is in the address here, so it may be missing. Raises BadInput, naming the field."""
    top = Field(body)
    config = top["generationConfig"]
    calls = Calls()
    extras = {key: value for key, value in body.items() if key not in _NEUTRAL and value is not None}
    extras |= {_IN_CONFIG + key: value for key, value in config.members().items() if key not in _CONFIG}
    tools = _read_tools(top, extras)
    choice, chosen = _read_choice(top, extras)
    budget, effort = _read_thinking(config, extras)
    return Request(
        model=top["model"].text(""),
        messages=_read_messages(top, calls),
        tools=tools,
        choice=choice,
        chosen=chosen,
        max_tokens=config["maxOutputTokens"].integer(),
        temperature=config["temperature"].number(),
        top_p=config["topP"].number(),
        top_k=None if (top_k := config["topK"].number()) is None else int(top_k),
        stop=config["stopSequences"].texts(),
        seed=config["seed"].integer(least=-(2**31)),
        output=_read_output(config, extras),
        effort=effort,
        thinking_budget=budget,
        extras=extras,
        vendor=VENDOR if extras else "",
    )


def _read_messages(top: Field, calls: Calls) -> tuple[Message, ...]:
    system = top["systemInstruction"]
    messages = [Message(Role.SYSTEM, read_parts(system, calls))] if system.given else []
    for content in top["contents"].items():
        role = content["role"].text("user")
        if role not in _ROLES:
            raise content["role"].error("one of user, model")
        messages.append(Message(_ROLES[role], read_parts(content, calls)))
    return tuple(messages)


def _read_tools(top: Field, extras: dict[str, Json]) -> tuple[ToolSpec, ...]:
    found: list[ToolSpec] = []
    provided: list[Json] = []
    for tool in top["tools"].items():
        for declared in tool["functionDeclarations"].items():
            schema = declared["parametersJsonSchema"]
            if schema.given:
                parameters = schema.object()
            else:
                parameters = _json_schema(declared["parameters"].object()) if declared["parameters"].given else {}
            found.append(ToolSpec(declared["name"].name(), parameters, declared["description"].text("")))
        if rest := {key: value for key, value in tool.object().items() if key != "functionDeclarations"}:
            provided.append(rest)
    if provided:
        extras["tools"] = provided
    return tuple(found)


def _json_schema(said: Json) -> Json:
    """Return a schema in the words of OpenAPI in those of JSON Schema."""
    if isinstance(said, list):
        return [_json_schema(item) for item in said]
    if not isinstance(said, dict):
        return said
    schema = {key: _json_schema(value) for key, value in said.items() if key != "nullable"}
    kind = schema.get("type")
    if isinstance(kind, str):
        schema["type"] = [kind.lower(), "null"] if said.get("nullable") is True else kind.lower()
    return schema


def _read_choice(top: Field, extras: dict[str, Json]) -> tuple[Choice | None, str]:
    if not top["toolConfig"].given:
        return None, ""
    calling = top["toolConfig"]["functionCallingConfig"]
    mode = calling["mode"].text("")
    names = calling["allowedFunctionNames"].texts()
    if mode == "ANY" and len(names) == 1:
        return Choice.ONE, names[0]
    if mode not in _CHOICES or names:
        extras["toolConfig"] = top["toolConfig"].value
    return _CHOICES.get(mode), ""


def _read_thinking(config: Field, extras: dict[str, Json]) -> tuple[int | None, str]:
    thinking = config["thinkingConfig"]
    if not thinking.given:
        return None, ""
    budget = thinking["thinkingBudget"].integer(least=-1)
    if budget == -1 or thinking["includeThoughts"].flag() is not None:
        extras[_IN_CONFIG + "thinkingConfig"] = thinking.value
    return None if budget == -1 else budget, thinking["thinkingLevel"].text("").lower()


def _read_output(config: Field, extras: dict[str, Json]) -> OutputSchema | None:
    kind = config["responseMimeType"].text("")
    if kind != "application/json":
        if kind:
            extras[_IN_CONFIG + "responseMimeType"] = kind
        return None
    if config["responseJsonSchema"].given:
        return OutputSchema(config["responseJsonSchema"].object())
    if config["responseSchema"].given:
        return OutputSchema(_json_schema(config["responseSchema"].object()))
    return OutputSchema(None)


def write_request(request: Request) -> Written:
    """Return the request in this format; model and stream belong to the address. Raises Uncarriable."""
    lost = extras_lost(request, VENDOR)
    if request.max_tokens == 0:
        raise uncarriable("A cap of 0 tokens", VENDOR)
    told = system_first(request, VENDOR)
    lost.extend(told.lost)
    body: dict[str, Json] = {"contents": _write_contents(merged(told.messages), request, lost)}
    if told.system:
        if any(part.cache is not CacheFor.NO for part in told.system):
            lost.append("cache markers: this format caches on its own")
        body["systemInstruction"] = {"parts": [{"text": part.text} for part in told.system if part.text]}
    _write_tools(body, request, lost)
    config = _write_sampling(request, lost)
    own = request.extras if request.vendor == VENDOR else {}
    for key, value in own.items():
        if key.startswith(_IN_CONFIG):
            config[key.removeprefix(_IN_CONFIG)] = value
        elif key != "tools":
            body[key] = value
    if config:
        body["generationConfig"] = config
    if request.user:
        lost.append("the id of the caller's user")
    return Written(body, tuple(dict.fromkeys(lost)))


def _write_contents(messages: tuple[Message, ...], request: Request, lost: list[str]) -> list[Json]:
    names = {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolUse)}
    contents = []
    for message in messages:
        parts = write_parts(message.parts, names, lost)
        _sign(parts, request.model)
        if parts:
            contents.append({"role": "model" if message.role is Role.ASSISTANT else "user", "parts": parts})
        elif not message.parts or not isinstance(message.parts[0], Text | Thinking):
            lost.append("a message without content")
    return contents


def _sign(parts: list[dict[str, Json]], model: str) -> None:
    """Mark the calls of one turn as another model's, where none of them is signed and the model asks for signatures."""
    calls = [part for part in parts if "functionCall" in part]
    if calls and _generation(model) >= 3 and not any("thoughtSignature" in part for part in calls):
        calls[0]["thoughtSignature"] = _UNSIGNED


def _generation(model: str) -> int:
    found = _GENERATION.search(model)
    return int(found[1]) if found else 0


def _write_tools(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    tools: list[Json] = []
    if request.tools:
        tools.append({"functionDeclarations": [_write_tool(tool, lost) for tool in request.tools]})
    if request.vendor == VENDOR:
        tools.extend(request.extras.get("tools", ()))
    if tools:
        body["tools"] = tools
    if request.parallel_tools is False:
        lost.append("that only one tool may be called at a time")
    if request.choice is None or not request.tools:
        return
    calling: dict[str, Json] = {"mode": "ANY" if request.choice is Choice.ONE else request.choice.value.upper()}
    if request.choice is Choice.ONE:
        calling["allowedFunctionNames"] = [request.chosen]
    body["toolConfig"] = {"functionCallingConfig": calling}


def _write_tool(tool: ToolSpec, lost: list[str]) -> dict[str, Json]:
    if tool.strict:
        lost.append(f"`strict` of the tool {tool.name}")
    if tool.cache is not CacheFor.NO:
        lost.append("cache markers: this format caches on its own")
    written: dict[str, Json] = (
        {"name": tool.name, "description": tool.description} if tool.description else {"name": tool.name}
    )
    return {**written, "parametersJsonSchema": dict(tool.schema)} if tool.schema else written


def _write_sampling(request: Request, lost: list[str]) -> dict[str, Json]:
    output = request.output
    if output is not None and (output.name or output.description):
        lost.append("name and description of the output schema")
    said = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "responseMimeType": "application/json" if output else None,
        "responseJsonSchema": dict(output.schema) if output and output.schema is not None else None,
        "thinkingConfig": _write_thinking(request, lost) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _write_thinking(request: Request, lost: list[str]) -> dict[str, Json]:
    """Return how to think: a level for models that know levels, else a budget; never both, which is refused."""
    thinking: dict[str, Json] = {}
    effort, budget = request.effort, request.thinking_budget
    if budget is not None:
        thinking["thinkingBudget"] = budget
        if effort:
            lost.append(f"the effort `{effort}`: the thinking budget was sent in its place")
    elif effort == "none":
        thinking["thinkingBudget"] = 0
    elif effort and (_generation(request.model) >= 3 or request.vendor == VENDOR):
        thinking["thinkingLevel"] = _LEVELS.get(effort, "HIGH")
    elif effort:
        thinking["thinkingBudget"] = _BUDGETS.get(effort, _BUDGETS["high"])
    if effort and budget is None and effort not in _BUDGETS:
        lost.append(f"the effort `{effort}`: sent as the highest that is known here")
    if request.thinking_budget and request.vendor != VENDOR:
        # Callers of other formats that ask for thinking are shown it.
        thinking["includeThoughts"] = True
    return thinking
