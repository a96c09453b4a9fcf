"""A streamed reply as one, and one reply as a stream."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from interlock.domain.canonical import JsonObject
from interlock.domain.errors import BadModelReply, ReplyCut
from interlock.models.dialogue import (
    Begin,
    Delta,
    End,
    Part,
    PartBegin,
    PartEnd,
    Reply,
    StreamEvent,
    Text,
    Thinking,
    ToolUse,
)

_WORDS = re.compile(r"\s*\S+|\s+$", re.DOTALL)
_MOST_PIECES = 2_000


class Gathering:
    """Puts the events of one stream together, as they come."""

    __slots__ = ("_begin", "_citations", "_end", "_parts", "_signatures", "_words")

    def __init__(self) -> None:
        self._begin = Begin()
        self._end: End | None = None
        self._parts: dict[int, Part] = {}
        self._words: dict[int, list[str]] = {}
        self._signatures: dict[int, list[str]] = {}
        self._citations: dict[int, list[JsonObject]] = {}

    def add(self, event: StreamEvent) -> None:
        """Take `event` in. Raises BadModelReply for words of a part that has not begun."""
        match event:
            case Delta(index=index):
                if index not in self._parts:
                    raise BadModelReply(
                        "The model's stream cannot be read", why=f"part {index} goes on and never began"
                    )
                self._words.setdefault(index, []).append(event.text)
                if event.signature:
                    self._signatures.setdefault(index, []).append(event.signature)
                if event.citation is not None:
                    self._citations.setdefault(index, []).append(event.citation)
            case PartBegin():
                self._parts[event.index] = event.part
            case Begin():
                self._begin = event
            case End():
                self._end = event

    def part(self, index: int) -> Part:
        """Return part `index` as far as it has come."""
        part = self._parts[index]
        words, signature = "".join(self._words.get(index, ())), "".join(self._signatures.get(index, ()))
        if isinstance(part, Text):
            citations = part.citations + tuple(self._citations.get(index, ()))
            return replace(part, text=part.text + words, citations=citations, vendor=part.vendor if citations else "")
        if isinstance(part, ToolUse):
            return replace(part, arguments=part.arguments + words, signature=part.signature + signature)
        if isinstance(part, Thinking):
            return replace(part, text=part.text + words, signature=part.signature + signature)
        return part

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts in order, as far as they have come."""
        return tuple(self.part(index) for index in sorted(self._parts))

    @property
    def ended(self) -> bool:
        """Whether the reply has come to its end."""
        return self._end is not None

    def reply(self) -> Reply:
        """Return the whole reply. Raises ReplyCut when it has not come to its end."""
        begin, end = self._begin, self._end
        if end is None:
            raise ReplyCut(
                "The model's reply broke off before its end", do="Treat what came as incomplete, and ask again"
            )
        usage = end.usage or begin.usage
        return Reply(self.parts, end.stop, usage, begin.id, begin.model, begin.created, end.stop_sequence)


def whole(events: Iterable[StreamEvent]) -> Reply:
    """Return the reply that `events` tell. Raises ReplyCut without an End, BadModelReply for events out of order."""
    gathering = Gathering()
    for event in events:
        gathering.add(event)
    return gathering.reply()


def events_of(reply: Reply) -> Iterator[StreamEvent]:
    """Yield `reply` as a stream, its text word by word, so that a kept reply arrives like a fresh one."""
    yield Begin(reply.id, reply.model, reply.created)
    for index, part in enumerate(reply.parts):
        if isinstance(part, Text):
            yield PartBegin(index, replace(part, text="", citations=()))
            yield from (Delta(index, piece) for piece in _pieces(part.text))
            yield from (Delta(index, citation=citation) for citation in part.citations)
        elif isinstance(part, Thinking):
            yield PartBegin(index, part if part.redacted else replace(part, text="", signature=""))
            if not part.redacted:
                yield from (Delta(index, piece) for piece in _pieces(part.text))
                if part.signature:
                    yield Delta(index, signature=part.signature)
        elif isinstance(part, ToolUse):
            yield PartBegin(index, replace(part, arguments=""))
            if part.arguments:
                yield Delta(index, part.arguments)
        else:
            yield PartBegin(index, part)
        yield PartEnd(index)
    yield End(reply.stop, reply.usage, reply.stop_sequence)


def _pieces(text: str) -> Iterator[str]:
    """Yield words with the space before them; of a long text, several at a time."""
    words = _WORDS.findall(text)
    step = max(1, -(-len(words) // _MOST_PIECES))
    for start in range(0, len(words), step):
        yield "".join(words[start : start + step])
