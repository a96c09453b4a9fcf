"""Tokens of images, from the size in pixels that their first bytes tell."""

import base64
import binascii
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from interlock.domain.errors import BadInput
from interlock.models.dialogue import Image, Request, ToolOutcome

MOST = 65_536
"""Tokens of an image of which nothing is known. Twelve megapixels were seen to cost 14,364; OpenAI's tiles cost up to
48,169 at `gpt-4o-mini`."""
_LARGEST_SIDE = 1 << 16
_LONGEST_JPEG_SCAN = 1 << 20
"""Bytes in which the size of a JPEG is looked for; metadata stands before it."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


def size(data: bytes) -> Size | None:
    """Return the size of a PNG, JPEG, GIF or WebP image, or None for what is not one or is cut too short."""
    found = None
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            found = Size(*struct.unpack(">II", data[16:24]))
        elif data.startswith((b"GIF87a", b"GIF89a")):
            found = Size(*struct.unpack("<HH", data[6:10]))
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            found = _webp(data)
        elif data.startswith(b"\xff\xd8"):
            found = _jpeg(data[:_LONGEST_JPEG_SCAN])
    except (struct.error, IndexError):
        return None
    if found is None or not 0 < found.width <= _LARGEST_SIDE or not 0 < found.height <= _LARGEST_SIDE:
        return None
    return found


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return Size(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        return Size(1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    return None


def _jpeg(data: bytes) -> Size | None:
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return Size(width, height)
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        if length < 2:
            return None
        place += 2 + length
    return None


# Prefix of the model's name, most specific first; then tokens of a tile and before the first, patches allowed, and
# hundredths of a token a patch. Zero tiles or patches: the model does not count so. Both: it is not settled how.
_OPENAI = (
    ("gpt-4o-mini", 5667, 2833, 0, 0),
    ("gpt-4.1-mini", 0, 0, 1536, 162),
    ("gpt-4.1-nano", 0, 0, 1536, 246),
    ("gpt-4.1", 170, 85, 1536, 100),
    ("gpt-4o", 170, 85, 0, 0),
    ("gpt-4.5", 170, 85, 0, 0),
    ("o4-mini", 0, 0, 1536, 172),
    ("o1", 150, 75, 0, 0),
    ("o3", 150, 75, 0, 0),
    ("gpt-5-mini", 0, 0, 1536, 162),
    ("gpt-5-nano", 0, 0, 1536, 246),
    ("gpt-5.", 140, 70, 10_000, 246),
    ("gpt-5", 140, 70, 0, 0),
)
_UNKNOWN_OPENAI = ("", 170, 85, _LARGEST_SIDE**2, 246)
_CLAUDE_COARSE = re.compile(r"claude-(3|haiku-4-5|opus-4-[0-6]|opus-4-20|sonnet-4)")
"""Models that see at most some 1,600 patches; later ones see three times as many."""
_LOW = 2833
"""Tokens of an image that OpenAI is asked to see in low detail, at the model for which they are most."""


def image_tokens(model: str, data: bytes | None = None, *, low: bool = False) -> int:
    """Return the most tokens that an image can be for `model`. `data` is the image, or None when only an address is
    known; `low` says that OpenAI is asked for low detail.
    """
    plain = model.lower().rsplit("/", 1)[-1]
    found = size(data) if data is not None else None
    if "claude" in plain:
        return _claude(plain[plain.index("claude") :], found)
    if "gemini" in plain:
        return _gemini(found)
    if plain.startswith(("gpt", "o1", "o3", "o4", "chatgpt", "openai.", "ft:")):
        return _openai(plain.removeprefix("ft:").removeprefix("openai."), found, low=low)
    return MOST if found is None else min(MOST, _patches(found, 28) * 2)


def _claude(model: str, found: Size | None) -> int:
    """One token a patch of 28 x 28 pixels, after the image was scaled down until it has few enough."""
    most = 1_640 if _CLAUDE_COARSE.match(model) else 4_784
    return most if found is None else min(most, _patches(found, 28))


def _gemini(found: Size | None) -> int:
    """258 tokens a tile up to the second generation; at most 2,240 an image since."""
    if found is None:
        return MOST
    side = max(256, min(768, int(min(found.width, found.height) / 1.5)))
    return min(MOST, max(2_240, 258 * _patches(found, side)))


def _openai(model: str, found: Size | None, *, low: bool) -> int:
    _, tile, first, budget, hundredths = next((row for row in _OPENAI if model.startswith(row[0])), _UNKNOWN_OPENAI)
    if low:
        return first if tile and not budget else _LOW
    by_tile = first + tile * _tiles(found) if tile else 0
    patches = min(budget, _patches(found, 32)) if found else min(budget, MOST)
    return min(MOST, max(by_tile, -(-patches * hundredths // 100)))


def _tiles(found: Size | None) -> int:
    """Squares of 512 pixels, after the image was fitted into 2048 x 2048 and its shorter side into 768."""
    if found is None:
        return 8
    width, height = _fitted(found.width, found.height, 2048 / max(found.width, found.height))
    width, height = _fitted(width, height, 768 / min(width, height))
    return -(-width // 512) * -(-height // 512)


def _fitted(width: int, height: int, scale: float) -> tuple[int, int]:
    return (width, height) if scale >= 1 else (max(1, round(width * scale)), max(1, round(height * scale)))


def _patches(found: Size, side: int) -> int:
    return -(-found.width // side) * -(-found.height // side)


def check_images(request: Request) -> None:
    """Raise BadInput when a picture that `request` brings along is none: not base64, or no PNG, JPEG, GIF or WebP."""
    for number, image in enumerate(_pictures(request), 1):
        if image.url:
            continue
        try:
            head = base64.b64decode(image.data[:_HEAD], validate=True)
        except binascii.Error:
            head = b""
        if not head.startswith(_BEGINNINGS):
            raise BadInput(
                f"Image {number} of the request is not an image",
                do="Send a PNG, JPEG, GIF or WebP in base64, or its address",
            )


_HEAD = 64
"""Characters of base64 that hold the first bytes of a picture."""
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")


def _pictures(request: Request) -> Iterator[Image]:
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Image):
                yield part
            elif isinstance(part, ToolOutcome):
                yield from (inner for inner in part.parts if isinstance(inner, Image))
