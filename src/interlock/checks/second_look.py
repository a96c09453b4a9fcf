"""What is written so that a first look misses it: base64, percent signs, escapes. Undone once, and looked at again."""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from interlock.checks.finding import Find
from interlock.checks.plain_text import plain

Look = Callable[[str], tuple[Find, ...]]

# Four groups in a row that stand for printable ASCII: two bits of each byte are known, so chance makes few.
_QUARTET = r"[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_\-]"
_RUN = re.compile(r"[A-Za-z0-9+/_-]{16,}", re.ASCII)
_WORDS = re.compile(rf"(?:{_QUARTET}){{4}}", re.ASCII)
_LONGEST = 1 << 20
"""Characters of a run that are decoded."""
_UNPRINTABLE = bytes(byte if byte >= 0x20 and byte != 0x7F else 0x0A for byte in range(256))
_ESCAPE = re.compile(
    r"((?:%[0-9A-Fa-f]{2})+)|((?:\\u00[0-7][0-9A-Fa-f])+)|((?:\\x[0-7][0-9A-Fa-f])+)|&#(\d{2,3});|&#[xX]([0-7]?[0-9A-Fa-f]);",
    re.ASCII,
)
_URL64 = str.maketrans("-_", "+/")


def looked_again(text: str, look: Look) -> Iterator[Find]:
    """Yield where `text` holds, in another spelling, what `look` finds."""
    yield from _in_base64(text, look)
    yield from _in_escapes(text, look)


def _in_base64(text: str, look: Look) -> Iterator[Find]:
    for run in _RUN.finditer(text):
        said = run.group()[:_LONGEST]
        begun = {match.start() % 4 for match in _WORDS.finditer(said)}
        for shift in sorted(begun):
            found = look(plain(_decoded(said[shift:])))
            if found:
                yield Find(run.start(), _padded(text, run.end()), found[0].kind)
                break


def _decoded(said: str) -> str:
    whole = said.translate(_URL64)[: len(said) // 4 * 4 + (len(said) % 4 if len(said) % 4 > 1 else 0)]
    try:
        raw = base64.b64decode(whole + "=" * (-len(whole) % 4))
    except binascii.Error:
        return ""
    return raw.translate(_UNPRINTABLE).decode("utf-8", "replace")


def _padded(text: str, end: int) -> int:
    while end < len(text) and text[end] == "=":
        end += 1
    return end


def _in_escapes(text: str, look: Look) -> Iterator[Find]:
    pieces: list[str] = []
    decoded_at, written_at = [0], [0]
    position, length = 0, 0
    for escape in _ESCAPE.finditer(text):
        between, said = text[position : escape.start()], _unescaped(escape)
        pieces += [between, said]
        length += len(between)
        decoded_at.append(length)
        written_at.append(escape.start())
        length += len(said)
        decoded_at.append(length)
        written_at.append(escape.end())
        position = escape.end()
    if position == 0:
        return
    pieces.append(text[position:])
    for find in look("".join(pieces)):
        start = _written(find.start, decoded_at, written_at, late=False)
        end = _written(find.end, decoded_at, written_at, late=True)
        yield Find(start, end, find.kind)


def _unescaped(escape: re.Match[str]) -> str:
    percent, short, hexed, decimal, hexadecimal = escape.groups()
    if percent:
        return bytes.fromhex(percent.replace("%", "")).decode("utf-8", "replace")
    if short:
        return bytes.fromhex(short.replace("\\u00", "")).decode("ascii")
    if hexed:
        return bytes.fromhex(hexed.replace("\\x", "")).decode("ascii")
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number)


def _written(place: int, decoded_at: list[int], written_at: list[int], *, late: bool) -> int:
    """Return where in the written text the decoded `place` lies; within escapes, their begin or their end."""
    # An even entry begins a plain stretch, an odd one a stretch of escapes.
    index = bisect_right(decoded_at, place) - 1
    if late and index and decoded_at[index] == place and index % 2 == 1:
        return written_at[index]
    if index % 2 == 0:
        return written_at[index] + place - decoded_at[index]
    return written_at[index + 1] if late else written_at[index]


HINTS = (
    rf"(?:{_QUARTET}){{4}}",
    r"%(?:2[1-9A-Fa-f]|[3-7][0-9A-Fa-f])|[0-9]%20[0-9]",
    r"\\u00[2-7]",
    r"\\x[2-7]",
    r"&#[xX]?[0-9A-Fa-f]{2}",
)
