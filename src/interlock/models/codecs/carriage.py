"""What of a conversation another vendor's format cannot carry: reported as lost, or refused."""

import base64
import binascii
from dataclasses import dataclass, replace

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadModelReply, Uncarriable
from interlock.models.dialogue import Message, Opaque, Request, Role, Text, Thinking, ToolUse

# INVARIANT: what changes where a request runs, what it may do, or what the answer is made from is refused, not dropped.
_ESSENTIAL = {
    "anthropic": {"container", "context_management", "inference_geo", "mcp_servers", "tools"},
    "bedrock": {"guardrailConfig", "promptVariables", "tools"},
    "gemini": {"cachedContent", "safetySettings", "tools", "generationConfig.responseModalities"},
    "openai": {"audio", "background", "conversation", "modalities", "previous_response_id", "prompt", "tools"},
}
_SEAL = b"interlock:"
_SEAL_BEGINS = base64.b64encode(_SEAL[:9]).decode()


def extras_lost(request: Request, vendor: str) -> list[str]:
    """Return what is lost of the fields that only `request.vendor` understands, when `vendor` is asked.

    Raises Uncarriable where the answer would be another one without them.
    """
    if not request.extras or request.vendor == vendor:
        return []
    for name in request.extras:
        if name in _ESSENTIAL.get(request.vendor, ()):
            raise uncarriable(f"`{name}` of the {request.vendor} format", vendor)
    return [f"`{name}` has no counterpart in the {vendor} format" for name in request.extras]


def uncarriable(what: str, vendor: str) -> Uncarriable:
    """Return the refusal of `what` by the format of `vendor`."""
    return Uncarriable(
        f"{what} cannot be carried to this model",
        why=f"the {vendor} format has no counterpart",
        do="Leave it out, or name a model that takes it",
    )


def unanswerable(what: str, vendor: str) -> BadModelReply:
    """Return the failure of a reply that holds `what`, which a caller of the format of `vendor` cannot be told."""
    return BadModelReply(
        f"The model's reply holds {what}",
        why=f"replies in the {vendor} format have no place for it",
        do="Ask in the model's own format",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A request sorted as formats want it that keep system words apart."""

    system: tuple[Text, ...]
    messages: tuple[Message, ...]
    lost: tuple[str, ...]


def system_first(request: Request, vendor: str) -> Told:
    """Return system messages and the others, each in order. Raises Uncarriable for a system message that is not words."""
    system: list[Text] = []
    messages: list[Message] = []
    lost: list[str] = []
    for message in request.messages:
        if message.name:
            lost.append(f"the name of a {message.role} message")
        if message.role is not Role.SYSTEM:
            messages.append(message)
            continue
        if messages:
            lost.append("where a later system message stood: it was put in front")
        for part in message.parts:
            if not isinstance(part, Text):
                raise uncarriable("A system message that is not text", vendor)
            system.append(part)
    return Told(tuple(system), tuple(messages), tuple(dict.fromkeys(lost)))


def merged(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return `messages` with neighbours of one role made one, for formats where roles must take turns."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role is message.role:
            found[-1] = replace(found[-1], parts=found[-1].parts + message.parts)
        else:
            found.append(message)
    return tuple(found)


def arguments_of(call: ToolUse, lost: list[str]) -> JsonObject:
    """Return the arguments as the object that most formats need; what is none is wrapped, and that is said in `lost`."""
    try:
        value = orjson.loads(call.arguments or "{}")
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    lost.append(f"the arguments of call {call.id} are not a JSON object and were wrapped in one")
    return {"not_json": call.arguments}


def foreign_part(part: Opaque | Thinking, vendor: str) -> str:
    """Return what is lost of a part of a request that only another vendor understands. Raises Uncarriable for Opaque."""
    if isinstance(part, Opaque):
        raise uncarriable(f"A part{_kind(part.value)} of {part.vendor}", vendor)
    return f"reasoning signed by {part.vendor or 'nobody'}, which {vendor} does not accept"


def _kind(value: Json) -> str:
    """Return what a vendor calls its part: its type, or the one key that formats without types have."""
    kind = (value.get("type") or next(iter(value), "")) if isinstance(value, dict) else ""
    return f" `{kind}`" if isinstance(kind, str) and kind else ""


def seal(vendor: str, signature: str, identity: str = "") -> str:
    """Return another vendor's signature in base64, as it can travel where a signature of this format would."""
    return base64.b64encode(_SEAL + orjson.dumps([vendor, signature, identity])).decode()


def unseal(text: str) -> tuple[str, str, str] | None:
    """Return vendor, signature and id of what `seal` made; None for anything else."""
    if not text.startswith(_SEAL_BEGINS):
        return None
    try:
        packed = base64.b64decode(text, validate=True)
        value: Json = orjson.loads(packed.removeprefix(_SEAL)) if packed.startswith(_SEAL) else None
    except (ValueError, binascii.Error):
        return None
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(item, str) for item in value):
        return None
    vendor, signature, identity = value
    return vendor, signature, identity
