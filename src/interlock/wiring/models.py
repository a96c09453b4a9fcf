"""The model road of a deployment, built: providers, prices, route, leases, recorder, gate."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from interlock.adapters.providers.building import Supplies, provider_of
from interlock.adapters.providers.http import ProviderHttp
from interlock.checks.redactor import Words, words_by_form
from interlock.config import Deployment, ProviderKind, RouterFile
from interlock.domain.errors import ConfigurationError, InterlockError
from interlock.domain.models import Dialect, Usage
from interlock.gateway.leases import LeaseBook
from interlock.gateway.model_call import ModelGate
from interlock.gateway.models.admission import ModelAdmitter
from interlock.gateway.models.attempts import Attempts, PriceTag
from interlock.gateway.models.cache import ReplyCache
from interlock.gateway.models.embedding import Embedder
from interlock.gateway.models.standing import Standings
from interlock.gateway.ports import Clock, Secrets
from interlock.gateway.recorder import Recorder
from interlock.gateway.release import Release
from interlock.gateway.store import Store
from interlock.metrics.meter import Meter
from interlock.models.counting import Count
from interlock.models.ports import Provider
from interlock.models.prices.book import Origin, PriceBook, load
from interlock.models.recorded import Rates
from interlock.models.routing import Candidate, Health, Router
from interlock.models.tokens.counting import counter
from interlock.wiring.wires import WireOf, all_wires, wires_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelRoad:
    """What the deployment's models are asked through."""

    gate: ModelGate
    leases: LeaseBook
    recorder: Recorder
    providers: dict[str, Provider]
    prices: PriceBook
    router: Router | None
    wire_of: WireOf
    sweep: Callable[[], Awaitable[int]]
    """Deletes kept replies that have expired."""
    closers: tuple[Callable[[], Awaitable[None]], ...] = field(default=())

    async def close(self) -> None:
        """Write down what is not yet written, give back what is held, let go of connections."""
        for close in (self.recorder.close, self.leases.close, *self.closers):
            try:
                await close()
            except InterlockError as error:
                _LOG.warning("%s", error)


def build_models(
    deployment: Deployment,
    store: Store,
    secrets: Secrets,
    release: Callable[[], Release],
    clock: Clock,
    owner: str,
    meter: Meter | None = None,
    redact: Words = words_by_form,
) -> ModelRoad:
    """Return the model road. Raises ConfigurationError for prices or providers that cannot be used."""
    file = deployment.router
    declared = file.providers if file is not None else ()
    router = Router(file.routes) if file is not None else None
    wires, http, count = all_wires(), ProviderHttp(), counter()

    def counter_of(model: str) -> Count:
        return lambda text: count.count(text, model)

    prices = _prices(file)
    supplies = Supplies(http, secrets, wires, counter_of(""), _rates(file, prices, clock.now()))
    providers = {one.name: provider_of(one, supplies) for one in declared}
    leases = LeaseBook(store, owner, clock)
    recorder = Recorder(store, leases, owner, meter)
    health = Health(router.settings.breaker) if router is not None else Health()

    unpaid = {one.name for one in declared if one.kind is ProviderKind.LOCAL_EMBEDDINGS}

    def price_of(candidate: Candidate, now: int) -> PriceTag | None:
        if candidate.provider in unpaid:
            return _Unpaid()
        return prices.find(candidate.prices, candidate.provider_model, now)

    wire_of = wires_of(declared, wires)
    attempts = Attempts(providers, wire_of, leases, health, price_of, counter_of, clock.now)
    admitter = ModelAdmitter(release, router, wires, health, price_of, counter_of, Standings(store), clock, redact)
    embedder = (
        Embedder(router, wires[Dialect.OPENAI_EMBEDDINGS], attempts, recorder, prices.version) if router else None
    )
    cache = ReplyCache(store, embedder)
    gate = ModelGate(admitter, attempts, cache, recorder, prices.version)
    closers = (*(one.close for one in providers.values()), http.close)
    return ModelRoad(
        gate, leases, recorder, providers, prices, router, wire_of, lambda: cache.sweep(clock.now()), closers
    )


class _Unpaid(PriceTag):
    """What runs on this very machine is charged by nobody."""

    def covers(self, *, service_tier: str = "") -> bool:  # noqa: ARG002
        return True

    def cost(self, usage: Usage, *, service_tier: str = "") -> int:  # noqa: ARG002
        return 0

    def worst(self, input_tokens: int, output_tokens: int, *, service_tier: str = "", media: bool = True) -> int:  # noqa: ARG002
        return 0


def _prices(file: RouterFile | None) -> PriceBook:
    if file is None:
        return PriceBook(Origin((), ""), {})
    book = load()
    if not file.prices:
        return book
    book, problems = book.with_overrides(file.prices, str(file.prices_path or "prices"))
    if problems:
        raise ConfigurationError("The prices file has problems", problems=problems)
    return book


def _rates(file: RouterFile | None, prices: PriceBook, now: int) -> dict[str, Rates]:
    """Return what recorded models cost, for records that say tokens and cost but not what came from a cache."""
    found = {}
    for model in file.routes.models.values() if file is not None else ():
        price = prices.find(model.prices, model.name, now)
        if price is not None:
            rates = [price.standard.per_million(kind) * 1_000 for kind in ("input", "cache_read", "output")]
            found[model.name] = Rates(*(int(rate) for rate in rates))
    return found
