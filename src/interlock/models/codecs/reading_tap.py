"""Watch a stream by reading it: for formats that no caller speaks, where nothing passes as it is."""

from dataclasses import replace

from interlock.models.dialogue import Delta, End, PartBegin, PartEnd, Reply, Stop, Text, Thinking, ToolUse
from interlock.models.wire import Seen, SseEvent, StreamReader, StreamTap


class ReadingTap(StreamTap):
    """Keeps what `reader` makes of the events."""

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._calls: dict[int, ToolUse] = {}
        self._done: list[ToolUse] = []
        self._words: list[str] = []
        self._end: End | None = None

    def feed(self, event: SseEvent) -> bool:
        """Every event is for the caller."""
        for said in self._reader.read(event):
            match said:
                case PartBegin(index, ToolUse() as call):
                    self._calls[index] = call
                case Delta():
                    self._words.append(said.text)
                    if said.index in self._calls:
                        call = self._calls[said.index]
                        self._calls[said.index] = replace(call, arguments=call.arguments + said.text)
                case PartEnd() if said.index in self._calls:
                    self._done.append(self._calls.pop(said.index))
                case End():
                    self._end = said
        return True

    @property
    def finished(self) -> bool:
        return self._reader.finished

    def seen(self) -> Seen:
        usage = self._end.usage if self._end else None
        stop = self._end.stop if self._end else None
        return Seen(usage, tuple(self._done), stop, "" if usage else "".join(self._words))


def seen_in(reply: Reply, stop: Stop | None) -> Seen:
    """Return what `reply` says, for counting and for the record."""
    words = "" if reply.usage else "".join(_words(part) for part in reply.parts)
    return Seen(reply.usage, reply.proposals, stop, words)


def _words(part: object) -> str:
    if isinstance(part, Text | Thinking):
        return part.text
    return part.arguments if isinstance(part, ToolUse) else ""
