"""OpenAI's chat completions request, written from the neutral request."""

from collections.abc import Iterator

from interlock.domain.canonical import Json
from interlock.models.codecs.carriage import foreign_part, uncarriable
from interlock.models.codecs.openai_parts import (
    VENDOR,
    effort_of,
    file_data,
    image_url,
    lose_marks,
    own_fields,
)
from interlock.models.codecs.openai_thinking import write_seal
from interlock.models.dialogue import (
    CacheFor,
    Choice,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Request,
    Role,
    Text,
    Thinking,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)
from interlock.models.wire import Written

_CHOICES = {Choice.AUTO: "auto", Choice.NONE: "none", Choice.ANY: "required"}


def write_request(request: Request, *, legacy: bool) -> Written:
    """Return the request in this format; `legacy` is for servers that know only what this format had at first.

    Raises Uncarriable.
    """
    extras, lost = own_fields(request, VENDOR)
    fields = extras.pop("fields of tools", {})
    body: dict[str, Json] = {"model": request.model, "messages": []}
    for message in request.messages:
        body["messages"].extend(_write_message(message, lost, legacy=legacy))
    _write_tools(body, request, fields)
    _write_sampling(body, request, lost, legacy=legacy)
    if request.output is not None:
        body["response_format"] = _write_output(request)
    if request.user:
        body["user"] = request.user
    if request.stream:
        body["stream"] = True
        if request.stream_usage:
            body["stream_options"] = {"include_usage": True}
    lose_marks([*_marks(request)], lost)
    return Written(body | extras, tuple(dict.fromkeys(lost)))


def _marks(request: Request) -> Iterator[CacheFor]:
    for message in request.messages:
        yield from (part.cache for part in message.parts if not isinstance(part, Thinking | Opaque))
    yield from (tool.cache for tool in request.tools)


def _write_message(message: Message, lost: list[str], *, legacy: bool) -> Iterator[dict[str, Json]]:
    """Yield a message as the several that this format makes of it: results of tools stand alone."""
    if message.role is Role.ASSISTANT:
        yield _write_answer(message, lost)
        return
    rest: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolOutcome):
            yield _write_outcome(part, lost)
        else:
            rest.append(part)
    if not rest and message.parts:
        return
    parts = [written for part in rest if (written := _write_part(part, message.role, lost, legacy=legacy))]
    yield {"role": message.role.value, "content": _plain(parts), **({"name": message.name} if message.name else {})}


def _plain(parts: list[dict[str, Json]]) -> str | list[dict[str, Json]]:
    """Return content as text where it is nothing else: servers of little ambition know no other."""
    if not parts:
        return ""
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts


def _write_part(part: Part, role: Role, lost: list[str], *, legacy: bool) -> dict[str, Json] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image() if role is Role.USER:
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": image_url(part), **detail}}
        case Document() if role is Role.USER:
            return _write_document(part, lost, legacy=legacy)
        case Opaque(vendor="openai") if isinstance(part.value, dict):
            return dict(part.value)
        case Thinking() | Opaque():
            lost.append(foreign_part(part, VENDOR))
            return None
    raise uncarriable(f"A part of the kind {type(part).__name__.lower()} in a {role} message", VENDOR)


def _write_document(part: Document, lost: list[str], *, legacy: bool) -> dict[str, Json]:
    if part.url:
        raise uncarriable("A document at a web address", VENDOR)
    if part.cited:
        lost.append("that citations into a document are asked for")
    if legacy and part.media_type.startswith("text/"):
        lost.append("that a text is a document: it was sent as words of the message")
        return {"type": "text", "text": part.data}
    return {"type": "file", "file": {"filename": part.name or "document", "file_data": file_data(part)}}


def _write_answer(message: Message, lost: list[str]) -> dict[str, Json]:
    texts: list[dict[str, Json]] = []
    calls: list[dict[str, Json]] = []
    for part in message.parts:
        match part:
            case Text():
                texts.append({"type": "text", "text": part.text})
                if part.citations:
                    lost.append("citations in an earlier reply")
            case ToolUse():
                calls.append(write_call(part) | write_seal(part))
            case Opaque(vendor="openai") if isinstance(part.value, dict):
                # What a reply holds beside words and functions are calls of custom tools.
                calls.append(dict(part.value))
            case Thinking() | Opaque():
                lost.append(foreign_part(part, VENDOR))
            case _:
                raise uncarriable(f"A part of the kind {type(part).__name__.lower()} in an assistant message", VENDOR)
    content: Json = _plain(texts) if texts or not calls else None
    written: dict[str, Json] = {"role": "assistant", "content": content}
    if message.name:
        written["name"] = message.name
    return written | ({"tool_calls": calls} if calls else {})


def write_call(call: ToolUse) -> dict[str, Json]:
    """Return a tool call, without the seal that it may have."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _write_outcome(outcome: ToolOutcome, lost: list[str]) -> dict[str, Json]:
    parts: list[dict[str, Json]] = []
    for part in outcome.parts:
        if not isinstance(part, Text):
            # As a part of a user message it would pass for the user's own.
            raise uncarriable("An image in the result of a tool", VENDOR)
        parts.append({"type": "text", "text": part.text})
    if outcome.is_error:
        lost.append(f"that the result of call {outcome.call} is an error")
    return {"role": "tool", "tool_call_id": outcome.call, "content": _plain(parts)}


def _write_tools(body: dict[str, Json], request: Request, fields: dict[str, Json]) -> None:
    if not request.tools:
        return
    body["tools"] = [_write_tool(tool, fields.get(tool.name, {})) for tool in request.tools]
    if request.choice is Choice.ONE:
        body["tool_choice"] = {"type": "function", "function": {"name": request.chosen}}
    elif request.choice is not None:
        body["tool_choice"] = _CHOICES[request.choice]
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _write_tool(tool: ToolSpec, fields: dict[str, Json]) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name, **fields}
    if tool.description:
        function["description"] = tool.description
    if tool.schema:
        function["parameters"] = dict(tool.schema)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _write_sampling(body: dict[str, Json], request: Request, lost: list[str], *, legacy: bool) -> None:
    if request.top_k is not None:
        lost.append("`top_k` has no counterpart in the openai format")
    said: dict[str, Json] = {
        "max_tokens" if legacy else "max_completion_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "reasoning_effort": effort_of(request, lost) or None,
    }
    body |= {name: value for name, value in said.items() if value is not None}


def _write_output(request: Request) -> dict[str, Json]:
    output = request.output
    if output is None or output.schema is None:
        return {"type": "json_object"}
    said: dict[str, Json] = {"name": output.name or "reply", "schema": dict(output.schema)}
    if output.strict is not None:
        said["strict"] = output.strict
    if output.description:
        said["description"] = output.description
    return {"type": "json_schema", "json_schema": said}
