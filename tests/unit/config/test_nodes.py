"""YAML as a bounded tree."""

from __future__ import annotations

import time

import pytest

from interlock.config.nodes import MAX_CHARACTERS, Series, Table, parse, plain
from interlock.domain.errors import ConfigurationError


def refused(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f.yaml")
    (problem,) = caught.value.problems
    return f"{problem.spot.line}:{problem.spot.column} {problem.what}"


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "{a: yes, b: on, c: true, d: 010, e: 0o10, f: 1_000, g: 1.5, h: ~, i: '1', j: 12:30:00, k: 2026-01-02}"

    assert plain(parse(text, "f")) == {
        "a": "yes",
        "b": "on",
        "c": True,
        "d": 10,
        "e": 8,
        "f": "1_000",
        "g": 1.5,
        "h": None,
        "i": "1",
        "j": "12:30:00",
        "k": "2026-01-02",
    }


def test_every_node_knows_where_it_stands() -> None:
    tree = parse("a:\n  - x\n  -   {b: y}\n", "f")

    assert isinstance(tree, Table)
    (key, items) = tree.entries[0]
    assert isinstance(items, Series)
    assert [(node.line, node.column) for node in (key, items, *items.items)] == [(1, 1), (2, 3), (2, 5), (3, 7)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 The key 'a' stands here twice; first in line 1"),
        ("1: x\n'1': y\n", "2:1 The key '1' stands here twice; first in line 1"),
        ("a: !!python/object:os.system x\n", "1:4 YAML tags are not taken"),
        ("a: .nan\n", "1:4 Infinity and NaN are not taken"),
        ("a: 9007199254740993\n", "1:4 The number is too large to be exact"),
        ("a: 1e999\n", "1:4 The number is too large to be exact"),
        ("a\n---\nb\n", "2:1 The file holds more than one YAML document"),
        ("", "1:1 The file is empty"),
        ("# nothing\n", "1:1 The file is empty"),
        ("a: *b\n", "1:4 This alias points at nothing that is complete before it"),
        ("a: &a [*a]\n", "1:8 This alias points at nothing that is complete before it"),
        ("b: &b {x: 1}\na:\n  <<: *b\n", "3:3 This cannot be a key"),
        ("? [a]\n: 1\n", "1:3 This cannot be a key"),
        ("%YAML 1.1\n---\na: yes\n", "2:1 The file asks for another version of YAML"),
        ('a: "\\0"\n', "1:4 The text holds a null character or half a surrogate pair"),
        ('a: "\\uD800"\n', "1:4 The text holds a null character or half a surrogate pair"),
        ("a: [1, 2\n", "2:1 This is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: \x07\n", "1:1 This is not valid YAML"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: str, told: str) -> None:
    assert refused(text).startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "x" * (MAX_CHARACTERS + 1),
        "- x\n" * 60_000,
        "\n".join(["a0: &a0 [x,x,x,x,x]", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))]),
    ],
    ids=["brackets", "braces", "dashes", "long", "many", "billion laughs"],
)
def test_a_hostile_file_is_refused_soon(text: str) -> None:
    began = time.process_time()
    refused(text)

    assert time.process_time() - began < 10
