"""Personal data and secrets are found by their form, in whatever characters they are written, in linear time."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.checks.personal import contains_personal_data, redact

FOUND = [
    ("write to anna.o'neil+x@sub.example.co.uk now", "write to [email] now"),
    ("a\u200bnna\uff20example.com", "[email]"),
    ("call +49 (30) 1234-5678!", "call [phone]!"),
    ("(415) 555-2671 or 415-555-2671", "[phone] or [phone]"),
    ("card 4111 1111 1111 1111.", "card [card]."),
    ("４１１１-1111-1111-1111", "[card]"),
    ("378282246310005", "[card]"),
    ("DE89 3704 0044 0532 0130 00 and more", "[iban] and more"),
    ("gb82west12345698765432", "[iban]"),
    ("from 192.168.0.1 to 2001:db8::ff00:42:8329", "from [ip] to [ip]"),
    ("key sk_live_abcdefghijklmnopqrst12", "key [api_key]"),
    ("AKIAIOSFODNN7EXAMPLE", "[api_key]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl", "[jwt]"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[private_key]"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE and no end", "[private_key]"),
]
FREE = [
    "order 1234567890123 of 2026-11-20 12:30:45",
    "4111 1111 1111 1112 fails its check digit",
    "GB83WEST12345698765432 fails its check digits",
    "total 1,234,567.89, version 1.2.3, tracking 1Z999AA10123456784",
    "me @ home, ratio 3:1, id ch_3Qx, 11/20/2026",
    "",
]


@pytest.mark.parametrize(("text", "clean"), FOUND)
def test_what_a_detector_knows_is_found_and_taken_out(text: str, clean: str) -> None:
    assert contains_personal_data({"deep": [{"in": text}]})
    value, kinds = redact([text])
    assert value == [clean]
    assert kinds
    assert not contains_personal_data(value)


@pytest.mark.parametrize("text", FREE)
def test_ordinary_texts_pass_as_they_are(text: str) -> None:
    assert not contains_personal_data(text)
    assert redact({"x": text}) == ({"x": text}, ())


def test_keys_and_numbers_are_looked_at_too() -> None:
    assert redact({"a@b.co": 1, "n": 4111111111111111}) == ({"[email]": 1, "n": "[card]"}, ("card", "email"))
    assert redact({"a@b.co": 1, "c@d.co": 2})[0] == {"[email]": 1, "[email]+": 2}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_redaction_leaves_nothing_to_find_and_changes_nothing_else(value: Any) -> None:
    cleaned, kinds = redact(value)
    assert not contains_personal_data(cleaned)
    assert bool(kinds) is contains_personal_data(value)
    if not kinds:
        assert cleaned is value


MIB = 1 << 20
HOSTILE = {
    name: (unit * (MIB // len(unit.encode())))
    for name, unit in {
        "letters": "a", "ats": "@", "mail starts": "a@", "domains": "x@a.", "hyphens": "x@" + "a-" * 30, "digits": "1",
        "spaced digits": "1 ", "card groups": "4444 ", "iban starts": "DE12 ", "jwt starts": "eyJ", "jwt parts": "eyJaaaaaaaa.",
        "pem starts": "-----BEGIN RSA PRIVATE KEY-----", "dashes": "-----BEGIN ", "keys": "sk-", "addresses": "1.1.1.1.",
        "colons": ":", "phones": "+1((((((((", "marks": "\u0315\u0300", "ligatures": "\ufdfa", "hidden": "1\u200b",
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_mebibyte_of_anything_takes_less_than_a_second(name: str) -> None:
    started = time.process_time()
    redact(HOSTILE[name])
    assert time.process_time() - started < 1
