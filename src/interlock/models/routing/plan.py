"""What the router is asked and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from interlock.domain.canonical import JsonObject
from interlock.domain.models import Dialect
from interlock.domain.route_settings import Settings, Timeouts
from interlock.domain.routes import AUTO, Classifier
from interlock.models.ports import Operation


@dataclass(frozen=True, slots=True)
class RouteAsk:
    """One model call, as far as its route depends on it."""

    tenant: str
    agent: str
    principal: str
    model: str = AUTO
    """As the caller named it: a declared model, a provider's own name of one, a tier, or `auto`."""
    user: str = ""
    run: str = ""
    step: str = ""
    tier_of_step: str = ""
    """What the agent's file declares under `model_tier` for this step."""
    labels: tuple[tuple[str, str], ...] = ()
    input_tokens: int = 0
    """An upper bound."""
    output_cap: int | None = None
    """None when the caller said none."""
    has_tools: bool = False
    images: bool = False
    operation: Operation = Operation.REPLY
    dialect: Dialect = Dialect.OPENAI_CHAT
    text: str = ""
    """The user's last words, for rules on words and for classifiers."""
    call: str = ""
    """The call's id: spreads calls that belong to no run. Empty spreads by time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may serve the call."""

    model: str
    """Its declared id, under which its health is kept."""
    provider: str
    provider_model: str
    tier: str
    """Empty for a model that the caller named."""
    prices: str
    """The provider under whose name its price is found."""
    output_cap: int
    """Cap on the reply where the caller said none."""
    context_window: int | None
    max_output: int | None
    timeouts: Timeouts
    outside: bool
    """Whether personal data must not reach it."""


@dataclass(frozen=True, slots=True)
class Classify:
    """A call that the road makes first; with its answer it asks for the plan again."""

    rule: str
    candidate: Candidate
    prompt: str
    """Instructions. What is to be classified is `RouteAsk.text`."""
    classifier: Classifier


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the call goes, and how."""

    candidates: tuple[Candidate, ...]
    """In the order in which they are tried; never empty."""
    tier: str
    """Empty for a model that the caller named."""
    settings: Settings
    explanation: JsonObject = field(hash=False)
    """Rule, share, every candidate and what spoke for or against it. Plans share it: it is never changed."""
    classify: Classify | None = None
    """When set, `candidates` are those of `on_failure`."""


PriceOf = Callable[[Candidate, int, int], int | None]
"""What a candidate may cost for so many tokens of input and output, in nano-dollars, or None when nobody knows."""
