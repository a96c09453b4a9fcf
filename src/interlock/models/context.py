"""Make a request fit into the context budget of its step, by a declared strategy, or say that it does not (requirement M4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from interlock.domain.errors import ContextTooLong
from interlock.domain.route_settings import Overflow
from interlock.models.counting import Count, request_tokens
from interlock.models.dialogue import Message, Part, Request, Role, Text, ToolOutcome, ToolUse

REMOVED = "[This result was removed to keep the conversation within its context budget.]"


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What was done to a request that was too long."""

    strategy: Overflow
    before: int
    """Tokens, as counted."""
    after: int
    dropped: int
    """Messages left out, or results of tools emptied."""


def fitted(request: Request, limit: int, over: Overflow, count: Count) -> tuple[Request, Trimmed | None]:
    """Return `request` with at most `limit` input tokens, and what was done to it; None when it fits as it is.

    System messages, the last turn and pairs of tool call and result are never torn. Raises ContextTooLong.
    """
    before = request_tokens(request, count)
    if before <= limit:
        return request, None
    if over is Overflow.REFUSE:
        raise _too_long(before, limit)
    shorter, dropped = _STRATEGIES[over](request, limit, count)
    after = request_tokens(shorter, count)
    if after > limit:
        raise _too_long(after, limit, over)
    return shorter, Trimmed(over, before, after, dropped)


def _drop_oldest(request: Request, limit: int, count: Count) -> tuple[Request, int]:
    """Leave out the oldest exchanges, each from one message of the user to the next; never the last."""
    head, units = _split(request.messages)
    exchanges: list[list[Message]] = []
    for unit in units:
        if not exchanges or _is_users(unit):
            exchanges.append([])
        exchanges[-1] += unit
    return _dropping(request, head, [tuple(one) for one in exchanges], 0, limit, count)


def _keep_ends(request: Request, limit: int, count: Count) -> tuple[Request, int]:
    """Keep the first message of the user and the newest steps; leave out the middle, the oldest steps first."""
    head, units = _split(request.messages)
    return _dropping(request, head, units, 1, limit, count)


def _dropping(
    request: Request, head: tuple[Message, ...], units: list[tuple[Message, ...]], at: int, limit: int, count: Count
) -> tuple[Request, int]:
    """Take units away at position `at` until the request fits, or one more would take the last."""
    left, dropped, made = list(units), 0, request
    while len(left) > at + 1:
        gone = left.pop(at)
        dropped += len(gone)
        made = replace(request, messages=(*head, *(message for unit in left for message in unit)))
        if request_tokens(made, count) <= limit:
            break
    return made, dropped


def _drop_tool_results(request: Request, limit: int, count: Count) -> tuple[Request, int]:
    """Empty results of tools, the oldest first, except those of the last message."""
    messages, dropped = list(request.messages), 0
    for position, message in enumerate(messages[:-1]):
        for index, part in enumerate(message.parts):
            if not isinstance(part, ToolOutcome) or part.parts == (Text(REMOVED),):
                continue
            emptied: Part = replace(part, parts=(Text(REMOVED),))
            parts = messages[position].parts
            messages[position] = replace(message, parts=(*parts[:index], emptied, *parts[index + 1 :]))
            dropped += 1
            made = replace(request, messages=tuple(messages))
            if request_tokens(made, count) <= limit:
                return made, dropped
    return replace(request, messages=tuple(messages)), dropped


_Strategy = Callable[[Request, int, Count], tuple[Request, int]]
_STRATEGIES: dict[Overflow, _Strategy] = {
    Overflow.DROP_OLDEST: _drop_oldest,
    Overflow.KEEP_ENDS: _keep_ends,
    Overflow.DROP_TOOL_RESULTS: _drop_tool_results,
}


def _split(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], list[tuple[Message, ...]]]:
    """Return the system messages, and the others in units: one message, or calls of tools with their results."""
    head = tuple(message for message in messages if message.role is Role.SYSTEM)
    units: list[tuple[Message, ...]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        if units and _answers(message) and _calls(units[-1][0]):
            units[-1] = (*units[-1], message)
        else:
            units.append((message,))
    return head, units


def _is_users(unit: tuple[Message, ...]) -> bool:
    return unit[0].role is Role.USER and not _answers(unit[0])


def _answers(message: Message) -> bool:
    return any(isinstance(part, ToolOutcome) for part in message.parts)


def _calls(message: Message) -> bool:
    return any(isinstance(part, ToolUse) for part in message.parts)


def _too_long(tokens: int, limit: int, over: Overflow | None = None) -> ContextTooLong:
    tried = f", even after '{over.value}'" if over is not None else ""
    return ContextTooLong(
        f"The request has about {tokens} input tokens, and this step may send {limit}{tried}",
        do="Send a shorter conversation, or raise the step's context budget in the router file",
    )
