"""What can be seen in Rego text before it runs, and must be: the engine lets unknown names pass as undefined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from regopy import Interpreter

from interlock.domain.agents import Engine
from interlock.domain.canonical import Json
from interlock.domain.conditions import Token, TokenKind, references, tokens
from interlock.domain.errors import ConfigurationError, PolicyError

KEYWORDS = frozenset(
    {
        "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null", "package", "some",
        "true", "with",
    }
)  # fmt: skip
IMPURE = frozenset({"time.now_ns", "rand.intn", "opa.runtime", "uuid.rfc4122", "http.send"})
"""Built-ins whose answer does not follow from the call: a decision could not be derived again."""
_OVER_TEXT = frozenset(
    {
        "concat", "contains", "count", "endswith", "format_int", "glob", "indexof", "indexof_n", "json", "lower",
        "regex", "replace", "split", "sprintf", "startswith", "strings", "substring", "to_number", "trim", "trim_left",
        "trim_prefix", "trim_right", "trim_space", "trim_suffix", "units", "upper", "urlquery", "base64", "crypto",
    }
)  # fmt: skip
_ORDER = frozenset({"<", "<=", ">", ">="})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Ordering:
    """A comparison by order: both sides must be numbers, or both texts. Rego would order a text among the numbers."""

    left: tuple[str, ...] | type
    """A path into the input, or the type of a literal."""
    right: tuple[str, ...] | type


def check_text(text: str, defined: frozenset[str] = frozenset()) -> None:
    """Raise ConfigurationError for what Rego text must not hold here.

    That is an unknown function, a name that nothing defines, a function whose answer changes by itself, an escape that
    the engine does not compare as the character it stands for, and brackets that do not match. `defined` are names
    that other modules or the gate define.
    """
    stream = tokens(text, Engine.OPA)
    _check_brackets(stream)
    _check_escapes(text)
    builtins = Interpreter()
    names = defined | _defined_names(stream)
    for name, is_call in _heads(stream):
        root = name.split(".", 1)[0]
        if is_call and name not in names and root not in names:
            if name in IMPURE or name.startswith(("net.", "http.")):
                raise _wrong(f"calls `{name}`", "its answer does not follow from the call alone")
            if not builtins.is_builtin(name):
                raise _wrong(f"calls `{name}`", "there is no such function")
        elif not is_call and root not in names | {"input", "data"}:
            raise _wrong(f"reads `{name}`", "nothing defines it, so the rule would never apply")


def orderings(text: str) -> tuple[Ordering, ...]:
    """Return the comparisons by order whose sides are values of the input or literals."""
    stream = tokens(text, Engine.OPA)
    read = references(text, Engine.OPA)
    firsts = {reference.first: reference.path for reference in read}
    lasts = {reference.last: reference.path for reference in read}
    found = []
    for index, token in enumerate(stream):
        if token.kind is TokenKind.SIGN and token.text in _ORDER and 0 < index < len(stream) - 1:
            left = lasts.get(index - 1) or _literal(stream[index - 1])
            right = firsts.get(index + 1) or _literal(stream[index + 1])
            if left is not None and right is not None and tuple in (type(left), type(right)):
                found.append(Ordering(left, right))
    return tuple(found)


def check_orderings(found: Sequence[Ordering], document: Mapping[str, Json], *, every: bool = False) -> None:
    """Raise PolicyError when a comparison would put values of different kinds into an order.

    With `every`, also when a side is not there at all: `not input.x > 50` would be true of a call without `x`.
    """
    for ordering in found:
        sides_kinds = [set(_kinds(side, document)) for side in (ordering.left, ordering.right)]
        kinds = sides_kinds[0] | sides_kinds[1]
        if (every and not all(sides_kinds)) or len(kinds) > 1 or not kinds <= {float, str}:
            sides = [".".join(side) for side in (ordering.left, ordering.right) if isinstance(side, tuple)]
            raise PolicyError(
                f"`{sides[0]}` cannot be compared", why="it is missing, or not of the kind that the rule compares with"
            )


def reads_text(text: str) -> bool:
    """Return whether `text` looks into texts, rather than comparing them whole."""
    return any(is_call and name.split(".", 1)[0] in _OVER_TEXT for name, is_call in _heads(tokens(text, Engine.OPA)))


def _kinds(side: tuple[str, ...] | type, document: Mapping[str, Json]) -> Iterator[type]:
    if isinstance(side, type):
        yield side
        return
    places: list[Json] = [document]
    for step in side:
        places = [inner for place in places for inner in _below(place, step)]
    for value in places:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        yield float if is_number else type(value)


def _below(place: Json, step: str) -> list[Json]:
    if isinstance(place, Mapping):
        return list(place.values()) if step == "*" else [place[step]] if step in place else []
    return list(place) if step == "*" and isinstance(place, list | tuple) else []


def _literal(token: Token) -> type | None:
    return {TokenKind.NUMBER: float, TokenKind.TEXT: str}.get(token.kind)


def _check_brackets(stream: tuple[Token, ...]) -> None:
    depth = 0
    for token in stream:
        if token.kind is TokenKind.SIGN:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if depth < 0:
                break
    if depth:
        raise _wrong("has brackets that do not match")


def _check_escapes(text: str) -> None:
    for token in tokens(text, Engine.OPA):
        if token.kind is not TokenKind.TEXT or text[token.position] == "`":
            continue
        escapes = token.text.replace("\\\\", "")
        if "\\u" in escapes or "\\/" in escapes:
            raise _wrong(
                "has a `\\u` or `\\/` in a text", "it would not equal the character", "Write the character itself"
            )


def _heads(stream: tuple[Token, ...]) -> Iterator[tuple[str, bool]]:
    """Yield every dotted name that begins a term, and whether it is called; names without a dot only when called."""
    index = 0
    in_header = False
    for index, token in enumerate(stream):
        if token.kind is not TokenKind.NAME:
            continue
        if token.text in {"package", "import"}:
            in_header = True
            continue
        if index and stream[index - 1].text == "." and stream[index - 1].kind is TokenKind.SIGN:
            continue
        if in_header or token.text in KEYWORDS - {"contains"}:
            in_header = False
            continue
        name, last = token.text, index
        while _is_sign(stream, last + 1, ".") and last + 2 < len(stream) and stream[last + 2].kind is TokenKind.NAME:
            name, last = f"{name}.{stream[last + 2].text}", last + 2
        is_call = _is_sign(stream, last + 1, "(")
        if is_call or "." in name:
            yield name, is_call


def _defined_names(stream: tuple[Token, ...]) -> frozenset[str]:
    """Names that stand anywhere by themselves, not followed by a dot: rule heads, variables, parameters, imports."""
    found = {"_"}
    for index, token in enumerate(stream):
        if token.kind is not TokenKind.NAME or token.text in KEYWORDS:
            continue
        after_dot = index > 0 and _is_sign(stream, index - 1, ".")
        if _is_sign(stream, index + 1, "("):
            if _is_rule_head(stream, index):
                found.add(token.text)
        elif after_dot:
            if _ends_import(stream, index):
                found.add(token.text)
        elif not _is_sign(stream, index + 1, "."):
            found.add(token.text)
    return frozenset(found)


def _is_rule_head(stream: tuple[Token, ...], index: int) -> bool:
    """A function is defined where its closing bracket is followed by `:=`, `=`, `if`, or a body."""
    depth = 0
    for position in range(index + 1, len(stream)):
        depth += (stream[position].text in _OPEN) - (stream[position].text in _CLOSE)
        if depth == 0:
            after = stream[position + 1].text if position + 1 < len(stream) else ""
            return after in {":=", "=", "if", "{"}
    return False


def _ends_import(stream: tuple[Token, ...], index: int) -> bool:
    start = index
    while start >= 2 and _is_sign(stream, start - 1, "."):
        start -= 2
    return start > 0 and stream[start - 1].text == "import" and not _is_sign(stream, index + 1, ".")


def _is_sign(stream: tuple[Token, ...], index: int, text: str) -> bool:
    return index < len(stream) and stream[index].kind is TokenKind.SIGN and stream[index].text == text


def _wrong(what: str, why: str = "", do: str = "") -> ConfigurationError:
    return ConfigurationError(f"The Rego text {what}", why=why, do=do)
