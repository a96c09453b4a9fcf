"""BERT's word pieces, uncased: from a text to the numbers that its model was trained on."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

_LONGEST_WORD = 100
"""Characters; what is longer is an unknown word, as in the reference implementation."""
_CJK = re.compile(
    "([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f])"
)
_ASCII_MARKS = re.compile(r"[!-/:-@\[-`{-~]")


class WordPieces:
    """Splits texts by one vocabulary. Pure."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """`vocabulary` numbers the pieces; those that go on with a word begin with `##`."""
        self._numbers = vocabulary
        self._unknown = vocabulary["[UNK]"]
        self._ends = vocabulary["[CLS]"], vocabulary["[SEP]"]

    def numbers(self, text: str) -> list[int]:
        """Return the numbers of the pieces of `text`, between the marks for its start and its end."""
        start, end = self._ends
        return [start, *(number for word in _words(text) for number in self._pieces(word)), end]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        at, known = 0, self._numbers
        while at < len(word):
            stop = len(word)
            while stop > at and (word[at:stop] if at == 0 else "##" + word[at:stop]) not in known:
                stop -= 1
            if stop == at:
                return [self._unknown]
            found.append(known[word[at:stop] if at == 0 else "##" + word[at:stop]])
            at = stop
        return found


def _words(text: str) -> Iterator[str]:
    clean = "".join(_plain(char) for char in text)
    for word in _CJK.sub(r" \1 ", clean).split():
        bare = "".join(
            char for char in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(char) != "Mn"
        )
        yield from _split(bare)


def _plain(char: str) -> str:
    if char in "\t\n\r" or unicodedata.category(char) == "Zs":
        return " "
    return "" if char in "\0\ufffd" or unicodedata.category(char).startswith("C") else char


def _split(word: str) -> Iterator[str]:
    start = 0
    for at, char in enumerate(word):
        if _ASCII_MARKS.match(char) or unicodedata.category(char).startswith("P"):
            if at > start:
                yield word[start:at]
            yield char
            start = at + 1
    if start < len(word):
        yield word[start:]
