"""Look only where something may be: a long text is taken in stretches, and most of them the gate lets pass."""

import re
from collections.abc import Callable, Iterator, Sequence

from interlock.checks.finding import Find

_WHOLE = 4_096
"""Characters of a text that is not worth being divided."""
_STRETCH = 1_024
_OVERLAP = 1_024
"""What lies across the border of two stretches is seen whole in the first, unless it is longer than this."""
_BACK = 64
_TOKEN = re.compile(r"[\w.+/=%-]*", re.ASCII)


def in_regions(text: str, speaks: Callable[[bytes], bool], look: Callable[[str], Sequence[Find]]) -> Iterator[Find]:
    """Yield what `look` finds in `text`, in any order, some of it twice. Both are asked about parts of it."""
    if len(text) <= _WHOLE:
        yield from look(text)
        return
    begin = 0
    while begin < len(text):
        end = min(begin + _STRETCH + _OVERLAP, len(text))
        next_begin = begin + _STRETCH
        if speaks(text[begin:end].encode("utf-8", "replace")):
            end = _whole_word(text, end)
            found = look(text[begin:end])
            # What reaches the end may go on after it.
            while end < len(text) and any(begin + find.end >= end for find in found):
                end = _whole_word(text, min(2 * end - begin, len(text)))
                found = look(text[begin:end])
            yield from (Find(find.start + begin, find.end + begin, find.kind) for find in found)
            next_begin = max(next_begin, end - _OVERLAP)
        begin = len(text) if end == len(text) else _edge(text, next_begin)


def _whole_word(text: str, place: int) -> int:
    """Return where the token ends in which `place` lies: of a token that is torn, no detector might know the half."""
    rest = _TOKEN.match(text, place)
    return rest.end() if rest is not None else place


def _edge(text: str, place: int) -> int:
    """Return the nearest place before `place` at which a word ends, so that no word loses its beginning."""
    for near in range(place, place - _BACK, -1):
        if not text[near - 1].isalnum():
            return near
    return place
