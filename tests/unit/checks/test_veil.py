"""Personal data leaves as tokens and comes back as itself, however the reply is cut into pieces."""

import json

from hypothesis import given
from hypothesis import strategies as st

from interlock.checks.veil import Unveiling, Veil

KINDS = ("email", "card", "iban", "phone")
TEXT = "Write to emma@example.com, not to ben@example.org, about card 4111 1111 1111 1111."


def veil(*, reversible: bool = True, key: bytes = b"k" * 32) -> Veil:
    return Veil(KINDS, key, reversible)


def test_nothing_of_the_values_leaves_and_everything_comes_back() -> None:
    mine = veil()
    hidden = mine.hide(TEXT)
    assert "@" not in hidden
    assert "4111" not in hidden
    assert mine.restore(hidden) == TEXT
    assert mine.counts == {"email": 2, "card": 1}


def test_the_same_value_has_the_same_token_and_another_run_another() -> None:
    mine, other = veil(), veil(key=b"o" * 32)
    first = mine.hide("emma@example.com")
    assert mine.hide("again emma@example.com") == f"again {first}"
    assert other.hide("emma@example.com") != first


def test_a_token_that_this_call_did_not_make_stays_a_token() -> None:
    token = veil(key=b"o" * 32).hide("emma@example.com")
    assert veil().restore(token) == token


def test_redaction_leaves_only_the_kind() -> None:
    mine = veil(reversible=False)
    assert mine.hide("emma@example.com") == "[email]"
    assert mine.hidden == {}


def test_only_the_chosen_kinds_are_hidden() -> None:
    mine = Veil(("card",), b"k" * 32, reversible=True)
    assert mine.hide("emma@example.com") == "emma@example.com"


def test_inside_json_a_value_is_restored_as_json() -> None:
    mine = Veil(("private_key",), b"k" * 32, reversible=True)
    secret = '-----BEGIN PRIVATE KEY-----\nab"c\n-----END PRIVATE KEY-----'
    arguments = '{"key": "' + mine.hide(secret) + '"}'
    assert json.loads(mine.restore(arguments, as_json=True)) == {"key": secret}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60))
def test_a_stream_is_restored_wherever_it_is_torn(lengths: list[int]) -> None:
    mine = veil()
    hidden = mine.hide(TEXT + " [see [1] and [note#x] too] [")
    unveiling, pieces, position = Unveiling(mine), [], 0
    for length in [*lengths, len(hidden)]:
        pieces.append(unveiling.feed(hidden[position : position + length]))
        position += length
    pieces.append(unveiling.end())
    assert "".join(pieces) == mine.restore(hidden)


def test_ordinary_words_are_not_held_back() -> None:
    unveiling = Unveiling(veil())
    assert unveiling.feed("Hello there, ") == "Hello there, "
    assert unveiling.feed("a list [1]") == "a list [1]"
