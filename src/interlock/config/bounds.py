"""Bounds on single arguments, as agents' files and contracts files write them."""

import re

from interlock.config.problems import Findings
from interlock.config.records import Entry, Field, ListOf, MapOf, Record
from interlock.config.shapes import Constant, Number, Text
from interlock.domain.contracts import Constraint
from interlock.domain.pointers import parse

_NOT_LINEAR = re.compile(r"\(\?(?:=|!|<[=!]|>|\()|\\[1-9]|\(\?P=|[*+?}]\+")


def _pointer(text: str) -> str:
    parse(text)
    return text


def _pattern(text: str) -> str:
    if len(text) > 1000 or _NOT_LINEAR.search(text):
        raise ValueError("no look-around, no back-references: the time must stay linear")
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        raise ValueError("not a regular expression") from None
    return text


POINTER = Text("a JSON pointer such as /amount or /items/*/id", r"/.*", _pointer)
_DOMAIN = Text(
    "a domain such as example.com",
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}|localhost",
    str.lower,
)
BOUND = Record(
    "the bounds of an argument",
    (
        Field("maximum", Number(), "The largest number that may be given."),
        Field("minimum", Number(), "The smallest number that may be given."),
        Field("one_of", ListOf(Constant(), least=1), "The only values that may be given."),
        Field(
            "pattern",
            Text("a regular expression without look-around or back-references", convert=_pattern),
            "What the whole text must match (RE2 syntax, so that the time stays linear).",
        ),
        Field(
            "domains", ListOf(_DOMAIN, least=1), "Where an e-mail address or URL may point; subdomains are included."
        ),
    ),
)
BOUNDS = MapOf(POINTER, BOUND)


def constraints(entries: tuple[Entry, ...], source: str, found: Findings) -> tuple[Constraint, ...]:
    """Return the bounds that `entries`, read by BOUNDS, stand for, asked for by `source` (`contract`, `agent`)."""
    made = []
    for entry in entries:
        said = entry.value
        if not said.spots:
            found.add(entry.spot, "This bounds nothing", BOUND.words)
            continue
        low, high = said.get("minimum"), said.get("maximum")
        if low is not None and high is not None and low > high:
            found.add(said.at("minimum"), "The minimum is above the maximum, so nothing could pass")
        made.append(Constraint(pointer=entry.key, source=source, **said.values))
    return tuple(made)
