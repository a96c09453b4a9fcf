"""One model of the price list: its names, and its prices through time and hours."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from interlock.domain.canonical import JsonObject
from interlock.models.prices.price import Matched, Price
from interlock.models.prices.rates import Ladder, RateSaid, ladder

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Period:
    """Rates and when they hold."""

    rates: Mapping[str, RateSaid]
    since: int = 0
    """Milliseconds since the epoch."""
    hours: tuple[int, int] | None = None
    """Minutes of the day in UTC, from and until; None for the whole day. Over midnight where they run backwards."""
    service: str = ""
    """`batch` or a service tier, for rates that replace those of the same kind there."""

    def holds(self, at_ms: int) -> bool:
        """Return whether these rates hold at a moment."""
        if at_ms < self.since:
            return False
        if self.hours is None:
            return True
        minute, (start, end) = at_ms % _DAY_MS // _MINUTE_MS, self.hours
        return start <= minute < end if start <= end else minute >= start or minute < end


@dataclass(frozen=True, slots=True)
class Listing:
    """A model that a provider lists. Later periods win over earlier ones; the first holds where none does."""

    id: str
    source: str
    periods: tuple[Period, ...]
    """Empty for a model that is known but has no price by token."""
    services: tuple[Period, ...] = ()
    """The first one of a service that holds wins, for each kind of token."""
    context_window: int | None = None
    max_output: int | None = None
    beside: tuple[str, ...] = ()
    free: bool = False
    _starts: tuple[int, ...] = ()
    _timed: tuple[Period, ...] = ()
    _prices: dict[tuple[object, ...], Price] = field(default_factory=dict)
    """Made once for each stretch of time, way of matching and provider."""

    def at(self, at_ms: int, provider: str, matched: Matched) -> Price | None:
        """Return the price at a moment, or None when the model has none."""
        if not self.periods:
            return None
        key = (
            provider,
            matched,
            bisect_right(self._starts, at_ms),
            *(period.holds(at_ms) for period in self._timed),
        )
        found = self._prices.get(key)
        if found is None:
            found = self._prices[key] = self._price(at_ms, provider, matched)
        return found

    def _price(self, at_ms: int, provider: str, matched: Matched) -> Price:
        holding = [period for period in self.periods if period.holds(at_ms)] or [self.periods[0]]
        # Who lists another maker's model has batch and service rules of its own, which are not these.
        services = self._services(holding[-1], at_ms) if matched is not Matched.ELSEWHERE else {}
        others = [period for period in self.periods if at_ms >= period.since and period.hours is not None]
        if others:
            others += [period for period in holding if period.hours is None][-1:]
        return Price(
            provider=provider,
            model=self.id,
            source=self.source,
            matched=matched,
            standard=ladder(holding[-1].rates),
            services=services,
            other_hours=tuple(ladder(period.rates) for period in others if period is not holding[-1]),
            context_window=self.context_window,
            max_output=self.max_output,
            beside=self.beside,
            free=self.free,
        )

    def _services(self, usual: Period, at_ms: int) -> dict[str, Ladder]:
        said: dict[str, dict[str, RateSaid]] = {}
        for period in self.services:
            if period.holds(at_ms):
                kinds = said.setdefault(period.service, {})
                kinds.update({kind: rate for kind, rate in period.rates.items() if kind not in kinds})
        return {service: ladder({**usual.rates, **kinds}) for service, kinds in said.items()}


def listing(said: JsonObject, sources: Sequence[str]) -> Listing:
    """Return the listing that one entry of the data file describes."""
    prices = said.get("prices") or []
    periods = tuple(_period(each) for each in ([{"rates": prices}] if isinstance(prices, dict) else prices))
    services = tuple(_period(each) for each in said.get("services", ()))
    both = (*periods, *services)
    return Listing(
        id=said["id"],
        source=sources[said.get("source", 0)],
        periods=periods,
        services=services,
        context_window=said.get("window"),
        max_output=said.get("max_output"),
        beside=tuple(said.get("beside", ())),
        free=bool(said.get("free")),
        _starts=tuple(sorted({period.since for period in both if period.since})),
        _timed=tuple(period for period in both if period.hours is not None),
    )


def _period(said: JsonObject) -> Period:
    hours = said.get("hours")
    return Period(
        rates=said["rates"],
        since=midnight(date.fromisoformat(said["since"])) if "since" in said else 0,
        hours=(hours[0], hours[1]) if hours else None,
        service=said.get("service", ""),
    )


def midnight(day: date) -> int:
    """Return when `day` begins in UTC, in milliseconds since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
