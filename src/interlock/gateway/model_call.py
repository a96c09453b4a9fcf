"""The road of a model call: admit, hold, ask, forward, settle, record. It reads top-down."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from interlock.domain.errors import BadInput, InterlockError, InternalError, ModelTimeout, StoreUnavailable
from interlock.domain.identity import Principal
from interlock.domain.models import ModelCallStatus
from interlock.domain.route_settings import Durable, OnDisconnect
from interlock.gateway.evidence import SEEN
from interlock.gateway.models.admission import ModelAdmitter
from interlock.gateway.models.attempts import Attempts, Opened
from interlock.gateway.models.cache import ReplyCache
from interlock.gateway.models.classifying import answer_of
from interlock.gateway.models.requests import Headers, ModelAsk, ModelReply, OpenModel, Outlet
from interlock.gateway.models.shaping import ask_again, enforcement_of, reply_in, reply_of, streamed, unmet
from interlock.gateway.models.trail import model_called
from interlock.gateway.models.walk import Walk
from interlock.gateway.recorder import Durable as Noted
from interlock.gateway.recorder import Recorder, Seen
from interlock.models.counting import texts_in, words_of

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 15.0
"""How long a reply that proposes tool calls waits for its record."""
_REST_S = 10.0
"""How long what a slow caller has not taken may take to come, once the time of its reply is over."""
_TAIL_S = 1.0
"""How long a provider may take to close a stream that has said its last word."""


class ModelGate:
    """Every model call of every agent comes through `reply` or `stream`."""

    def __init__(
        self, admitter: ModelAdmitter, attempts: Attempts, cache: ReplyCache, recorder: Recorder, prices: str
    ) -> None:
        """Wire the road. `prices` is the version of the price book."""
        self._admitter = admitter
        self._attempts = attempts
        self._cache = cache
        self._recorder = recorder
        self._prices = prices

    async def reply(self, ask: ModelAsk) -> ModelReply:
        """Return the whole reply. Raises an InterlockError, after everything is settled and recorded."""
        walk = self._admitter.begin(ask)
        try:
            await self._admit(walk)
            body = await self._whole(walk)
        except BaseException as error:
            self._note_failure(walk, error)
            raise
        walk.first_byte_ms = walk.elapsed_ms()
        walk.seal_reply(body)
        await self._record(walk)
        return ModelReply(body, headers_of(walk))

    async def stream(self, ask: ModelAsk, outlet: Outlet) -> None:
        """Send the reply to `outlet` as it comes. Raises an InterlockError only while nothing was sent."""
        walk = self._admitter.begin(ask)
        try:
            await self._admit(walk)
            whole = await self._at_hand(walk)
            opened = await self._attempts.opened(walk) if whole is None else None
        except BaseException as error:
            self._note_failure(walk, error)
            raise
        walk.first_byte_ms = walk.elapsed_ms()
        if opened is None:
            await self._deliver(walk, whole or b"", outlet)
            return
        pump = self._pump(walk, opened, outlet)
        if walk.planned.settings.on_disconnect is OnDisconnect.CANCEL:
            await _while_listened_to(pump, outlet)
        else:
            await pump

    async def count(self, ask: ModelAsk) -> int:
        """Return how many input tokens `ask` has, as they are counted here: nothing is sent."""
        return await self._admitter.count(ask)

    def models_for(self, principal: Principal) -> tuple[OpenModel, ...]:
        """Return what `principal` may name as a model."""
        return self._admitter.models_for(principal)

    async def _admit(self, walk: Walk) -> None:
        if not self._recorder.healthy:
            raise StoreUnavailable("What models are asked cannot be recorded at the moment", do="Try again shortly")
        await self._admitter.admit(walk)
        if walk.planned.classify is not None:
            self._admitter.replan(walk, await self._classified(walk))

    async def _classified(self, walk: Walk) -> str:
        """Return what the classifying model says of `walk`, or nothing when it fails: the rule says what holds then."""
        asking = self._admitter.classifying(walk)
        try:
            answer = await answer_of(asking, self._attempts)
        except InterlockError as error:
            self._note_failure(asking, error)
            walk.note("classifier_failed", code=error.code)
            return ""
        except BaseException as error:
            self._note_failure(asking, error)
            raise
        self._note(asking, ModelCallStatus.SUCCEEDED, None)
        return answer

    async def _whole(self, walk: Walk) -> bytes:
        """Return a reply that has the shape that was asked for: kept, or asked for and settled."""
        kept = await self._cache.find(walk)
        if kept is not None:
            return kept
        enforced = enforcement_of(walk)
        body = await self._asked(walk)
        if enforced is not None:
            reply = reply_in(walk, body)
            problems = enforced.shape.problems(reply)
            for _ in range(enforced.repairs if problems else 0):
                ask_again(walk, reply, problems)
                body = await self._asked(walk)
                reply = reply_in(walk, body)
                problems = enforced.shape.problems(reply)
            if problems:
                raise unmet(problems)
        await self._cache.keep(walk, body)
        return body

    async def _asked(self, walk: Walk) -> bytes:
        served = await self._attempts.whole(walk)
        await self._attempts.settle(walk, served.tried, served.whole.seen, "served")
        walk.saw(served.whole.seen)
        return served.whole.body

    async def _at_hand(self, walk: Walk) -> bytes | None:
        """Return the stream of a reply that is there whole before any of it is delivered: one kept, or held to a schema."""
        if enforcement_of(walk) is not None:
            return streamed(walk, await self._whole(walk))
        kept = await self._cache.find(walk)
        return streamed(walk, kept) if kept is not None else None

    async def _deliver(self, walk: Walk, events: bytes, outlet: Outlet) -> None:
        walk.seal_reply(events)
        await self._record(walk)
        await outlet.start(headers_of(walk))
        await outlet.finish(events)

    async def _pump(self, walk: Walk, opened: Opened, outlet: Outlet) -> None:
        """Forward a stream to its end. Its last events leave once the record of what they propose is durable."""
        passage, last = opened.passage, opened.first
        kept: list[bytes] | None = [] if self._cache.wants(walk) else None
        try:
            async with asyncio.timeout(opened.tried.candidate.timeouts.total_ms / 1000):
                await outlet.start(headers_of(walk))
                if not passage.finished:
                    last = await self._forward(walk, opened, outlet, kept)
                passage.check_end()
        except BaseException as error:
            await self._cut(walk, opened, outlet, error)
            if not isinstance(error, Exception):
                raise
            return
        seen = passage.seen()
        await self._attempts.settle(walk, opened.tried, seen, "served")
        walk.saw(seen)
        walk.seal_stream(last)
        try:
            await self._record(walk)
        except BaseException as error:
            await _close(opened)
            if not isinstance(error, StoreUnavailable):
                raise
            await _break(walk, outlet, error)
            return
        await outlet.finish(last)
        if kept is not None:
            await self._cache.keep(walk, reply_of(walk, (*kept, last)))
        await _let_go(opened)

    async def _forward(self, walk: Walk, opened: Opened, outlet: Outlet, kept: list[bytes] | None) -> bytes:
        """Send what comes, up to the events that end the reply; return those."""
        passage, send, replied = opened.passage, outlet.send, walk.replying()
        data = opened.first
        while True:
            if data:
                replied(data)
                if kept is not None:
                    kept.append(data)
                await send(data)
            chunk = await anext(opened.chunks, None)
            if chunk is None:
                return b""
            data = passage.feed(chunk)
            if passage.finished:
                return data

    async def _cut(self, walk: Walk, opened: Opened, outlet: Outlet, error: BaseException) -> None:
        """End a stream that broke off: pay for what came, record, tell the caller."""
        told = _as_told(error, opened)
        if isinstance(error, TimeoutError):
            await _hear_out(opened)
        seen = opened.passage.seen()
        self._attempts.tell_health(opened.tried, told)
        await self._attempts.settle(walk, opened.tried, seen, told.code)
        walk.saw(seen)
        # Nothing that a torn reply proposes may be taken for a proposal.
        walk.proposals = ()
        walk.seal_stream()
        gone = not isinstance(error, Exception)
        self._note(walk, ModelCallStatus.ABANDONED if gone else ModelCallStatus.CUT, None if gone else told)
        await _close(opened)
        if not gone:
            await _break(walk, outlet, told)

    async def _record(self, walk: Walk) -> None:
        """Record a call that went well; wait for the record where the reply can lead to an action."""
        noted = self._note(walk, ModelCallStatus.SUCCEEDED, None)
        if not walk.proposals and walk.planned.settings.durable is not Durable.REPLIES:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.shield(noted)
        except TimeoutError:
            raise StoreUnavailable(
                "The model has replied, and the reply cannot be recorded at the moment",
                do="Ask again shortly; nothing that it proposes may be done without the record",
            ) from None

    def _note_failure(self, walk: Walk, error: BaseException) -> None:
        if isinstance(error, InterlockError):
            error.record = walk.call.id
            self._note(walk, ModelCallStatus.FAILED if walk.attempts else ModelCallStatus.REFUSED, error)
        elif isinstance(error, Exception):
            self._note(walk, ModelCallStatus.FAILED, InternalError("Interlock failed while it asked a model"))
        else:
            self._note(walk, ModelCallStatus.ABANDONED, None)

    def _note(self, walk: Walk, status: ModelCallStatus, error: InterlockError | None) -> Noted:
        record = walk.record(status, error, prices=self._prices)
        return self._recorder.note(record, (model_called(record, walk),), _shown(walk))


def _shown(walk: Walk) -> tuple[Seen, ...]:
    """Return what the model was shown, where its reply proposes calls: their values may come from there."""
    run = walk.call.run
    if not walk.proposals or run is None:
        return ()
    try:
        texts = tuple(words_of(walk.request()))
    except BadInput:
        # Some of what passes in its own format has no neutral words: every text of it counts as seen.
        texts = tuple(texts_in(walk.ask.body))
    return tuple(Seen(walk.call.tenant, run, SEEN, text) for text in texts)


def _as_told(error: BaseException, opened: Opened) -> InterlockError:
    if isinstance(error, InterlockError):
        return error
    name = opened.tried.candidate.provider_model
    if isinstance(error, TimeoutError):
        return ModelTimeout(f"{name} took too long over its reply", do="Treat what came as incomplete, and ask again")
    if isinstance(error, Exception):
        # The caller learns only that it broke off; whoever runs Interlock has to learn why.
        _LOG.error("A stream failed inside Interlock", exc_info=error)
    return StreamBroken(f"The reply of {name} broke off", do="Treat what came as incomplete, and ask again")


class StreamBroken(InterlockError):
    """Interlock could not go on with a stream: what was delivered is incomplete."""

    code = "stream_broken"


async def _break(walk: Walk, outlet: Outlet, error: InterlockError) -> None:
    # Who has stopped reading cannot be told.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_S):
            await outlet.send(walk.caller.stream_error(error))
    await outlet.abort()


async def _while_listened_to(pump: Coroutine[Any, Any, None], outlet: Outlet) -> None:
    """Run `pump` as long as someone listens."""
    pumping, listening = asyncio.ensure_future(pump), asyncio.ensure_future(outlet.gone())
    try:
        await asyncio.wait({pumping, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        listening.cancel()
        if not pumping.done():
            pumping.cancel()
        await asyncio.gather(pumping, listening, return_exceptions=True)


async def _hear_out(opened: Opened) -> None:
    """Take in what has come of a reply whose caller was too slow to take it: it is paid for."""
    passage = opened.passage
    with contextlib.suppress(TimeoutError, InterlockError):
        async with asyncio.timeout(_REST_S):
            while not passage.finished and (chunk := await anext(opened.chunks, None)) is not None:
                passage.feed(chunk)


async def _let_go(opened: Opened) -> None:
    """Read the nothing that follows the end, so that the connection can serve again."""
    try:
        async with asyncio.timeout(_TAIL_S):
            async for _ in opened.chunks:
                pass
    except (TimeoutError, InterlockError):
        pass
    finally:
        await _close(opened)


async def _close(opened: Opened) -> None:
    if opened.tried.answer is not None:
        await opened.tried.answer.close()


def headers_of(walk: Walk) -> Headers:
    """Return what the caller is told beside the reply: the call's id, the model that served, what was done."""
    found = [(b"x-interlock-call", walk.call.id.encode())]
    if walk.attempts:
        found.append((b"x-interlock-model", walk.attempts[-1].model.encode()))
    if walk.cache:
        found.append((b"x-interlock-cache", walk.cache_told().encode()))
    if walk.events:
        kinds = ",".join(dict.fromkeys(str(event["kind"]) for event in walk.events))
        found.append((b"x-interlock-events", kinds.encode()))
    return tuple(found)
