"""Prices of the user's own: read from a parsed file, every problem told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from interlock.domain.canonical import Json
from interlock.domain.problems import Problem, Spot
from interlock.models.prices.listing import Listing, midnight
from interlock.models.prices.names import provider_id
from interlock.models.prices.price import Matched, Price
from interlock.models.prices.rates import KINDS, Ladder, RateSaid, ladder

_NAMING = frozenset({"provider", "model", "from", "until", "free", "context_window", "max_output"})
_SERVICES = frozenset({"batch", "service_tiers"})
_KEYS = _NAMING | _SERVICES | KINDS | {"above"}
_DEAREST = 1_000_000
"""Dollars per million tokens; a rate beyond it was meant per something else."""
_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Override:
    """One price of the user's own, and when it holds."""

    provider: str
    model: str
    """In lower case; a name that ends in `*` stands for all that begin like it."""
    since: int
    until: int
    """Milliseconds since the epoch; not included."""
    standard: Ladder
    services: Mapping[str, Ladder]
    source: str
    context_window: int | None = None
    max_output: int | None = None
    free: bool = False

    def rank(self, provider: str, names: tuple[str, str], at_ms: int) -> int:
        """Return 0 when this does not apply; else more, the nearer it names the model. `names`: as used, as listed."""
        if provider != self.provider or not self.since <= at_ms < self.until:
            return 0
        if self.model.endswith("*"):
            return len(self.model) if names[0].startswith(self.model[:-1]) else 0
        return 2000 if self.model == names[0] else 1000 if self.model == names[1] else 0

    def price(self, listed: Listing | None) -> Price:
        """Return the price, with the sizes of the model from the list where the user gives none."""
        return Price(
            provider=self.provider,
            model=listed.id if listed else self.model,
            source=self.source,
            matched=Matched.OVERRIDE,
            standard=self.standard,
            services=self.services,
            context_window=self.context_window or (listed.context_window if listed else None),
            max_output=self.max_output or (listed.max_output if listed else None),
            free=self.free,
        )


