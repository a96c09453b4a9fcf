"""What a span's attributes say, in whatever vocabulary: its kind, run, workflow, user, model, tokens and cost."""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from interlock.domain.spans import Category
from interlock.traces.told import Attributes, Told
from interlock.traces.vocabularies import VOCABULARIES
from interlock.traces.vocabularies.vocabulary import Kinds

LONGEST_WORD = 200
"""Of what goes into a column of its own, in characters; the attribute keeps the whole."""
_MOST = 10**15
"""More of anything than one span can have used: sums of what comes from outside must stay numbers."""


def _names(rows: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(rows)))


_KINDS: tuple[Kinds, ...] = tuple(chain.from_iterable(one.kinds for one in VOCABULARIES))
_SIGNS: Mapping[str, Category] = {
    name: category for one in reversed(VOCABULARIES) for name, category in one.signs.items()
}
_RUN = _names(one.run for one in VOCABULARIES)
_WORKFLOW = _names(one.workflow for one in VOCABULARIES)
_USER = _names(one.user for one in VOCABULARIES)
_MODEL = _names(one.model for one in VOCABULARIES)
_INPUT = _names(one.input_tokens for one in VOCABULARIES)
_OUTPUT = _names(one.output_tokens for one in VOCABULARIES)
_DOLLARS = _names(one.cost_usd for one in VOCABULARIES)
_NANOS = _names(one.cost_nano_usd for one in VOCABULARIES)
_SPOKEN = frozenset(
    chain(
        (kinds.attribute for kinds in _KINDS), _SIGNS, _RUN, _WORKFLOW, _USER, _MODEL, _INPUT, _OUTPUT, _DOLLARS, _NANOS
    )
)


class Understood(NamedTuple):
    """What our own schema asks of a span. A bare tuple, since thousands are made in a second."""

    category: Category
    run: str
    workflow: str
    user: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int


NOTHING = Understood(Category.OTHER, "", "", "", "", 0, 0, 0)


class _Plan(NamedTuple):
    """Which of the names that a span uses say what; the same few sets of names come again and again."""

    kinds: tuple[Kinds, ...]
    sign: Category
    words: tuple[tuple[str, ...], ...]
    """For run, workflow, user and model: names, the most telling first."""
    counts: tuple[str | None, ...]
    """For tokens read, tokens written, nano-dollars and dollars."""


@lru_cache(maxsize=2048)
def _plan(spoken: frozenset[str]) -> _Plan:
    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in spoken)

    return _Plan(
        tuple(kinds for kinds in _KINDS if kinds.attribute in spoken),
        next((category for name, category in _SIGNS.items() if name in spoken), Category.OTHER),
        tuple(map(named, (_RUN, _WORKFLOW, _USER, _MODEL))),
        tuple(next(iter(named(names)), None) for names in (_INPUT, _OUTPUT, _NANOS, _DOLLARS)),
    )


def understood(attributes: Attributes) -> Understood:
    """Return what `attributes` say."""
    spoken = _SPOKEN.intersection(attributes)
    if not spoken:
        return NOTHING
    kinds, sign, (runs, workflows, users, models), (read, written, nanos, dollars) = _plan(spoken)
    return Understood(
        _category(attributes, kinds, sign),
        _word(attributes, runs) if runs else "",
        _word(attributes, workflows) if workflows else "",
        _word(attributes, users) if users else "",
        _word(attributes, models) if models else "",
        _whole(attributes[read], 1) if read else 0,
        _whole(attributes[written], 1) if written else 0,
        _cost(attributes, nanos, dollars) if nanos or dollars else 0,
    )


def _category(attributes: Attributes, asked: tuple[Kinds, ...], sign: Category) -> Category:
    for kinds in asked:
        value = attributes[kinds.attribute]
        found = kinds.meanings.get(value.lower()) if isinstance(value, str) else None
        if found is not None:
            return found
    return sign


def _word(attributes: Attributes, names: tuple[str, ...]) -> str:
    for name in names:
        word = column(attributes[name])
        if word:
            return word
    return ""


def column(value: Told) -> str:
    """Return `value` as it goes into a column: short, and without what databases refuse."""
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    return value.replace("\0", "")[:LONGEST_WORD] if len(value) > LONGEST_WORD or "\0" in value else value


def _cost(attributes: Attributes, nanos: str | None, dollars: str | None) -> int:
    exactly = _whole(attributes[nanos], 1) if nanos else 0
    return exactly or (_whole(attributes[dollars], 1_000_000_000) if dollars else 0)


def _whole(value: Told, times: int) -> int:
    """Return `value` times `times` as a whole number that a sum can bear; 0 for what is no number."""
    if value.__class__ is int:
        return min(max(value * times, 0), _MOST)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, bool | list) or (isinstance(value, float) and not math.isfinite(value)):
        return 0
    return min(round(min(max(value, 0), _MOST) * times), _MOST)
