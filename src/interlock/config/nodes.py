"""YAML text as a tree that knows where everything stands. YAML 1.2, one document, no tags, and bounded in every way."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from interlock.config.problems import refusal
from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError
from interlock.domain.problems import Problem, Spot

Event = Any  # ruamel.yaml does not declare what its events carry

MAX_CHARACTERS = 1 << 18
"""The longest configuration file."""
MAX_DEPTH = 32
MAX_NODES = 20_000
"""Keys and values of one file, with every use of an alias counted in full."""

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: text, number, flag or null."""

    line: int
    column: int
    value: str | int | float | bool | None
    text: str
    """As written, so that money is read from its digits and not from a float."""
    size: int = 1


@dataclass(frozen=True, slots=True)
class Series:
    """A list."""

    line: int
    column: int
    items: tuple["Node", ...]
    size: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, in the order of the file. Keys are unique."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, "Node"], ...]
    size: int


Node = Scalar | Series | Table


def parse(text: str, file: str) -> Node:
    """Return the tree of the one document in `text`. Raises ConfigurationError, with the place."""
    if len(text) > MAX_CHARACTERS:
        raise _problem(file, 1, 1, f"The file is {len(text)} characters long", f"at most {MAX_CHARACTERS}")
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    try:
        tree = _Builder(file, reader.parse(text)).build()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(str(error.problem or error.context or "it cannot be read").split())
        raise _problem(file, line, column, f"This is not valid YAML: {what}") from None
    except (YAMLError, RecursionError, ValueError, OverflowError, IndexError, AttributeError, TypeError):
        # ruamel.yaml lets a few of its own slips through on broken text; to the reader they are the same fact.
        raise _problem(file, 1, 1, "This is not valid YAML") from None
    if tree is None:
        raise _problem(file, 1, 1, "The file is empty")
    return tree


def plain(node: Node) -> Json:
    """Return the JSON value that `node` stands for."""
    match node:
        case Scalar():
            return node.value
        case Series():
            return [plain(item) for item in node.items]
        case Table():
            return {key.text: plain(value) for key, value in node.entries}


class _Builder:
    """Turns the parser's events into a tree and stops at the first bound that is passed."""

    def __init__(self, file: str, events: Iterator[Event]) -> None:
        self.file = file
        self.events = events
        self.anchors: dict[str, Node | None] = {}
        self.total = 0

    def build(self) -> Node | None:
        tree: Node | None = None
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if tree is not None:
                    raise self.refuse(event, "The file holds more than one YAML document")
                if event.version not in (None, (1, 2)):
                    raise self.refuse(event, "The file asks for another version of YAML", "YAML 1.2")
            elif isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent | AliasEvent):
                tree = self.node(event, 1)
        return tree

    def node(self, event: Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.refuse(event, "This is nested too deeply", f"at most {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self.alias(event)
        if event.tag is not None:
            raise self.refuse(event, "YAML tags are not taken", "a plain value without '!'")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        made: Node
        if isinstance(event, ScalarEvent):
            made = Scalar(line, column, self.scalar(event), event.value)
        elif isinstance(event, SequenceStartEvent):
            made = self.series(line, column, depth)
        else:
            made = self.table(line, column, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
        self.count(event, 1)
        return made

    def alias(self, event: Event) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self.refuse(event, "This alias points at nothing that is complete before it")
        self.count(event, target.size)
        return target

    def count(self, event: Event, size: int) -> None:
        self.total += size
        if self.total > MAX_NODES:
            raise self.refuse(event, "The file holds too many values", f"at most {MAX_NODES}, aliases counted in full")

    def series(self, line: int, column: int, depth: int) -> Series:
        items: list[Node] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return Series(line, column, tuple(items), 1 + sum(item.size for item in items))

    def table(self, line: int, column: int, depth: int) -> Table:
        entries: list[tuple[Scalar, Node]] = []
        seen: dict[str, Scalar] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self.node(event, depth + 1)
            if not isinstance(key, Scalar) or key.value is None or key.text == "<<":
                raise self.refuse(event, "This cannot be a key", "a word or a number, and no merge key '<<'")
            name = key.text
            if name in seen:
                raise self.refuse(event, f"The key '{name[:60]}' stands here twice; first in line {seen[name].line}")
            seen[name] = key
            entries.append((key, self.node(next(self.events), depth + 1)))
        return Table(line, column, tuple(entries), 1 + sum(1 + value.size for _, value in entries))

    def scalar(self, event: Event) -> str | int | float | bool | None:
        text: str = event.value
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise self.refuse(event, "The text holds a null character or half a surrogate pair")
        if event.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            raise self.refuse(event, "Infinity and NaN are not taken", "a finite number")
        if not (_INTEGER.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text) or _FLOAT.fullmatch(text)):
            return text
        return self.number(event, text)

    def number(self, event: Event, text: str) -> int | float:
        if len(text) > 40:
            raise self.refuse(event, "The number is too long", "at most 40 characters")
        value: int | float
        if _INTEGER.fullmatch(text):
            value = int(text)
        elif _OCTAL_OR_HEX.fullmatch(text):
            value = int(text, 0)
        else:
            value = float(text)
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > _SAFE_INTEGER):
            raise self.refuse(event, "The number is too large to be exact", "a number below 2^53")
        return value

    def refuse(self, event: Event, what: str, expected: str = "") -> ConfigurationError:
        mark = event.start_mark
        return _problem(self.file, mark.line + 1, mark.column + 1, what, expected)


def _problem(file: str, line: int, column: int, what: str, expected: str = "") -> ConfigurationError:
    return refusal([Problem(Spot(file, line, column), what, expected)])
