"""A place in a text, and a text without such places."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Find:
    """One place in a text."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Detector:
    """What knows one family of forms."""

    hints: tuple[str, ...]
    """RE2 patterns over UTF-8. Wherever `find` finds something, one of them matches; `\\b` and
    `\\z` are where it must begin and end, in texts of which the neighbours are known."""
    find: Callable[[str], Iterator[Find]]
    """Searches a text in plain form, in time linear in its length."""


def merged(found: Iterable[Find]) -> tuple[Find, ...]:
    """Return `found` in order, with places that overlap as one, named after the longest of them. Nothing found is lost."""
    waiting = sorted(found, key=lambda find: (find.start, -find.end))
    kept: list[Find] = []
    longest = 0
    for find in waiting:
        length = find.end - find.start
        if not kept or find.start >= kept[-1].end:
            kept.append(find)
            longest = length
            continue
        last = kept[-1]
        kind = find.kind if length > longest else last.kind
        longest = max(longest, length)
        kept[-1] = Find(last.start, max(last.end, find.end), kind)
    return tuple(kept)


def without(text: str, found: Iterable[Find]) -> str:
    """Return `text` with every place, in order and apart from each other, replaced by its kind in brackets."""
    pieces: list[str] = []
    position = 0
    for find in found:
        pieces += [text[position : find.start], f"[{find.kind}]"]
        position = find.end
    pieces.append(text[position:])
    return "".join(pieces)
