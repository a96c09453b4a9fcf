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
_BLOCK = 512
"""Texts are normalised in blocks of this many characters: marks are put in order in quadratic time."""


def plain(text: str) -> str:
    """Return `text` in NFKC, with invisible characters removed and every dash as a hyphen."""
    if text.isascii():
        return text
    visible = _INVISIBLE.sub("", text)
    blocks = (visible[start : start + _BLOCK] for start in range(0, len(visible), _BLOCK))
    normal = "".join(unicodedata.normalize("NFKC", block) for block in blocks)
    return _DASHES.sub("-", normal)
