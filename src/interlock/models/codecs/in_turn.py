"""Put the parts of a streamed reply one after the other, for formats in which only one may be open."""

from collections.abc import Iterator
from dataclasses import replace

from interlock.models.dialogue import Begin, Delta, End, PartBegin, PartEnd, StreamEvent


class InTurn:
    """Holds back what belongs to a later part until the open one has ended, and numbers parts from 0 without gaps."""

    def __init__(self) -> None:
        self._open: int | None = None
        self._waiting: dict[int, list[PartBegin | Delta | PartEnd]] = {}
        self._next = 0

    def order(self, event: StreamEvent) -> Iterator[StreamEvent]:
        """Yield what can be said now that `event` came."""
        if isinstance(event, Begin):
            yield event
        elif isinstance(event, End):
            yield from self._close_all()
            yield event
        elif self._open is None and isinstance(event, PartBegin):
            self._open = event.index
            yield self._numbered(event)
        elif event.index == self._open:
            yield self._numbered(event)
            if isinstance(event, PartEnd):
                yield from self._go_on()
        elif isinstance(event, PartBegin) or event.index in self._waiting:
            # What still comes for a part that has ended has no place any more.
            self._waiting.setdefault(event.index, []).append(event)

    def _go_on(self) -> Iterator[StreamEvent]:
        """Say what waited for the part that just ended: whole parts, and the beginning of the first that is not."""
        self._open = None
        self._next += 1
        while self._open is None and self._waiting:
            index = next(iter(self._waiting))
            for held in self._waiting.pop(index):
                self._open = index
                yield self._numbered(held)
                if isinstance(held, PartEnd):
                    self._open = None
                    self._next += 1

    def _close_all(self) -> Iterator[StreamEvent]:
        while self._open is not None:
            yield PartEnd(self._next)
            yield from self._go_on()

    def _numbered(self, event: PartBegin | Delta | PartEnd) -> StreamEvent:
        return replace(event, index=self._next)
