"""What a condition names: read from its tokens, the same way for CEL, Rego and Cedar, and never from its text."""

import re
from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.agents import Engine, Phase
from interlock.domain.errors import ConfigurationError

SUBJECTS = frozenset({"input", "output", "call", "run", "agent"})
"""The names that a condition may read. In Cedar they are attributes of `context`."""


class TokenKind(StrEnum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    TEXT = "text"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; for TEXT, `text` is what stands between the quotes."""

    kind: TokenKind
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that a condition reads, such as `input.order.total`: its path, and whether its absence was thought of."""

    path: tuple[str, ...]
    """Steps from the subject down; `*` where a step is computed or an element of a list."""
    guarded: bool
    first: int
    """Index of its first token."""
    last: int
    """Index of its last token."""


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?''')|[rRbB]{0,2}"(?:\\.|[^"\\])*"|[rRbB]{0,2}'(?:\\.|[^'\\])*'|`[^`]*`)
      | (?P<number>0[xX][0-9a-fA-F]+u?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?u?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>:=|==|!=|<=|>=|&&|\|\||::|.)""",
    re.VERBOSE | re.DOTALL,
)
_GUARDS = {Engine.CEL: {"has"}, Engine.OPA: {"not"}, Engine.CEDAR: set[str]()}


def tokens(condition: str, engine: Engine) -> tuple[Token, ...]:
    """Return the tokens of `condition`, without spaces and comments."""
    comment = "#" if engine is Engine.OPA else "//"
    found: list[Token] = []
    position = 0
    while position < len(condition):
        if condition.startswith(comment, position):
            end = condition.find("\n", position)
            position = len(condition) if end < 0 else end
            continue
        match = _TOKEN.match(condition, position)
        if match is None:
            break
        if match.lastgroup != "space":
            kind = TokenKind(match.lastgroup or "sign")
            text = _unquoted(match.group()) if kind is TokenKind.TEXT else match.group()
            found.append(Token(kind, text, position))
        position = match.end()
    return tuple(found)


def references(condition: str, engine: Engine) -> tuple[Reference, ...]:
    """Return every value under one of SUBJECTS that `condition` reads, in order of appearance."""
    stream = tokens(condition, engine)
    found: list[Reference] = []
    roots = frozenset({"context"}) if engine is Engine.CEDAR else SUBJECTS
    for index, token in enumerate(stream):
        if token.kind is not TokenKind.NAME or token.text not in roots or _after_dot(stream, index):
            continue
        path, last = _path(stream, index)
        if engine is Engine.CEDAR:
            path = path[1:]
        if path and path[0] in SUBJECTS:
            found.append(_with_guard(path, stream, index, last, engine))
    return tuple(found)


def phase_of(condition: str, engine: Engine) -> Phase:
    """Return AFTER when `condition` reads `output`, the tool's result, and BEFORE when it does not.

    Raises ConfigurationError when it gives the name `output` to something else, since it could then be read both ways.
    """
    stream = tokens(condition, engine)
    for index, token in enumerate(stream):
        if token.kind is TokenKind.NAME and token.text in SUBJECTS and _is_bound(stream, index, engine):
            raise ConfigurationError(
                f"A condition calls a variable '{token.text}'",
                why=f"'{token.text}' stands for a part of the call",
                do="Choose another name for the variable",
            )
    reads_output = any(reference.path[0] == "output" for reference in references(condition, engine))
    return Phase.AFTER if reads_output else Phase.BEFORE


def _path(stream: tuple[Token, ...], index: int) -> tuple[tuple[str, ...], int]:
    """Follow `.name` and `[...]` from the token at `index`; return the steps and the index of the last token."""
    steps = [stream[index].text]
    last = index
    while last + 1 < len(stream):
        sign = stream[last + 1].text if stream[last + 1].kind is TokenKind.SIGN else ""
        if sign == "." and last + 2 < len(stream) and stream[last + 2].kind is TokenKind.NAME:
            if last + 3 < len(stream) and stream[last + 3].text == "(" and stream[last + 3].kind is TokenKind.SIGN:
                break
            steps.append(stream[last + 2].text)
            last += 2
        elif sign == "[":
            end = _closing(stream, last + 1)
            inside = stream[last + 2 : end]
            literal = len(inside) == 1 and inside[0].kind is TokenKind.TEXT
            steps.append(inside[0].text if literal else "*")
            last = end
        else:
            break
    return tuple(steps), last


def _closing(stream: tuple[Token, ...], index: int) -> int:
    depth = 0
    for position in range(index, len(stream)):
        token = stream[position]
        if token.kind is TokenKind.SIGN:
            depth += (token.text == "[") - (token.text == "]")
            if depth == 0:
                return position
    return len(stream) - 1


def _with_guard(path: tuple[str, ...], stream: tuple[Token, ...], first: int, last: int, engine: Engine) -> Reference:
    before = [token.text for token in stream[max(0, first - 2) : first]]
    after = [token.text for token in stream[last + 1 : last + 3]]
    if engine is Engine.CEDAR and after[:1] == ["has"] and len(after) > 1:
        return Reference((*path, after[1]), guarded=True, first=first, last=last)
    if engine is Engine.OPA and before[-1:] == ["("] and "get" in before and _defaulted(stream, last):
        return Reference((*path, stream[last + 2].text), guarded=True, first=first, last=last)
    words = before[-1:] if engine is Engine.OPA else before[-2:-1] if before[-1:] == ["("] else []
    return Reference(path, bool(_GUARDS[engine].intersection(words)), first, last)


def _defaulted(stream: tuple[Token, ...], last: int) -> bool:
    return last + 2 < len(stream) and stream[last + 1].text == "," and stream[last + 2].kind is TokenKind.TEXT


def _after_dot(stream: tuple[Token, ...], index: int) -> bool:
    return index > 0 and stream[index - 1].kind is TokenKind.SIGN and stream[index - 1].text == "."


def _is_bound(stream: tuple[Token, ...], index: int, engine: Engine) -> bool:
    before = stream[index - 1].text if index else ""
    after = stream[index + 1].text if index + 1 < len(stream) else ""
    if engine is Engine.CEL:
        macro = stream[index - 2].text if index > 1 else ""
        return before == "(" and after == "," and macro in {"all", "exists", "exists_one", "map", "filter"}
    return engine is Engine.OPA and (after == ":=" or before in {"some", "every", "as"})


def _unquoted(text: str) -> str:
    bare = text.lstrip("rRbB")
    quotes = 3 if bare[:3] in {'"""', "'''"} else 1
    return bare[quotes:-quotes]
