"""How many tokens a request has, when no provider says so."""

from collections.abc import Callable, Iterator

from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.models.dialogue import Document, Image, Opaque, Part, Request, Role, Text, Thinking, ToolOutcome, ToolUse

Count = Callable[[str], int]

PER_MESSAGE = 4
"""Tokens that formats wrap around each message and tool; between two and eight in practice."""
PER_IMAGE = 1_600
"""A picture as large as the large vendors scale pictures down to costs about this much."""


def request_tokens(request: Request, count: Count) -> int:
    """Return how many tokens the prompt of `request` has, as `count` counts texts; pictures at a flat rate."""
    total = sum(PER_MESSAGE + sum(part_tokens(part, count) for part in one.parts) for one in request.messages)
    for tool in request.tools:
        total += PER_MESSAGE + count(tool.name) + count(tool.description)
        total += count(canonical_json(tool.schema).decode())
    if request.output is not None and request.output.schema is not None:
        total += count(canonical_json(request.output.schema).decode())
    return total


def part_tokens(part: Part, count: Count) -> int:
    """Return how many tokens one part has."""
    match part:
        case Text(text):
            return count(text)
        case Image():
            return PER_IMAGE
        case ToolUse(_, name, arguments):
            return count(name) + count(arguments)
        case ToolOutcome(_, parts):
            return sum(part_tokens(each, count) for each in parts)
        case Thinking(text):
            return count(text)
        case Document(data=data, media_type=kind):
            # A page of a PDF costs some 2,000 tokens and 60 kB of base64.
            return count(data) if kind.startswith("text/") else len(data) // 30
        case Opaque(_, value):
            return count(canonical_json(value).decode())


def likely_tokens(request: Request) -> int:
    """Return about how many tokens the prompt has, rather too many, without a vocabulary: for large requests and pictures."""
    return request_tokens(request, lambda text: len(text.encode()) // 3 + 1)


def given_tokens(body: JsonObject) -> int:
    """Return how many tokens a request for embeddings brings along as numbers; 0 when it brings texts."""
    said = body.get("input")
    if not isinstance(said, list) or not said or isinstance(said[0], str):
        return 0
    return sum(len(one) if isinstance(one, list) else 1 for one in said)


def last_words(request: Request) -> str:
    """Return what the user said last."""
    for message in reversed(request.messages):
        said = [part.text for part in message.parts if isinstance(part, Text)]
        if message.role is Role.USER and said:
            return "\n".join(said)
    return ""


def words_of(request: Request) -> Iterator[str]:
    """Yield every text that others put before the model, results of tools included; not what models said themselves."""
    for message in request.messages:
        if message.role is not Role.ASSISTANT:
            yield from _words(message.parts)


def texts_in(value: Json) -> Iterator[str]:
    """Yield every text in `value`, a request in any format, except in what models said themselves."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, dict) and value.get("role") != "assistant":
        for each in value.values():
            yield from texts_in(each)


def _words(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        match part:
            case Text(text) | Thinking(text):
                yield text
            case ToolOutcome(_, inner):
                yield from _words(inner)
            case Document(data=data, media_type=kind) if kind.startswith("text/"):
                yield data
            case _:
                pass
