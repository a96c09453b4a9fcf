"""Server-sent events: cut a stream of bytes into events, and write events."""

import re

from interlock.domain.errors import BadModelReply
from interlock.models.wire import SseEvent

MAX_EVENT_BYTES = 4 << 20
"""The largest event that is taken, in bytes."""
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_BARE_RETURN = re.compile(rb"\r(?!\n)")
"""Some readers end a line there, and would see events that stand here within another."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Splitter:
    """Cuts one stream into events, wherever its chunks happen to end."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def rest(self) -> bool:
        """Whether an incomplete event is left: at the end of a stream, that it was cut."""
        return any(not part.isspace() for part in self._parts)

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that are complete with `chunk`. Raises BadModelReply for one too large, or a name not UTF-8."""
        parts = self._parts
        if parts:
            # The blank line may lie across the border; looking only there keeps many small chunks of a large event cheap.
            border = b"".join(parts[-3:])[-3:] + chunk
            if b"\n\n" not in border and b"\n\r\n" not in border:
                self._keep(chunk)
                return []
            chunk = b"".join((*parts, chunk))
            parts.clear()
            self._size = 0
        if b"\r" in chunk or len(chunk) > MAX_EVENT_BYTES:
            return self._with_care(chunk)
        pieces = chunk.split(b"\n\n")
        rest = pieces.pop()
        if rest:
            self._keep(rest)
        elif len(pieces) == 1:
            return [_parsed(chunk, pieces[0])]
        return [_parsed(piece + b"\n\n", piece) for piece in pieces]

    def _with_care(self, chunk: bytes) -> list[SseEvent]:
        events, start = [], 0
        for blank in _BLANK_LINE.finditer(chunk):
            events.append(_by_lines(chunk[start : blank.end()]))
            start = blank.end()
        if start < len(chunk):
            self._keep(chunk[start:])
        return events

    def _keep(self, chunk: bytes) -> None:
        if chunk:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._size > MAX_EVENT_BYTES:
                raise _too_large()


def event(name: str, data: bytes) -> bytes:
    """Return an event as it goes over the wire; without a name it has only data."""
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data) if name else b"data: %b\n\n" % data


def _parsed(raw: bytes, piece: bytes) -> SseEvent:
    # Nearly every event is one line of data, with or without a name before it.
    if piece.startswith(b"data: "):
        if b"\n" not in piece:
            return SseEvent(raw, piece[6:])
    elif piece.startswith(b"event: "):
        name, _, line = piece.partition(b"\n")
        if line.startswith(b"data: ") and b"\n" not in line:
            return SseEvent(raw, line[6:], _name(name[7:]))
    return _by_lines(raw)


def _by_lines(raw: bytes) -> SseEvent:
    if len(raw) > MAX_EVENT_BYTES:
        raise _too_large()
    if _BARE_RETURN.search(raw):
        raise BadModelReply("The provider's stream cannot be read", why="a line ends in a bare carriage return")
    data: list[bytes] = []
    name = ""
    for line in _LINE_END.split(raw.removeprefix(_BYTE_ORDER_MARK)):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = _name(value.removeprefix(b" "))
    return SseEvent(raw, b"\n".join(data), name)


def _name(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadModelReply("The provider's stream cannot be read", why="the name of an event is not UTF-8") from None


def _too_large() -> BadModelReply:
    return BadModelReply("The provider's stream cannot be read", why=f"an event is larger than {MAX_EVENT_BYTES} bytes")