@dataclass(slots=True)
class _Reading:
    """Collects problems while a file is read."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, key: str, what: str, expected: str = "") -> None:
        self.problems.append(Problem(Spot(self.file, key=key), what, expected))


def overrides(parsed: Json, file: str) -> tuple[tuple[Override, ...], tuple[Problem, ...]]:
    """Return the overrides that a parsed file holds, and what is wrong with it."""
    reading = _Reading(file)
    if parsed is None or parsed == {}:
        return (), ()
    entries = parsed.get("prices") if isinstance(parsed, Mapping) else None
    if not isinstance(entries, list):
        reading.wrong("prices", "is not a list", "a list of prices, each with provider and model")
        return (), tuple(reading.problems)
    for key in sorted(str(key) for key in parsed if key != "prices"):
        reading.wrong(key, "is not known", "prices")
    found = [_override(entry, f"prices[{position}]", reading) for position, entry in enumerate(entries)]
    given = tuple(each for each in found if each)
    for position, each in enumerate(found):
        if each and any(_overlap(each, other) for other in found[:position]):
            reading.wrong(
                f"prices[{position}]", f"'{each.model}' has another price at the same time", "one price at a time"
            )
    return given, tuple(reading.problems)


def _overlap(one: Override, other: Override | None) -> bool:
    if other is None or (one.provider, one.model) != (other.provider, other.model):
        return False
    return one.since < other.until and other.since < one.until


def _override(entry: Json, key: str, reading: _Reading) -> Override | None:
    before = len(reading.problems)
    if not isinstance(entry, Mapping):
        reading.wrong(key, "is not a mapping", "provider, model and rates in USD per million tokens")
        return None
    for name in sorted(str(name) for name in entry if name not in _KEYS):
        reading.wrong(f"{key}.{name}", "is not known", ", ".join(sorted(_KEYS)))
    provider, model = (_text(entry, name, key, reading) for name in ("provider", "model"))
    since, until = _moment(entry, "from", 0, key, reading), _moment(entry, "until", _FOREVER, key, reading)
    if since >= until:
        reading.wrong(f"{key}.until", "is not after 'from'", "the first day on which the price no longer holds")
    free = entry.get("free", False)
    if not isinstance(free, bool):
        reading.wrong(f"{key}.free", "is not true or false")
    usual = _rates(entry, key, reading)
    if free and (usual or _SERVICES & set(entry)):
        reading.wrong(f"{key}.free", "stands beside rates", "either 'free: true' or rates")
    services = {} if free else _services(entry, usual, key, reading)
    if not free:
        _complete(usual, key, reading)
    window, most = (_tokens(entry, name, key, reading) for name in ("context_window", "max_output"))
    if len(reading.problems) > before:
        return None
    ladders = {name: ladder(rates) for name, rates in services.items()}
    return Override(
        provider_id(provider), model.lower(), since, until, ladder(usual), ladders, reading.file, window, most, free
    )


def _complete(rates: Mapping[str, RateSaid], key: str, reading: _Reading) -> None:
    for kind in ("input", "output"):
        if kind not in rates:
            reading.wrong(f"{key}.{kind}", "is missing", "USD per million tokens, or 'free: true'")
    if rates and all(rate == "0" for rate in rates.values()):
        reading.wrong(key, "costs nothing", "'free: true' where that is meant")


def _services(
    entry: Mapping[str, Json], usual: Mapping[str, RateSaid], key: str, reading: _Reading
) -> dict[str, dict[str, RateSaid]]:
    tiers = entry.get("service_tiers", {})
    if not isinstance(tiers, Mapping):
        reading.wrong(f"{key}.service_tiers", "is not a mapping", "rates by name of the tier")
        tiers = {}
    said = {str(name).lower(): (f"{key}.service_tiers.{name}", rates) for name, rates in tiers.items()}
    if "batch" in entry:
        said["batch"] = (f"{key}.batch", entry["batch"])
    found: dict[str, dict[str, RateSaid]] = {}
    for name, (place, rates) in said.items():
        if not isinstance(rates, Mapping):
            reading.wrong(place, "is not a mapping", "rates in USD per million tokens")
            continue
        for unknown in sorted(str(kind) for kind in rates if kind not in KINDS and kind != "above"):
            reading.wrong(f"{place}.{unknown}", "is not known", ", ".join(sorted(KINDS)))
        found[name] = {**usual, **_rates(rates, place, reading)}
    return found


def _rates(entry: Mapping[str, Json], key: str, reading: _Reading) -> dict[str, RateSaid]:
    usual = dict(_kinds(entry, key, reading))
    steps = entry.get("above", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        reading.wrong(f"{key}.above", "is not a list of mappings", "items with 'tokens' and the rates beyond them")
        return {**usual}
    ladders: dict[str, list[str | list[int | str]]] = {kind: [rate] for kind, rate in usual.items()}
    reached = 0
    for position, step in enumerate(steps):
        place = f"{key}.above[{position}]"
        for unknown in sorted(str(kind) for kind in step if kind not in KINDS and kind != "tokens"):
            reading.wrong(f"{place}.{unknown}", "is not known", "tokens and rates")
        tokens = _tokens(step, "tokens", place, reading) or 0
        if tokens <= reached:
            reading.wrong(f"{place}.tokens", "does not rise", "more tokens than the step before")
        reached = max(reached, tokens)
        for kind, rate in _kinds(step, place, reading):
            if kind not in ladders:
                reading.wrong(f"{place}.{kind}", "has no rate for shorter prompts", f"'{kind}' beside 'above' too")
            ladders.setdefault(kind, [rate]).append([tokens, rate])
    return {kind: rates[0] if len(rates) == 1 else rates for kind, rates in ladders.items()}


def _kinds(entry: Mapping[str, Json], key: str, reading: _Reading) -> Iterator[tuple[str, str]]:
    """Yield the rates of `entry` as texts of pico-dollars per token."""
    for kind in sorted(KINDS & set(entry)):
        value = entry[kind]
        try:
            dollars = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
        except InvalidOperation:
            dollars = Decimal("NaN")
        if not dollars.is_finite() or not 0 <= dollars <= _DEAREST or dollars.as_tuple().exponent < -18:  # type: ignore[operator]
            reading.wrong(f"{key}.{kind}", "is not a price", "USD per million tokens, from 0 to 1,000,000")
            continue
        pico = (dollars * 1_000_000).normalize()
        yield kind, f"{pico:f}"


def _text(entry: Mapping[str, Json], name: str, key: str, reading: _Reading) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        reading.wrong(f"{key}.{name}", "is missing" if value is None else "is not a name", f"the name of the {name}")
        return ""
    return value.strip()


def _tokens(entry: Mapping[str, Json], name: str, key: str, reading: _Reading) -> int | None:
    value = entry.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 40):
        reading.wrong(f"{key}.{name}", "is not a number of tokens", "a whole number above 0")
        return None
    return value


def _moment(entry: Mapping[str, Json], name: str, otherwise: int, key: str, reading: _Reading) -> int:
    value: object = entry.get(name)
    if value is None:
        return otherwise
    try:
        if isinstance(value, str):
            return midnight(date.fromisoformat(value))
        if isinstance(value, date) and not isinstance(value, datetime):
            return midnight(value)
    except (ValueError, OverflowError):
        pass
    reading.wrong(f"{key}.{name}", "is not a day", "a date such as 2026-11-21; it begins at midnight UTC")
    return otherwise
