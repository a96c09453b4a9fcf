"""Read the structure of a tool's text (JSON, Python literals, block YAML) or say that it has none."""

import json
import re
from typing import Final

from interlock.domain.canonical import Json
from interlock.provenance.yaml_blocks import NotYaml, read_blocks


class Unstructured:
    """The type of UNSTRUCTURED."""


UNSTRUCTURED: Final = Unstructured()
MAX_DEPTH = 32
_LITERAL = re.compile(
    r"""\s*(?:(?P<punct>[\[\]{}(),:])|(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<name>True|False|None)\b)""",
    re.ASCII,
)
_NAMES: Final[dict[str, bool | None]] = {"True": True, "False": False, "None": None}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def read(text: str) -> Json:
    """Return the value that `text` is written down as, or UNSTRUCTURED. Linear in the length of the text."""
    head = text.lstrip()[:1]
    if not head:
        return UNSTRUCTURED
    if head in "{[":
        found = _read_json(text)
        return found if found is not UNSTRUCTURED else _read_literal(text)
    try:
        return read_blocks(text)
    except NotYaml:
        return UNSTRUCTURED


def _read_json(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return UNSTRUCTURED


def _read_literal(text: str) -> Json:
    tokens: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _LITERAL.match(text, at)
        if match is None:
            return UNSTRUCTURED
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    try:
        value, after = _literal(tokens, 0, 0)
    except (IndexError, _NotLiteral):
        return UNSTRUCTURED
    return value if after == len(tokens) else UNSTRUCTURED


class _NotLiteral(Exception):
    """The tokens do not form a literal."""


def _literal(tokens: list[tuple[str, str]], at: int, depth: int) -> tuple[Json, int]:
    group, text = tokens[at]
    if depth > MAX_DEPTH:
        raise _NotLiteral
    if group == "string":
        return _ESCAPE.sub(_unescape, text[1:-1]), at + 1
    if group == "number":
        return (float(text) if set(text) & set(".e") else int(text[:32])), at + 1
    if group == "name":
        return _NAMES[text], at + 1
    if text == "{":
        return _mapping(tokens, at + 1, depth)
    if text in "[(":
        return _sequence(tokens, at + 1, depth, "]" if text == "[" else ")")
    raise _NotLiteral


def _mapping(tokens: list[tuple[str, str]], at: int, depth: int) -> tuple[Json, int]:
    found: dict[str, Json] = {}
    while tokens[at][1] != "}" or tokens[at][0] != "punct":
        key, at = _literal(tokens, at, depth + 1)
        if tokens[at] != ("punct", ":") or not isinstance(key, str | int | float) or str(key) in found:
            raise _NotLiteral
        found[str(key)], at = _literal(tokens, at + 1, depth + 1)
        if tokens[at] == ("punct", ","):
            at += 1
        elif tokens[at] != ("punct", "}"):
            raise _NotLiteral
    return found, at + 1


def _sequence(tokens: list[tuple[str, str]], at: int, depth: int, close: str) -> tuple[Json, int]:
    found: list[Json] = []
    while tokens[at] != ("punct", close):
        item, at = _literal(tokens, at, depth + 1)
        found.append(item)
        if tokens[at] == ("punct", ","):
            at += 1
        elif tokens[at] != ("punct", close):
            raise _NotLiteral
    return found, at + 1


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "ux" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPED.get(code, code)
