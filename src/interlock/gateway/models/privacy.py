"""Keep personal data from outside providers: hide it in what goes out, restore it where policy allows in what comes back."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import orjson

from interlock.checks.veil import Unveiling, Veil
from interlock.domain.canonical import Json
from interlock.domain.errors import Uncarriable
from interlock.domain.route_settings import Privacy, PrivacyMode
from interlock.models.dialogue import (
    Delta,
    Document,
    End,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Part,
    PartBegin,
    PartEnd,
    Reply,
    Request,
    StreamEvent,
    Text,
    ToolOutcome,
    ToolSpec,
    ToolUse,
)


def veil_for(privacy: Privacy, secret: bytes, run: str) -> Veil:
    """Return a veil whose tokens mean something in `run` only."""
    key = hmac.new(secret, run.encode(), hashlib.sha256).digest()
    return Veil(frozenset(kind.value for kind in privacy.kinds), key, privacy.mode is PrivacyMode.TOKENISE)


def hidden(request: Request, veil: Veil) -> Request:
    """Return `request` with the personal data in its texts hidden, wherever they stand.

    Signed reasoning is left as the provider wrote it; pictures and binary documents cannot be looked into.
    """
    changed = replace(
        request,
        messages=tuple(_message(message, veil) for message in request.messages),
        tools=tuple(_tool(tool, veil) for tool in request.tools),
        output=_output(request.output, veil),
        user=veil.hide(request.user),
        stop=tuple(veil.hide(word) for word in request.stop),
        extras=hidden_in(request.extras, veil),
    )
    return changed if veil.counts else request


def hidden_input(said: Json, veil: Veil) -> Json:
    """Return the input of embeddings with the personal data in its texts hidden. Raises Uncarriable for tokens."""
    for one in said if isinstance(said, list) else [said]:
        if not isinstance(one, str):
            raise Uncarriable(
                "Tokens in place of text cannot be sent to this model",
                why="personal data in them could not be found, and must not reach it",
                do="Send the text itself",
            )
    return hidden_in(said, veil)


def hidden_in(value: Json, veil: Veil) -> Json:
    """Return `value` with the personal data in its texts hidden; the names of fields stay."""
    match value:
        case str():
            return veil.hide(value)
        case list() | tuple():
            return [hidden_in(each, veil) for each in value]
        case dict():
            return {name: hidden_in(each, veil) for name, each in value.items()}
        case _:
            return value


def _message(message: Message, veil: Veil) -> Message:
    parts, name = tuple(_part(part, veil) for part in message.parts), veil.hide(message.name)
    if parts == message.parts and name == message.name:
        return message
    return replace(message, parts=parts, name=name)


def _tool(tool: ToolSpec, veil: Veil) -> ToolSpec:
    return replace(tool, description=veil.hide(tool.description), schema=hidden_in(tool.schema, veil))


def _output(output: OutputSchema | None, veil: Veil) -> OutputSchema | None:
    if output is None:
        return None
    return replace(output, description=veil.hide(output.description), schema=hidden_in(output.schema, veil))


def _arguments(arguments: str, veil: Veil) -> str:
    """Return the JSON text `arguments` hidden; its texts may be written with escapes that hide them from a mere look."""
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return veil.hide(arguments)
    changed = hidden_in(parsed, veil)
    return arguments if changed == parsed else orjson.dumps(changed).decode()


def _part(part: Part, veil: Veil) -> Part:
    match part:
        case Text(text):
            return replace(part, text=veil.hide(text))
        case ToolUse(arguments=arguments):
            return replace(part, arguments=_arguments(arguments, veil))
        case ToolOutcome(parts=inner):
            return replace(part, parts=tuple(_inner(each, veil) for each in inner))
        case Document(media_type=kind, data=data, name=name):
            return replace(part, data=veil.hide(data) if kind.startswith("text/") else data, name=veil.hide(name))
        case Opaque(value=value):
            return replace(part, value=hidden_in(value, veil))
        case _:
            return part


def _inner(part: Text | Image, veil: Veil) -> Text | Image:
    return replace(part, text=veil.hide(part.text)) if isinstance(part, Text) else part


def restored(reply: Reply, veil: Veil, privacy: Privacy) -> Reply:
    """Return `reply` with tokens turned back where `privacy` says so."""

    def back(part: Part) -> Part:
        if isinstance(part, Text) and privacy.restore_in_replies:
            return replace(part, text=veil.restore(part.text))
        if isinstance(part, ToolUse) and privacy.restore_in_tools:
            return replace(part, arguments=veil.restore(part.arguments, as_json=True))
        return part

    return replace(reply, parts=tuple(back(part) for part in reply.parts))


@dataclass(slots=True)
class RestoredStream:
    """The same for the events of a stream."""

    veil: Veil
    privacy: Privacy
    _parts: dict[int, Unveiling] = field(default_factory=dict)

    def __call__(self, event: StreamEvent) -> Iterator[StreamEvent]:
        """Yield what `event` becomes."""
        match event:
            case PartBegin(index, Text()) if self.privacy.restore_in_replies:
                self._parts[index] = Unveiling(self.veil)
            case PartBegin(index, ToolUse()) if self.privacy.restore_in_tools:
                self._parts[index] = Unveiling(self.veil, as_json=True)
            case Delta(index, text) if index in self._parts and text:
                event = replace(event, text=self._parts[index].feed(text))
            case PartEnd(index) if index in self._parts:
                yield from self._rest(index)
            case End():
                for index in list(self._parts):
                    yield from self._rest(index)
            case _:
                pass
        yield event

    def _rest(self, index: int) -> Iterator[StreamEvent]:
        held = self._parts.pop(index).end()
        if held:
            yield Delta(index, held)
