"""What a vocabulary of spans is: which of its attributes say what our one schema asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.domain.spans import Category


@dataclass(frozen=True, slots=True)
class Kinds:
    """An attribute that says what kind of work a span is."""

    attribute: str
    meanings: Mapping[str, Category]
    """By its values in lower case."""
    otherwise: Category | None = None
    """What any other value means; None means that it says nothing."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of attributes, the most telling first in each row."""

    name: str
    kinds: tuple[Kinds, ...]
    run: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    input_tokens: tuple[str, ...] = ()
    output_tokens: tuple[str, ...] = ()
    cost_usd: tuple[str, ...] = ()
    """Attributes that say what the work cost, in US dollars."""
    cost_nano_usd: tuple[str, ...] = ()
    signs: Mapping[str, Category] = field(default_factory=dict)
    """Attributes whose mere presence tells the kind, where nothing says it outright."""
