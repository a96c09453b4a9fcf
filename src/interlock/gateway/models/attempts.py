"""Ask the models of a plan, one after the other, each under a reservation of its own, until one serves."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from interlock.budgets.charges import Demand
from interlock.domain.budgets import Charge, Measure
from interlock.domain.errors import (
    BadInput,
    BadModelReply,
    BudgetExceeded,
    InterlockError,
    ModelFailed,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ReplyCut,
    Uncarriable,
    Unpriced,
)
from interlock.domain.models import Attempt, Dialect, Usage, UsageSource
from interlock.domain.route_settings import Retries
from interlock.domain.route_settings import Unpriced as OnUnpriced
from interlock.gateway.leases import Excess, Held, LeaseBook
from interlock.gateway.models.exchange import Exchange, Passage, Whole
from interlock.gateway.models.shaping import exchange_for
from interlock.gateway.models.walk import Walk
from interlock.models.counting import Count, request_tokens
from interlock.models.ports import Answer, Operation, Outbound, Provider
from interlock.models.routing import Candidate, Health, delays, may_mend, pause
from interlock.models.services import service_of
from interlock.models.wire import Seen, Wire

T = TypeVar("T")

_EVENTS = "text/event-stream"
_SMALLEST_CAP = 256
"""Where the caller set no cap, ours may shrink to this to fit into what is left of a budget."""
_MARGIN_MS = 5
"""So that a circuit that a provider's Retry-After has opened is over when the wait is."""
_CHARGED_WITHOUT_WORD = (ModelTimeout, ReplyCut, BadModelReply)
"""Failures after which the provider has probably worked on the prompt, and does not say so."""


class PriceTag(Protocol):
    """The price of one model."""

    def covers(self, *, service_tier: str = "") -> bool:
        """Return whether the price of that service is known."""

    def cost(self, usage: Usage, *, service_tier: str = "") -> int:
        """Return what `usage` costs, in nano-USD."""

    def worst(self, input_tokens: int, output_tokens: int, *, service_tier: str = "", media: bool = True) -> int:
        """Return an upper bound, in nano-USD."""


PriceOf = Callable[[Candidate, int], PriceTag | None]
"""Returns the price of a candidate at an instant, or None when nobody knows it."""
CounterOf = Callable[[str], Count]
"""Returns what counts the tokens of a text for a model."""


@dataclass(slots=True, eq=False)
class Try:
    """One candidate being asked."""

    candidate: Candidate
    exchange: Exchange
    held: Held
    price: PriceTag | None
    began: float = field(default_factory=time.perf_counter)
    answer: Answer | None = None
    first_byte_ms: int | None = None
    settled: bool = False

    def elapsed_ms(self) -> int:
        """Return how long it has taken so far."""
        return int((time.perf_counter() - self.began) * 1000)


@dataclass(slots=True, eq=False)
class Opened:
    """A streamed reply whose first events have come."""

    tried: Try
    passage: Passage
    first: bytes
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Served:
    """A whole reply."""

    tried: Try
    whole: Whole


