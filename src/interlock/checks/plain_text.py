"""Bring a text into the form in which look-alike and invisible characters hide nothing."""

import re
import unicodedata

# Format characters (category Cf) and variation selectors: they show nothing and may stand between any two digits.
_INVISIBLE = re.compile(
    "[\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f\U000e0100-\U000e01ef]+"
)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_DISGUISES = """
aa ad b2-b3 b9-ba bc-be 132-133 13f-140 149 17f 1c4-1cc 1f1-1f3 2b0-2b8 2e1-2e3 600-605 61c 660-669 6dd 6f0-6f9 70f 7c0-7c9
890-891 8e2 966-96f 9e6-9ef a66-a6f ae6-aef b66-b6f be6-bef c66-c6f ce6-cef d66-d6f de6-def e50-e59 ed0-ed9 f20-f29 1040-1049
1090-1099 17e0-17e9 180e 1810-1819 1946-194f 19d0-19d9 1a80-1a99 1b50-1b59 1bb0-1bb9 1c40-1c59 1d00-1dff 1e9a 200b-200f
202a-202e 203c 2048-2049 2060-209c 20a8 2100-214f 2150-218b 2460-24ff 2a74-2a76 2c7c-2c7d 3200-33ff a620-a629 a7f2-a7f4
a8d0-a909 a9d0-a9f9 aa50-aa59 abf0-abf9 fb00-fb06 fb29 fe00-fe6b feff ff01-ff5e fff9-fffb 10400-1d7ff 1e100-1ef00 1f100-1f1ff
1fbf0-1fbf9 e0000-e01ef
"""
_BLOCK = 512
"""Texts are normalised in blocks of this many characters: marks are put in order in quadratic time."""


def disguises() -> tuple[str, ...]:
    """Return RE2 patterns of the characters that may hide something: `plain` drops them, or makes ASCII of them.

    Spaces are not among them, nor dashes beside spaces: they stand in most texts, so detectors' hints allow for them.
    """
    bounds = (part.partition("-") for part in _DISGUISES.split())
    hiding = "[" + "".join(f"\\x{{{first}}}-\\x{{{last or first}}}" for first, _, last in bounds) + "]"
    return hiding, r"[0-9A-Za-z][\x{2010}-\x{2015}\x{2212}][0-9A-Za-z]"


def plain(text: str) -> str:
    """Return `text` in NFKC, without invisible characters, with every dash as a hyphen and every digit as 0-9."""
    if text.isascii():
        return text
    visible = _INVISIBLE.sub("", text)
    blocks = (visible[start : start + _BLOCK] for start in range(0, len(visible), _BLOCK))
    normal = _DASHES.sub("-", "".join(unicodedata.normalize("NFKC", block) for block in blocks))
    return _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), normal)
