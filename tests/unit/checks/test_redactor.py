"""What is stored, logged or exported goes through one redactor: it knows forms, and the deployment's own secrets."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.checks.finding import Find
from interlock.checks.redactor import Redactor

SECRET = 'zebra/quilt+"42"\\x é'
KNOWN = Redactor.of([SECRET, "short"])
WAYS = {
    "itself": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "json, not ASCII": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "percent": quote(SECRET, safe=""),
    "hex": SECRET.encode().hex(),
    "upper hex": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "every byte in percent": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_an_own_secret_is_found_in_every_spelling(way: str) -> None:
    text, kinds = KNOWN.text(f"before {WAYS[way]} after")
    assert WAYS[way] not in text
    assert kinds == ("secret",)
    assert text.startswith("before ")
    assert text.endswith(" after")


@given(st.text(max_size=5), st.text(max_size=5))
def test_an_own_secret_is_found_within_other_words_in_base64(before: str, after: str) -> None:
    coded = base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()
    assert KNOWN.text(coded)[1] == ("secret",)


def test_a_secret_of_few_letters_does_not_take_words_out_of_texts() -> None:
    assert KNOWN.text("in short, fine") == ("in short, fine", ())


def test_a_redactor_never_shows_what_it_knows() -> None:
    assert "zebra" not in repr(KNOWN)


def test_what_overlaps_goes_as_one_and_nothing_of_it_stays() -> None:
    text, kinds = Redactor.of(["example.com/abc-secret"]).text("mail anna@example.com/abc-secret now")
    assert text == "mail [secret] now"
    assert kinds == ("secret",)


def test_a_kind_may_stay_but_no_secret() -> None:
    keeping = Redactor.of(keep=("ip", "api_key"))
    assert (
        keeping.text("from 192.168.0.1 with ghp_abcdefghijklmnopqrstuvwxyz0123456789")[0]
        == "from 192.168.0.1 with [api_key]"
    )


def test_a_field_whose_name_says_secret_is_taken_whole() -> None:
    said = {"db": {"password": "letmein", "max_tokens": 5, "next_page_token": "abc"}, "password": "${DB_PASSWORD}"}
    cleaned, kinds = Redactor().value(said)
    assert cleaned == {
        "db": {"password": "[credential]", "max_tokens": 5, "next_page_token": "abc"},
        "password": "${DB_PASSWORD}",
    }
    assert kinds == ("credential",)


def test_what_holds_nothing_comes_back_as_it_is() -> None:
    value = {"a": ["plain words", 5, None, 1.5, {"b": True}]}
    cleaned, kinds = Redactor().value(value)
    assert cleaned is value
    assert kinds == ()


def test_what_lies_too_deep_to_be_looked_at_does_not_stay() -> None:
    deep: Any = "anna@example.com"
    for _ in range(300):
        deep = [deep]
    assert "anna" not in json.dumps(Redactor().value(deep)[0])


def test_texts_that_no_encoder_takes_are_looked_at_too() -> None:
    assert Redactor().value({"a": "\ud800 anna@example.com", "n": 10**30})[1] == ("email",)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a\x1041111111111111111\x12\x05hello",
        b"\x41anna@example.com\x32",
        b"\x30" + b"AKIAIOSFODNN7EXAMPLE" + b"\x4a",
        "\x0b１２３４".encode(),
        b'{"a": "line\\n4111111111111111"}',
        b'{"a": "anna\\u0040example.com"}',
    ],
)
def test_the_gate_sees_texts_whatever_stands_beside_them(data: bytes) -> None:
    assert Redactor().gate(data)


def test_the_gate_of_texts_sees_what_follows_an_escape() -> None:
    assert Redactor().gate(b'{"a": "line\\n4111111111111111"}', binary=False)


LETTERS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
PLANTED = st.sampled_from(
    (
        "anna@example.com",
        "4111 1111 1111 1111",
        "+49 30 12345678",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "078-05-1120",
    )
)
DISGUISE = st.sampled_from((("", ""), (" ", "\u00a0"), ("-", "\u2011"), ("a", "ａ"), ("1", "\u06f1"), ("1", "1\u200b")))


@given(LETTERS, PLANTED, DISGUISE, LETTERS)
def test_whatever_the_text_finds_the_gate_has_announced(
    before: str, planted: str, disguise: tuple[str, str], after: str
) -> None:
    text = f"{before} {planted.replace(*disguise) if disguise[0] else planted} {after}"
    redactor = Redactor()
    assert redactor.text(text)[1]
    assert redactor.gate(text.encode())
    assert redactor.gate(text.encode(), binary=False)
    assert redactor.gate(orjson.dumps({"text": text}), binary=False)


@given(st.integers(0, 12_000), st.integers(0, 12_000), PLANTED)
def test_a_long_text_is_looked_at_everywhere(before: int, after: int, planted: str) -> None:
    text = f"{'word ' * (before // 5)}{'x' * (before % 5)} {planted} {'more ' * (after // 5)}"
    assert planted not in Redactor().words(text)


@pytest.mark.parametrize("size", [900, 1_100, 5_000, 20_000])
def test_what_is_longer_than_a_stretch_goes_whole(size: int) -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
    token = f"{head}.{'aB3_' * (size // 4)}.{'c' * 43}"
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQ" * (size // 6) + "\n-----END PRIVATE KEY-----"
    coded = base64.b64encode(b"the words before anna@example.com " + b"and words after " * (size // 16)).decode()
    text = f"{'word ' * 900}{token} {'word ' * 900}{key} {'word ' * 900}{coded} end"
    cleaned, kinds = Redactor().text(text)
    assert kinds == ("email", "jwt", "private_key")
    assert cleaned == f"{'word ' * 900}[jwt] {'word ' * 900}[private_key] {'word ' * 900}[email] end"


def test_a_further_recogniser_is_asked_about_every_text() -> None:
    def names(text: str) -> tuple[Find, ...]:
        at = text.find("Ada Lovelace")
        return (Find(at, at + 12, "person"),) if at >= 0 else ()

    redactor = Redactor.of(recognisers=(names,))
    assert redactor.gate(b"nothing by form")
    assert redactor.value({"a": "by Ada Lovelace"}) == ({"a": "by [person]"}, ("person",))


def test_many_threads_use_one_redactor() -> None:
    texts = [f"mail{number}@example.com and {SECRET} {'word ' * 2_000}" for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert all("@" not in one and "zebra" not in one for one in pool.map(KNOWN.words, texts))


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = KNOWN.words(text)
    assert KNOWN.words(once) == once


@pytest.mark.parametrize("before", ["_", "token_", "backup-", "x_"])
@pytest.mark.parametrize(
    "key",
    [
        "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
)
def test_a_key_is_found_behind_a_name_that_is_joined_to_it(before: str, key: str) -> None:
    cleaned, kinds = Redactor().text(f"saved as {before}{key} today")
    assert kinds
    assert key not in cleaned
