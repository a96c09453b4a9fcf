"""Texts fall into the same word pieces as in the reference implementation, whatever stands in them."""

from hypothesis import given
from hypothesis import strategies as st

from interlock.adapters.providers.wordpiece import WordPieces

VOCABULARY = [
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "pass",
    "##word",
    "##s",
    "re",
    "##set",
    "cafe",
    "!",
    "-",
    "12",
    "##3",
    "数",
    "a",
]
PIECES = WordPieces({piece: number for number, piece in enumerate(VOCABULARY)})


def split(text: str) -> list[str]:
    return [VOCABULARY[number] for number in PIECES.numbers(text)][1:-1]


def test_words_fall_into_the_longest_pieces_that_are_known() -> None:
    assert split("Reset passwords") == ["re", "##set", "pass", "##word", "##s"]
    assert split("123") == ["12", "##3"]


def test_case_accents_and_invisible_characters_do_not_matter() -> None:
    assert split("CAFÉ\tcafe\u0301\u200b\x00") == ["cafe", "cafe"]


def test_punctuation_and_ideographs_are_words_of_their_own() -> None:
    assert split("pass-pass!数数") == ["pass", "-", "pass", "!", "数", "数"]


def test_an_unknown_word_is_one_piece_however_long() -> None:
    assert split("zebra a") == ["[UNK]", "a"]
    assert split("a" * 101) == ["[UNK]"]


@given(st.text(max_size=300))
def test_any_text_has_pieces_between_its_two_ends(text: str) -> None:
    numbers = PIECES.numbers(text)

    assert (numbers[0], numbers[-1]) == (1, 2)
    assert all(0 <= number < len(VOCABULARY) for number in numbers)
