"""OpenAI's responses request, written from the neutral request."""

from collections.abc import Iterator

from interlock.domain.canonical import Json
from interlock.models.codecs.carriage import foreign_part, uncarriable
from interlock.models.codecs.openai_parts import (
    RESPONSES,
    VENDOR,
    effort_of,
    file_data,
    image_url,
    lose_marks,
    own_fields,
)
from interlock.models.codecs.openai_responses_requests import ENCRYPTED
from interlock.models.dialogue import (
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


def write_request(request: Request) -> Written:
    """Return the request in this format; the provider is asked to keep nothing of it. Raises Uncarriable."""
    extras, lost = own_fields(request, RESPONSES)
    fields = extras.pop("fields of tools", {})
    body: dict[str, Json] = {"model": request.model}
    messages = request.messages
    if messages and messages[0].role is Role.SYSTEM and isinstance(words := _only_words(messages[0]), str):
        body["instructions"] = words
        messages = messages[1:]
    body["input"] = [item for message in messages for item in _write_message(message, lost)]
    _write_tools(body, request, fields)
    _write_sampling(body, request, lost)
    if request.output is not None:
        body["text"] = {"format": _write_output(request)}
    effort = effort_of(request, lost)
    if effort:
        body["reasoning"] = {"effort": effort}
    if (effort and effort != "none") or "reasoning" in extras or _reasoned(request):
        body["include"] = [ENCRYPTED]
    body["store"] = False
    for name, value in extras.items():
        body[name] = {**body.get(name, {}), **value} if name in {"reasoning", "text"} else value
    lose_marks(
        [part.cache for message in request.messages for part in message.parts if isinstance(part, _MARKED)], lost
    )
    lose_marks([tool.cache for tool in request.tools], lost)
    return Written(body, tuple(dict.fromkeys(lost)))


_MARKED = (Text, Image, Document, ToolUse, ToolOutcome)


def _reasoned(request: Request) -> bool:
    return any(isinstance(part, Thinking) and part.vendor == VENDOR for m in request.messages for part in m.parts)


def _only_words(message: Message) -> str | None:
    part = message.parts[0] if len(message.parts) == 1 else None
    return part.text if isinstance(part, Text) and part.text else None


def _write_message(message: Message, lost: list[str]) -> Iterator[dict[str, Json]]:
    """Yield a message as the items that it is made of."""
    if message.name:
        lost.append(f"the name of a {message.role} message")
    if message.role is Role.ASSISTANT:
        for part in message.parts:
            yield from _write_answer(part, lost)
        return
    rest: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolOutcome):
            yield _write_outcome(part, lost)
        else:
            rest.append(part)
    if not rest and message.parts:
        return
    role = "developer" if message.role is Role.SYSTEM else "user"
    yield {"role": role, "content": _plain([each for part in rest if (each := _write_part(part, lost))])}


def _plain(parts: list[dict[str, Json]]) -> str | list[dict[str, Json]]:
    if not parts:
        return ""
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts


def _write_part(part: Part, lost: list[str]) -> dict[str, Json] | None:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image():
            return {"type": "input_image", "image_url": image_url(part), "detail": part.detail or "auto"}
        case Document():
            return _write_document(part, lost)
        case Opaque(vendor="openai_responses") if isinstance(part.value, dict):
            return dict(part.value)
        case Thinking() | Opaque():
            lost.append(foreign_part(part, RESPONSES))
            return None
    raise uncarriable(f"A part of the kind {type(part).__name__.lower()} in a user message", RESPONSES)


def _write_document(part: Document, lost: list[str]) -> dict[str, Json]:
    if part.cited:
        lost.append("that citations into a document are asked for")
    if part.url:
        name = {"filename": part.name} if part.name else {}
        return {"type": "input_file", "file_url": part.url, **name}
    return {"type": "input_file", "filename": part.name or "document", "file_data": file_data(part)}


def _write_answer(part: Part, lost: list[str]) -> Iterator[dict[str, Json]]:
    match part:
        case Text():
            if part.citations:
                lost.append("citations in an earlier reply")
            yield {"role": "assistant", "content": part.text}
        case ToolUse():
            if part.signature:
                lost.append(f"the seal of another vendor over call {part.id}")
            yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}
        case Thinking(vendor="openai") if part.id or part.signature:
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            item: dict[str, Json] = {"type": "reasoning", "summary": summary}
            said = {"id": part.id, "encrypted_content": part.signature}
            yield item | {name: value for name, value in said.items() if value}
        case Opaque(vendor="openai_responses") if isinstance(part.value, dict):
            yield dict(part.value)
        case Thinking() | Opaque():
            lost.append(foreign_part(part, RESPONSES))
        case _:
            raise uncarriable(f"A part of the kind {type(part).__name__.lower()} in an assistant message", RESPONSES)


def _write_outcome(outcome: ToolOutcome, lost: list[str]) -> dict[str, Json]:
    if outcome.is_error:
        lost.append(f"that the result of call {outcome.call} is an error")
    parts = [written for part in outcome.parts if (written := _write_part(part, lost))]
    return {"type": "function_call_output", "call_id": outcome.call, "output": _plain(parts)}


def _write_tools(body: dict[str, Json], request: Request, fields: dict[str, Json]) -> None:
    if not request.tools:
        return
    body["tools"] = [_write_tool(tool) | fields.get(tool.name, {}) for tool in request.tools]
    if request.choice is Choice.ONE:
        body["tool_choice"] = {"type": "function", "name": request.chosen}
    elif request.choice is not None:
        body["tool_choice"] = _CHOICES[request.choice]
    if request.parallel_tools is not None:
        body["parallel_tool_calls"] = request.parallel_tools


def _write_tool(tool: ToolSpec) -> dict[str, Json]:
    # Left unsaid, this format would be strict where others are not.
    strict = bool(tool.strict)
    written: dict[str, Json] = {
        "type": "function",
        "name": tool.name,
        "parameters": dict(tool.schema),
        "strict": strict,
    }
    return written | ({"description": tool.description} if tool.description else {})


def _write_sampling(body: dict[str, Json], request: Request, lost: list[str]) -> None:
    if request.stop:
        # Without it the model would write on, and what comes behind could be taken for its answer.
        raise uncarriable("A stop sequence", RESPONSES)
    lost += [
        f"`{name}` has no counterpart in the {RESPONSES} format"
        for name, value in (("top_k", request.top_k), ("seed", request.seed))
        if value is not None
    ]
    said: dict[str, Json] = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "user": request.user or None,
        "stream": request.stream or None,
    }
    body |= {name: value for name, value in said.items() if value is not None}


def _write_output(request: Request) -> dict[str, Json]:
    output = request.output
    if output is None or output.schema is None:
        return {"type": "json_object"}
    said: dict[str, Json] = {"type": "json_schema", "name": output.name or "reply", "schema": dict(output.schema)}
    # Left unsaid, this format would be strict where others are not.
    said["strict"] = bool(output.strict)
    return said | ({"description": output.description} if output.description else {})
