"""Redaction is measured on texts that say what is in them: scripts/redaction_set.py makes them."""

import re
import unicodedata
from collections import Counter

import pytest

from interlock.checks.detectors import DETECTORS
from interlock.checks.plain_text import _DISGUISES, plain
from interlock.checks.redactor import Redactor
from scripts.redaction_set import TEAR, leaks, positives, read, torn

POSITIVES, NEGATIVES = read("positives"), read("negatives")
KINDS = sorted({line["kind"] for line in POSITIVES})
REDACTOR = Redactor.of({line["secret"] for line in POSITIVES} - {""})


def test_the_set_is_large_enough_to_say_something() -> None:
    assert len(KINDS) >= 14
    assert len(POSITIVES) >= 500
    assert len(NEGATIVES) >= 500


def test_the_set_is_what_its_script_makes() -> None:
    assert [torn(str(line["text"])).replace(TEAR, "") for line in positives()] == [line["text"] for line in POSITIVES]


@pytest.mark.parametrize("kind", KINDS)
def test_at_least_99_of_100_are_found(kind: str) -> None:
    lines = [line for line in POSITIVES if line["kind"] == kind]
    missed = [line["text"] for line in lines if leaks(line, REDACTOR.words(line["text"]))]
    assert len(missed) <= len(lines) // 100, missed[:3]


def test_at_most_5_of_100_texts_lose_something_that_is_nothing() -> None:
    touched = Counter(line["family"] for line in NEGATIVES if REDACTOR.text(line["text"])[1])
    assert touched.total() <= len(NEGATIVES) // 20, touched


def test_the_gate_announces_whatever_a_detector_finds() -> None:
    for line in POSITIVES:
        normal = plain(line["text"])
        if any(True for detector in DETECTORS for _ in detector.find(normal)):
            assert REDACTOR.gate(line["text"].encode()), line
            assert REDACTOR.gate(line["text"].encode(), binary=False), line
            assert REDACTOR.gate(normal.encode(), binary=False), line


def test_every_character_that_hides_something_is_known_to_the_gate() -> None:
    bounds = [
        (int(first, 16), int(last or first, 16))
        for first, last in re.findall(r"([0-9a-f]+)(?:-([0-9a-f]+))?", _DISGUISES)
    ]
    useful = set("@%&#\\/+=_[](){}<>:~^$!*")
    for code in range(0x80, 0x110000):
        char = chr(code)
        if 0xD800 <= code < 0xE000 or unicodedata.category(char) in ("Zs", "Pd") or char == "\u2212":
            continue
        made = plain(char)
        if made != char and (not made or any((c.isascii() and c.isalnum()) or c in useful for c in made)):
            assert any(first <= code <= last for first, last in bounds), f"{code:x}"
