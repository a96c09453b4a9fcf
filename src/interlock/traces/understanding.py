"""What a span's attributes say, in whatever vocabulary: its kind, run, workflow, user, model, tokens and cost."""

import math
from collections.abc import Iterable, Mapping
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


def understood(attributes: Attributes) -> Understood:
    """Return what `attributes` say."""
    # Most spans know few of the names, so only these are looked at further.
    spoken = _SPOKEN.intersection(attributes)
    if not spoken:
        return NOTHING
    return Understood(
        _category(attributes, spoken),
        _word(_RUN, attributes, spoken),
        _word(_WORKFLOW, attributes, spoken),
        _word(_USER, attributes, spoken),
        _word(_MODEL, attributes, spoken),
        _count(_INPUT, attributes, spoken),
        _count(_OUTPUT, attributes, spoken),
        _count(_NANOS, attributes, spoken) or _nanos(attributes, spoken),
    )


def _category(attributes: Attributes, spoken: frozenset[str]) -> Category:
    for kinds in _KINDS:
        if kinds.attribute in spoken:
            value = attributes[kinds.attribute]
            found = kinds.meanings.get(value.lower()) if isinstance(value, str) else None
            if found is not None:
                return found
    return next((category for name, category in _SIGNS.items() if name in spoken), Category.OTHER)


def _word(names: tuple[str, ...], attributes: Attributes, spoken: frozenset[str]) -> str:
    for name in names:
        if name in spoken:
            word = column(attributes[name])
            if word:
                return word
    return ""


def column(value: Told) -> str:
    """Return `value` as it goes into a column: short, and without what databases refuse."""
    if not isinstance(value, str):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    return value.replace("\0", "")[:LONGEST_WORD] if len(value) > LONGEST_WORD or "\0" in value else value


def _count(names: tuple[str, ...], attributes: Attributes, spoken: frozenset[str]) -> int:
    for name in names:
        if name in spoken:
            return _whole(attributes[name], 1)
    return 0


def _nanos(attributes: Attributes, spoken: frozenset[str]) -> int:
    for name in _DOLLARS:
        if name in spoken:
            return _whole(attributes[name], 1_000_000_000)
    return 0


def _whole(value: Told, times: int) -> int:
    """Return `value` times `times` as a whole number that a sum can bear; 0 for what is no number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return 0
    if isinstance(value, bool | list) or (isinstance(value, float) and not math.isfinite(value)):
        return 0
    return min(max(round(value * times), 0), _MOST)
