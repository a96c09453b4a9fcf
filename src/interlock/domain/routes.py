"""Where model calls may go, as declared: models, tiers, rules, and who may use what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.ids import AgentId
from interlock.domain.models import Dialect
from interlock.domain.route_settings import Settings, Timeouts

AUTO = "auto"
"""What callers name when the router is to choose."""
WHOLE = 10_000
"""Shares are whole numbers of 1/10,000 and add up to this."""


@dataclass(frozen=True, slots=True)
class DeclaredModel:
    """A model at one provider."""

    id: str
    """As rules, tiers and callers name it."""
    provider: str
    name: str
    """The provider's own name of it."""
    prices: str
    """The provider under whose name its price is found."""
    dialects: frozenset[Dialect]
    """What its provider speaks."""
    embeddings: bool = False
    """Whether it makes embeddings, and nothing else."""
    tools: bool = True
    images: bool = True
    outside: bool = True
    """Whether personal data must not reach it."""
    context_window: int | None = None
    """Tokens of request and reply together; None when nobody said."""
    max_output: int | None = None
    output_cap: int | None = None
    """Replaces the settings' own for this model."""
    timeouts: Timeouts | None = None
    """Replace those of the settings for this model."""
    fallbacks: tuple[str, ...] = ()
    """Models that may serve a caller that named this one."""


class Choose(StrEnum):
    """Which model of a tier is tried first."""

    ORDER = "order"
    CHEAPEST = "cheapest"
    """By the worst case of this very call."""
    FASTEST = "fastest"
    """By the first byte of late, exploring those not measured."""
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class Tier:
    """Models that are equally good for some kind of work."""

    name: str
    models: tuple[str, ...]
    choose: Choose = Choose.ORDER
    weights: tuple[int, ...] = ()
    """One for each model, for WEIGHTED."""
    fallback: tuple[str, ...] = ()
    """Tiers whose models are tried after its own."""


@dataclass(frozen=True, slots=True)
class When:
    """What a rule asks for; None asks for nothing, and all that is asked for must hold."""

    agent: frozenset[str] | None = None
    step: frozenset[str] | None = None
    tenant: frozenset[str] | None = None
    user: frozenset[str] | None = None
    model: frozenset[str] | None = None
    """What the caller named. Without it the rule is only about callers that name `auto`."""
    labels: tuple[tuple[str, frozenset[str]], ...] = ()
    words: tuple[str, ...] = ()
    """Lower case; one of them stands in the user's last words."""
    min_input_tokens: int | None = None
    max_input_tokens: int | None = None
    has_tools: bool | None = None
    images: bool | None = None


class Sticky(StrEnum):
    """Whose calls stay together in one share."""

    RUN = "run"
    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Shares:
    """So much of the work to each."""

    parts: tuple[tuple[str, int], ...]
    """Tier or model, and its share in 1/10,000."""
    sticky: Sticky = Sticky.RUN


@dataclass(frozen=True, slots=True)
class Classifier:
    """A small model reads the user's words and names the tier."""

    model: str
    prompt: str
    choices: tuple[tuple[str, str], ...]
    """A word that the model may answer, and the tier or model that it stands for."""
    on_failure: str
    max_tokens: int = 8


@dataclass(frozen=True, slots=True)
class RouteRule:
    """When it matches, what it says is used, and no later rule is asked."""

    id: str
    when: When
    use: str | Shares | Classifier
    """A tier or a model, or how to find one."""
    source: str = ""
    """`file:line`, for messages."""


@dataclass(frozen=True, slots=True)
class Routes:
    """All of it. Every name in it is declared in it."""

    models: Mapping[str, DeclaredModel]
    version: str
    """SHA-256 of the canonical content."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    rules: tuple[RouteRule, ...] = ()
    default: str = ""
    """The tier or model for `auto` where no rule matches and the agent declares no tier for the step; empty refuses."""
    settings: Settings = field(default_factory=Settings)
    steps: Mapping[str, Settings] = field(default_factory=dict)
    """Complete settings of single steps."""
    allow: Mapping[AgentId, frozenset[str]] = field(default_factory=dict)
    """Tiers and models of single agents; an agent that is not here may use all."""
