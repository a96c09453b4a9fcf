"""The price of one model at one moment: what a usage costs, and the most that a call can."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from interlock.domain.models import Usage
from interlock.models.prices.rates import Ladder

BATCH = "batch"
STANDARD = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})
"""Words of providers for the usual service. `auto` is whatever the provider makes of it: settle by what the reply says."""


class Matched(StrEnum):
    """How a model's name led to its price, surest first."""

    OVERRIDE = "override"
    EXACT = "exact"
    RULE = "rule"
    """A pattern of the source covers the name, as `claude-sonnet-4-5` covers names that begin with it."""
    ELSEWHERE = "elsewhere"
    """Listed by the maker of the model, not by the provider that was named."""
    RELATED = "related"
    """Only a related name is listed: without a date, a region or a path."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs at one moment. Settle with the Price that was reserved with, so that both follow one list."""

    provider: str
    model: str
    """As the list names it."""
    source: str
    """Where the price was taken from, such as `genai-prices 0.2.3`, or the file of an override."""
    matched: Matched
    standard: Ladder
    services: Mapping[str, Ladder] = field(default_factory=dict)
    """By `batch` or service tier, where that has a price of its own; `batch+flex` where both do."""
    other_hours: tuple[Ladder, ...] = ()
    """Prices of the same day at other hours."""
    context_window: int | None = None
    """Tokens; None when not known."""
    max_output: int | None = None
    beside: tuple[str, ...] = ()
    """What the provider charges beside tokens, which no sum here contains, such as `web_searches_kcount`."""
    free: bool = False

    def covers(self, *, batch: bool = False, service_tier: str = "") -> bool:
        """Return whether the service has a known price; without one, cost() and worst() are the dearest that is known.

        A batch without a price of its own is covered: it costs the usual price at most.
        """
        return service_tier.lower() in STANDARD or _service(service_tier, batch=batch) in self.services

    def cost(self, usage: Usage, *, batch: bool = False, service_tier: str = "") -> int:
        """Return what `usage` costs in nano-USD: an exact sum, rounded half up once."""
        if not batch and not service_tier:
            return self.standard.nano(usage)
        return max(ladder.nano(usage) for ladder in self._ladders(batch=batch, service_tier=service_tier))

    def worst(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        batch: bool = False,
        service_tier: str = "",
        hour_cache: bool = True,
        media: bool = True,
    ) -> int:
        """Return the most nano-USD that a call of at most so many tokens can cost, whatever kinds they turn out to be.

        `hour_cache` and `media` say whether the call may write to a cache for an hour, or hold or yield audio or images:
        false only when that was looked for.
        """
        if not (batch or service_tier or self.other_hours):
            return self.standard.most(input_tokens, output_tokens, hour_cache=hour_cache, media=media)
        ladders = self._ladders(batch=batch, service_tier=service_tier) + self.other_hours
        return max(each.most(input_tokens, output_tokens, hour_cache=hour_cache, media=media) for each in ladders)

    def _ladders(self, *, batch: bool, service_tier: str) -> tuple[Ladder, ...]:
        service = _service(service_tier, batch=batch)
        if service in self.services:
            return (self.services[service],)
        if service_tier.lower() in STANDARD:
            return (self.standard,)
        return (self.standard, *self.services.values())


def _service(tier: str, *, batch: bool) -> str:
    usual = tier.lower() in STANDARD
    if batch:
        return BATCH if usual else f"{BATCH}+{tier.lower()}"
    return "" if usual else tier.lower()
