"""Keep personal data from outside providers: hide it in what goes out, restore it where policy allows in what comes back."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from interlock.checks.veil import Unveiling, Veil
from interlock.domain.route_settings import Privacy, PrivacyMode
from interlock.models.dialogue import (
    Delta,
    Document,
    End,
    Image,
    Message,
    Part,
    PartBegin,
    PartEnd,
    Reply,
    Request,
    StreamEvent,
    Text,
    ToolOutcome,
    ToolUse,
)


def veil_for(privacy: Privacy, secret: bytes, run: str) -> Veil:
    """Return a veil whose tokens mean something in `run` only."""
    key = hmac.new(secret, run.encode(), hashlib.sha256).digest()
    return Veil(frozenset(kind.value for kind in privacy.kinds), key, privacy.mode is PrivacyMode.TOKENISE)


def hidden(request: Request, veil: Veil) -> Request:
    """Return `request` with the personal data in its texts hidden. Signed reasoning is left as the provider wrote it."""
    messages = tuple(_message(message, veil) for message in request.messages)
    return replace(request, messages=messages) if veil.counts else request


def _message(message: Message, veil: Veil) -> Message:
    parts = tuple(_part(part, veil) for part in message.parts)
    return message if parts == message.parts else replace(message, parts=parts)


def _part(part: Part, veil: Veil) -> Part:
    match part:
        case Text(text):
            return replace(part, text=veil.hide(text))
        case ToolUse(arguments=arguments):
            return replace(part, arguments=veil.hide(arguments))
        case ToolOutcome(parts=inner):
            return replace(part, parts=tuple(_inner(each, veil) for each in inner))
        case Document(media_type=kind, data=data) if kind.startswith("text/"):
            return replace(part, data=veil.hide(data))
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
