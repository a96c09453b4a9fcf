"""Read the block YAML that tools print (mappings, sequences, quoted and folded scalars), and refuse the rest.

This is the subset that `safe_dump` writes. Whatever is outside it (anchors, tags, literal blocks, flow collections that
are not empty, duplicate keys) raises NotYaml, and the text then counts as having no structure: a reader that guesses
could be led to take prose for a record.
"""

import re

from interlock.domain.canonical import Json

MAX_DEPTH = 32
_KEY = re.compile(
    r"(?P<key>'(?:[^']|'')*'|\"[^\"\\]*\"|[^\s\-?:,\[\]{}#&*!|>'\"%@`][^:#\n]*|-[^\s:][^:#\n]*):(?:[ ]+|$)"
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b",
            "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"}  # fmt: skip
_INTEGER = re.compile(r"[-+]?\d{1,30}", re.ASCII)
_FLOAT = re.compile(r"[-+]?\d{1,30}\.\d{0,30}(?:e[-+]?\d{1,3})?", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


class NotYaml(ValueError):
    """The text is not in the subset that this module reads."""


def read_blocks(text: str) -> Json:
    """Return the mapping or sequence that `text` spells out, or raise NotYaml."""
    reader = _Reader(text.split("\n"))
    reader.skip_blank()
    if reader.at >= len(reader.lines):
        raise NotYaml("empty")
    indent = reader.indent()
    value = reader.node(indent, 0)
    reader.skip_blank()
    if reader.at < len(reader.lines) or not isinstance(value, dict | list):
        raise NotYaml("text after the end")
    return value


class _Reader:
    """A position in a list of lines. `column` is where the current line's unread part begins."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.column = 0

    def rest(self) -> str:
        return self.lines[self.at][self.column :]

    def indent(self) -> int:
        if self.column:
            return self.column
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" "))

    def skip_blank(self) -> None:
        while self.at < len(self.lines) and not self.column and not self.lines[self.at].strip(" \t"):
            self.at += 1

    def next_line(self) -> None:
        self.at += 1
        self.column = 0

    def node(self, indent: int, depth: int) -> Json:
        if depth > MAX_DEPTH:
            raise NotYaml("too deep")
        self.column = indent
        rest = self.rest()
        if rest.startswith("- ") or rest == "-":
            return self.sequence(indent, depth)
        if _KEY.match(rest):
            return self.mapping(indent, depth)
        return self.scalar(indent - 1)

    def sequence(self, indent: int, depth: int) -> list[Json]:
        items: list[Json] = []
        while self.at < len(self.lines) and self.indent() == indent:
            self.column = indent
            rest = self.rest()
            if not (rest.startswith("- ") or rest == "-"):
                break
            inner = indent + 1 + len(rest[1:]) - len(rest[1:].lstrip(" "))
            if inner >= len(self.lines[self.at]):
                raise NotYaml("an entry without a value")
            items.append(self.node(inner, depth + 1))
            self.skip_blank()
        return items

    def mapping(self, indent: int, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        while self.at < len(self.lines) and self.indent() == indent:
            self.column = indent
            match = _KEY.match(self.rest())
            if match is None:
                raise NotYaml("neither a key nor the end")
            key = _unquote(match["key"].rstrip(" \t"))
            if key in found:
                raise NotYaml("a key twice")
            self.column += match.end()
            found[key] = self.value(indent, depth)
            self.skip_blank()
        return found

    def value(self, indent: int, depth: int) -> Json:
        if self.rest():
            return self.scalar(indent)
        self.next_line()
        self.skip_blank()
        if self.at >= len(self.lines):
            return None
        inner = self.indent()
        if inner > indent:
            return self.node(inner, depth + 1)
        is_list = self.lines[self.at][inner : inner + 2] in {"- ", "-"}
        return self.sequence(inner, depth + 1) if inner == indent and is_list else None

    def scalar(self, parent: int) -> Json:
        rest = self.rest()
        if rest[0] in "'\"":
            return self.quoted(rest[0])
        if rest.strip(" \t") in {"[]", "{}"}:
            self.next_line()
            empty: Json = [] if rest.strip(" \t") == "[]" else {}
            return empty
        if rest[0] in "[]{}|>&*!%@`?#,":
            raise NotYaml("a form that is not read here")
        return self.plain(parent)

    def plain(self, parent: int) -> Json:
        pieces = [self.rest().strip(" \t")]
        self.next_line()
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip(" \t") and len(line) - len(line.lstrip(" ")) <= parent:
                break
            pieces.append(line.strip(" \t"))
            self.at += 1
        while not pieces[-1] and len(pieces) > 1:
            pieces.pop()
        if any(": " in piece or " #" in piece or piece.endswith(":") for piece in pieces):
            raise NotYaml("a plain text that could be a mapping")
        return _typed(_fold(pieces))

    def quoted(self, quote: str) -> str:
        pieces: list[str] = []
        self.column += 1
        while self.at < len(self.lines):
            line = self.rest()
            end = _closing(line, quote)
            if end >= 0:
                pieces.append(line[:end] if not pieces else line[:end].lstrip(" \t"))
                if line[end + 1 :].strip(" \t"):
                    raise NotYaml("text after the closing quote")
                self.next_line()
                folded = _fold_quoted(pieces, quote)
                return folded.replace("''", "'") if quote == "'" else _ESCAPE.sub(_unescape, folded)
            pieces.append(line if not pieces else line.lstrip(" \t"))
            self.next_line()
        raise NotYaml("a quote that does not close")


def _closing(line: str, quote: str) -> int:
    at = 0
    while True:
        at = line.find(quote, at)
        if at < 0:
            return -1
        if quote == "'":
            if line[at + 1 : at + 2] != "'":
                return at
            at += 2
            continue
        before = at
        while before > 0 and line[before - 1] == "\\":
            before -= 1
        if (at - before) % 2 == 0:
            return at
        at += 1


def _fold_quoted(pieces: list[str], quote: str) -> str:
    if quote == "'":
        return _fold([piece.rstrip(" \t") if index < len(pieces) - 1 else piece for index, piece in enumerate(pieces)])
    out: list[str] = []
    joined: list[str] = []
    for index, piece in enumerate(pieces):
        ends_escaped = (len(piece) - len(piece.rstrip("\\"))) % 2 == 1 and index < len(pieces) - 1
        joined.append(piece[:-1] if ends_escaped else piece)
        if not ends_escaped:
            out.append("".join(joined))
            joined.clear()
    return _fold(out)


def _fold(pieces: list[str]) -> str:
    """Join lines as YAML does: one line break is a space, n blank lines are n line breaks."""
    text: list[str] = [pieces[0]]
    blank = 0
    for piece in pieces[1:]:
        if not piece:
            blank += 1
            continue
        text.append("\n" * blank if blank else " ")
        text.append(piece)
        blank = 0
    return "".join(text) + "\n" * blank


def _typed(text: str) -> Json:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _unquote(key: str) -> str:
    if key[0] == "'":
        return key[1:-1].replace("''", "'")
    return key[1:-1] if key[0] == '"' else key


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        point = int(code[1:], 16)
        return chr(point) if point < 0x110000 else "\ufffd"
    return _ESCAPED.get(code, code)
