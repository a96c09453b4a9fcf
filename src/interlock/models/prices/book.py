"""The price book: finds the price of a model at a moment. Nothing is ever fetched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError
from interlock.domain.problems import Problem
from interlock.models.prices.listing import Listing, listing
from interlock.models.prices.names import LONGEST_NAME, Names, provider_id, related, same
from interlock.models.prices.overrides import Override, overrides
from interlock.models.prices.price import Matched, Price

DATA = Path(__file__).with_name("data.json")
_MOST_REMEMBERED = 4096
"""Names that are remembered. Callers choose them, so there is a limit; past it, all are forgotten."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the prices were taken from."""

    sources: tuple[str, ...]
    """Name and version of each, the leading one first."""
    reviewed: str
    """The day on which the snapshot was reviewed, as ISO date."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The list of one provider. Reads what it is asked for, when it is first asked."""

    also: tuple[str, ...]
    """Providers whose models it also offers, at their prices unless its own list says otherwise."""
    listed: bytes
    """The models, as JSON: most deployments ask few providers."""
    sources: tuple[str, ...]
    _read: list[Sequence[JsonObject]] = field(default_factory=list)
    _names: list[Names] = field(default_factory=list)
    _listings: dict[int, Listing] = field(default_factory=dict)

    @property
    def entries(self) -> Sequence[JsonObject]:
        """The models, one after the other."""
        if not self._read:
            self._read.append(orjson.loads(self.listed))
        return self._read[0]

    def find(self, model: str) -> tuple[Listing, bool] | None:
        """Return what is listed under `model` (in lower case), and whether a pattern was needed to find it."""
        if not self._names:
            self._names.append(Names(self.entries))
        found = self._names[0].find(model)
        if found is None:
            return None
        position, by_rule = found
        if position not in self._listings:
            self._listings[position] = listing(self.entries[position], self.sources)
        return self._listings[position], by_rule


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices by provider and model. A user's overrides come before what the snapshot lists."""

    origin: Origin
    shelves: Mapping[str, Shelf]
    given: tuple[Override, ...] = ()
    _found: dict[tuple[str, str], tuple[Listing, Matched] | None] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """What a record says of the prices it was made with: the sources, and how many overrides are over them."""
        named = ", ".join(self.origin.sources)
        return f"{named}; {len(self.given)} overrides" if self.given else named

    def find(self, provider: str, model: str, at_ms: int) -> Price | None:
        """Return the price of `model` at a moment (milliseconds since the epoch), or None when it has none.

        `provider` is a name such as `openai`, `bedrock` or `vertex`; `model` is what was or would be sent to it.
        """
        key = (provider, model)
        try:
            found = self._found[key]
        except KeyError:
            found = self._search(provider_id(provider), model.strip().lower())
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            self._found[key] = found
        if self.given and (price := self._overridden(provider_id(provider), model, found, at_ms)):
            return price
        return found[0].at(at_ms, provider, found[1]) if found else None

    def listed(self, provider: str, at_ms: int) -> Iterator[Price]:
        """Yield the price of every model that the snapshot lists for `provider`, overrides applied, in order of names."""
        shelf = self.shelves.get(provider_id(provider))
        for model in sorted({entry["id"] for entry in shelf.entries} if shelf else ()):
            price = self.find(provider, model, at_ms)
            if price is not None and price.model == model:
                yield price

    def _search(self, provider: str, model: str) -> tuple[Listing, Matched] | None:
        shelf = self.shelves.get(provider)
        if shelf is None or not model or len(model) > LONGEST_NAME:
            return None
        others = [self.shelves[name] for name in shelf.also if name in self.shelves]
        for name in same(model):
            if found := shelf.find(name):
                return found[0], Matched.RULE if found[1] else Matched.EXACT
        for name in same(model):
            for other in others:
                if found := other.find(name):
                    return found[0], Matched.ELSEWHERE
        for name in related(model):
            if found := shelf.find(name):
                return found[0], Matched.RELATED
        for name in related(model):
            for other in others:
                if found := other.find(name):
                    return found[0], Matched.ELSEWHERE
        return None

    def _overridden(self, provider: str, model: str, found: tuple[Listing, Matched] | None, at_ms: int) -> Price | None:
        names = (model.strip().lower(), found[0].id.lower() if found else "")
        given = max(
            ((rank, each) for each in self.given if (rank := each.rank(provider, names, at_ms))),
            key=lambda ranked: ranked[0],
            default=None,
        )
        return given[1].price(found[0] if found else None) if given else None

    def with_overrides(self, parsed: Json, file: str = "prices.yaml") -> tuple["PriceBook", tuple[Problem, ...]]:
        """Return a book with a user's prices over this one's, and what is wrong with them.

        `parsed` is the content of the file, as docs/reference/prices.md describes it. With problems, the book is this
        one unchanged: a price that was meant to hold but does not is no basis for a limit.
        """
        given, problems = overrides(parsed, file)
        if problems:
            return self, problems
        return PriceBook(self.origin, self.shelves, (*self.given, *given)), ()


def load(path: Path = DATA) -> PriceBook:
    """Return the price book that is shipped. Raises ConfigurationError when its file cannot be read."""
    try:
        said = orjson.loads(path.read_bytes())
        about = said["about"]
        sources = tuple(f"{each['name']} {each['version']}" for each in about["sources"])
        shelves = {
            name: Shelf(tuple(shelf.get("also", ())), orjson.dumps(shelf["models"]), sources)
            for name, shelf in said["providers"].items()
        }
        return PriceBook(Origin(sources, about["reviewed"]), shelves)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "The price book cannot be read", why=f"{type(error).__name__} in {path.name}", do="Install Interlock anew"
        ) from None