class Attempts:
    """Asks providers; holds before, settles after, whatever happens."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        wire_of: Callable[[str, Dialect], Wire],
        leases: LeaseBook,
        health: Health,
        price_of: PriceOf,
        counter_of: CounterOf,
        now: Callable[[], int],
    ) -> None:
        self._providers = providers
        self._wire_of = wire_of
        self._leases = leases
        self._health = health
        self._price_of = price_of
        self._counter_of = counter_of
        self._now = now
        self._secret = os.urandom(32)

    async def whole(self, walk: Walk) -> Served:
        """Return the first whole reply of the plan. Raises what the last candidate failed with, or BudgetExceeded."""
        return await self._in_turn(walk, self._whole)

    async def opened(self, walk: Walk) -> Opened:
        """Return the first stream of the plan that has begun to speak. Raises as `whole` does."""
        return await self._in_turn(walk, self._opened)

    async def settle(self, walk: Walk, tried: Try, seen: Seen | None, outcome: str, *, sent: bool = True) -> None:
        """Turn what `tried` holds into what its reply used, as the provider says or else as counted, and note the attempt."""
        if tried.settled:
            return
        tried.settled = True
        usage, source = self._used(walk, tried, seen) if sent else (Usage(), UsageSource.NONE)
        cost = tried.price.cost(usage, service_tier=service_of(tried.exchange.body)) if tried.price is not None else 0
        amounts = {Measure.MODEL_CALLS: 1 if sent else 0, Measure.TOKENS: usage.total, Measure.COST: cost}

        def used(charge: Charge) -> int:
            return amounts.get(charge.limit.measure, 0)

        excess = self._leases.settle(tried.held, used)
        took = tried.elapsed_ms()
        candidate = tried.candidate
        if outcome == "served":
            self._health.succeeded(
                candidate.model, self._now(), first_byte_ms=tried.first_byte_ms or took, duration_ms=took
            )
        began = int((tried.began - walk.began) * 1000)
        made = Attempt(
            candidate.provider,
            candidate.provider_model,
            outcome,
            took,
            usage,
            source,
            cost,
            after_ms=began,
            vendor=candidate.prices,
        )
        walk.attempts.append(made)
        if excess:
            await self._settle_excess(walk, made, excess)

    async def _settle_excess(self, walk: Walk, made: Attempt, excess: Excess) -> None:
        """Spend what was used beyond the hold as far as there is room; a caller that leaves does not stop it."""
        walk.note("over_reservation", budgets=[charge.budget for charge, _ in excess])
        left = await asyncio.shield(self._leases.settle_excess(excess))
        beyond = sum(amount for charge, amount in left if charge.limit.measure is Measure.COST)
        walk.attempts[walk.attempts.index(made)] = replace(made, excess_nano_usd=beyond)

    async def _in_turn(self, walk: Walk, attempt: Callable[[Walk, Candidate], Awaitable[T]]) -> T:
        settings, candidates = walk.planned.settings, walk.planned.candidates
        failure: InterlockError | None = None
        if settings.hedge_ms is not None and len(candidates) > 1:
            try:
                return await self._hedged(walk, attempt, candidates[0], candidates[1], settings.hedge_ms)
            except ModelRefused:
                raise
            except (ModelFailed, Uncarriable) as error:
                failure, candidates = error, candidates[2:]
        for candidate in candidates:
            for number in range(settings.retries.attempts):
                if not self._health.admit(candidate.model, self._now()):
                    break
                try:
                    return await attempt(walk, candidate)
                except Uncarriable as error:
                    self._health.abandoned(candidate.model)
                    failure = error
                    break
                except ModelFailed as error:
                    failure = error
                    length = _wait(settings.retries, walk.call.id, number, error)
                    if length is None or not may_mend(settings.retries, error):
                        break
                except InterlockError:
                    # Nothing was sent, so nothing is known of the model: a probe of its circuit is open to others again.
                    self._health.abandoned(candidate.model)
                    raise
                await asyncio.sleep((length + _MARGIN_MS) / 1000)
            if isinstance(failure, ModelRefused):
                break
        raise failure or ModelUnavailable("No model of the route can be asked at the moment", do="Try again later")

    async def _hedged(
        self,
        walk: Walk,
        attempt: Callable[[Walk, Candidate], Awaitable[T]],
        first: Candidate,
        second: Candidate,
        after_ms: int,
    ) -> T:
        """Ask `second` as well when `first` is silent for too long; who speaks first serves, the other is let go."""
        tasks = [asyncio.ensure_future(attempt(walk, first))]
        serving: asyncio.Future[T] | None = None
        try:
            done, _ = await asyncio.wait(tasks, timeout=after_ms / 1000)
            served = done and tasks[0].exception() is None
            if not served and self._health.admit(second.model, self._now()):
                walk.note("hedged", model=second.model)
                tasks.append(asyncio.ensure_future(attempt(walk, second)))
            serving = await _first_to_serve(tasks)
        finally:
            await self._release(walk, [task for task in tasks if task is not serving])
        return serving.result()

    async def _release(self, walk: Walk, tasks: Sequence[asyncio.Future[T]]) -> None:
        """End attempts whose reply nobody wants, and pay for what came of them."""
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Served):
                await self.settle(walk, result.tried, result.whole.seen, "not_needed")
            elif isinstance(result, Opened):
                if result.tried.answer is not None:
                    await result.tried.answer.close()
                await self.settle(walk, result.tried, result.passage.seen(), "not_needed")

    async def _whole(self, walk: Walk, candidate: Candidate) -> Served:
        tried = await self._begin(walk, candidate, stream=False)
        try:
            async with asyncio.timeout(candidate.timeouts.total_ms / 1000):
                answer = await self._open(walk, tried, stream=False)
                raw = await answer.read()
            whole = tried.exchange.whole(raw)
        except BaseException as error:  # noqa: BLE001 - it is raised on, after what it held is settled
            raise await self._failed(walk, tried, error, None) from None
        await answer.close()
        for sentence in whole.lost:
            walk.note("lost_in_translation", what=sentence)
        return Served(tried, whole)

    async def _opened(self, walk: Walk, candidate: Candidate) -> Opened:
        tried = await self._begin(walk, candidate, stream=True)
        passage = tried.exchange.passage()
        first = b""
        try:
            async with asyncio.timeout(candidate.timeouts.first_byte_ms / 1000):
                answer = await self._open(walk, tried, stream=True)
                if not answer.headers.get("content-type", _EVENTS).startswith(_EVENTS):
                    raise _no_stream(tried, await answer.read())
                chunks = answer.chunks()
                async for chunk in chunks:
                    first += passage.feed(chunk)
                    if first:
                        break
            if not first:
                passage.check_end()
        except BaseException as error:  # noqa: BLE001 - it is raised on, after what it held is settled
            raise await self._failed(walk, tried, error, passage.seen()) from None
        tried.first_byte_ms = tried.elapsed_ms()
        return Opened(tried, passage, first, chunks)

    async def _begin(self, walk: Walk, candidate: Candidate, *, stream: bool) -> Try:
        """Hold the worst case and make the exchange. Raises BudgetExceeded, Unpriced, Uncarriable: nothing was sent."""
        price = self._price_of(candidate, self._now())
        tier = walk.service_tier
        if walk.planned.settings.unpriced is OnUnpriced.REFUSE and (
            price is None or not price.covers(service_tier=tier)
        ):
            raise Unpriced(
                f"No price is known for {candidate.provider_model} at {candidate.provider}{tier and f' ({tier})'}",
                why="what it costs could not be held against any budget",
                do="Give it a price in the prices file of the router, or allow unpriced models there",
            )
        cap = walk.output_cap
        held, chosen = await self._hold(walk, candidate, price, cap)
        try:
            exchange = self._exchange(walk, candidate, None if cap is not None else chosen, stream=stream)
        except BaseException:
            self._leases.settle(held, lambda _charge: 0)
            raise
        for sentence in exchange.lost:
            walk.note("lost_in_translation", what=sentence)
        return Try(candidate, exchange, held, price)

    async def _hold(
        self, walk: Walk, candidate: Candidate, price: PriceTag | None, cap: int | None
    ) -> tuple[Held, int]:
        wanted = cap if cap is not None else candidate.output_cap
        if walk.ask.operation is Operation.EMBED:
            wanted = 0
        while True:
            cost = _worst(walk, price, wanted)
            demand = Demand(model_calls=1, tokens=walk.input_tokens + wanted, cost_nano_usd=cost)
            try:
                charges = walk.sheet.charges(demand) if walk.sheet is not None else ()
                held = self._leases.try_hold(charges)
                return held if held is not None else await self._leases.hold(charges), wanted
            except BudgetExceeded:
                # The caller set no cap, so a shorter reply than ours allows may still be of use.
                if cap is not None or wanted <= _SMALLEST_CAP:
                    raise
                wanted = max(wanted // 4, _SMALLEST_CAP)

    def _exchange(self, walk: Walk, candidate: Candidate, cap: int | None, *, stream: bool) -> Exchange:
        spoken = self._providers[candidate.provider].speaks(walk.caller.dialect)
        served = self._wire_of(candidate.provider, spoken)
        return exchange_for(walk, candidate, served, cap, self._secret, stream=stream)

    async def _open(self, walk: Walk, tried: Try, *, stream: bool) -> Answer:
        """Send the request; return its answer once the head says that it is one. Raises ModelFailed."""
        candidate, exchange = tried.candidate, tried.exchange
        outbound = Outbound(
            operation=walk.ask.operation,
            model=candidate.provider_model,
            body=exchange.outgoing(),
            stream=stream,
            connect_timeout_ms=candidate.timeouts.connect_ms,
            idle_timeout_ms=candidate.timeouts.between_bytes_ms if stream else candidate.timeouts.total_ms,
            headers=walk.headers_for(outside=candidate.outside),
        )
        dialect = exchange.served.dialect
        tried.answer = answer = await self._providers[candidate.provider].open(outbound, dialect)
        if answer.status < 400:
            return answer
        raise _with_patience(_refusal(candidate, exchange, answer.status, await answer.read()), answer)

    async def _failed(self, walk: Walk, tried: Try, error: BaseException, seen: Seen | None) -> BaseException:
        """Settle a try that did not serve; return what to raise."""
        if isinstance(error, TimeoutError):
            error = ModelTimeout(
                f"{tried.candidate.provider_model} did not answer in time", do="Try again, or allow it more time"
            )
        if tried.answer is not None:
            await tried.answer.close()
        self.tell_health(tried, error)
        # Words that came are charged, whatever came behind them.
        spoke = seen is not None and bool(seen.text or seen.usage)
        unforeseen = tried.answer is not None and not isinstance(error, InterlockError)
        charged = spoke or unforeseen or isinstance(error, _CHARGED_WITHOUT_WORD) or not isinstance(error, Exception)
        outcome = error.code if isinstance(error, InterlockError) else "abandoned"
        await self.settle(walk, tried, seen or Seen(None, (), None), outcome, sent=charged)
        return error

    def tell_health(self, tried: Try, error: BaseException) -> None:
        """Note that `tried` ended in `error`."""
        model = tried.candidate.model
        if isinstance(error, ModelFailed) and not isinstance(error, ModelRefused):
            retry_after_ms = None if error.retry_after_s is None else int(error.retry_after_s * 1000)
            self._health.failed(model, self._now(), retry_after_ms=retry_after_ms)
        else:
            self._health.abandoned(model)

    def _used(self, walk: Walk, tried: Try, seen: Seen | None) -> tuple[Usage, UsageSource]:
        if seen is not None and seen.usage is not None:
            return seen.usage, UsageSource.PROVIDER
        if walk.ask.operation is Operation.EMBED:
            return Usage(input=walk.input_tokens), UsageSource.COUNTED
        count = self._counter_of(tried.candidate.provider_model)
        output = count(seen.text) if seen is not None and seen.text else 0
        return Usage(input=_prompt_tokens(walk, count), output=output), UsageSource.COUNTED


async def _first_to_serve(tasks: Sequence[asyncio.Future[T]]) -> asyncio.Future[T]:
    """Return the first of `tasks`, of which there is one at least, that succeeds; if none does, the last that failed."""
    waiting, ended = set(tasks), tasks[0]
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            if ended.exception() is None:
                return ended
    return ended


def _prompt_tokens(walk: Walk, count: Count) -> int:
    try:
        return request_tokens(walk.request(), count)
    except BadInput:
        # Some of what passes in its own format has no neutral words: the estimate stands.
        return walk.input_tokens


def _worst(walk: Walk, price: PriceTag | None, output_tokens: int) -> int:
    if price is None:
        return 0
    # In translation the service may be left out, and the usual one serves.
    services = {walk.service_tier, ""}
    return max(
        price.worst(walk.input_tokens, output_tokens, service_tier=one, media=walk.has_media) for one in services
    )


def _wait(retries: Retries, seed: str, number: int, error: ModelFailed) -> int | None:
    """Return how long to wait after attempt `number`, in milliseconds; None when the candidate is not asked again."""
    waits = delays(retries, seed)
    if number >= len(waits):
        return None
    return pause(retries, waits[number], None if error.retry_after_s is None else int(error.retry_after_s * 1000))


def _no_stream(tried: Try, body: bytes) -> ModelFailed:
    """Return what an answer that is no stream means: often it is an error behind a status that says otherwise."""
    try:
        tried.exchange.whole(body)
    except ModelFailed as error:
        return error
    return BadModelReply(f"{tried.candidate.provider_model} answered with something else than a stream")


def _refusal(candidate: Candidate, exchange: Exchange, status: int, body: bytes) -> ModelFailed:
    """Return what an answer with an error status means to the caller, who has no part in our credentials."""
    if status in (401, 403):
        return ModelUnavailable(
            f"The provider {candidate.provider} does not accept Interlock's credential",
            do="Whoever runs Interlock has to look at the provider's credential",
        )
    if status == 404:
        return ModelUnavailable(
            f"The provider {candidate.provider} does not have the model {candidate.provider_model}",
            do="Whoever runs Interlock has to mend the router file",
        )
    return exchange.served.read_error(status, body)


def _with_patience(failure: ModelFailed, answer: Answer) -> ModelFailed:
    said = answer.headers.get("retry-after", "")
    if said.isascii() and said.isdigit() and len(said) < 6:
        failure.retry_after_s = float(said)
    return failure
