"""Have a model turn a question into a vector: a call of its own, held, settled and recorded like any other."""

from dataclasses import replace

import orjson

from interlock.domain.errors import InterlockError
from interlock.domain.ids import ModelCallId, ordered_id
from interlock.domain.models import Dialect, ModelCallStatus, trace_of
from interlock.domain.route_settings import Retries
from interlock.domain.trace_context import span_of_call
from interlock.gateway.models.attempts import Attempts
from interlock.gateway.models.requests import ModelAsk
from interlock.gateway.models.trail import model_called
from interlock.gateway.models.walk import Walk
from interlock.gateway.recorder import Recorder
from interlock.models.ports import Operation
from interlock.models.routing import Candidate, Plan, Router
from interlock.models.similarity import embedding_in, pack
from interlock.models.tokens.counting import likely
from interlock.models.wire import Wire

_PATIENCE_MS = 2_000
"""The longest that a reply waits to hear whether one is kept."""


class Embedder:
    """Makes vectors of questions with the models of the router file."""

    def __init__(self, router: Router, wire: Wire, attempts: Attempts, recorder: Recorder, prices: str) -> None:
        """`wire` is that of OpenAI's embeddings, `prices` the version of the price book."""
        self._router = router
        self._wire = wire
        self._attempts = attempts
        self._recorder = recorder
        self._prices = prices

    async def vector(self, walk: Walk, model: str, text: str) -> bytes:
        """Return the packed vector of `text`, asked on behalf of `walk`; empty when there is none, which `walk` notes."""
        asking = self._asking(walk, model, text)
        try:
            found = await self._asked(asking)
        except InterlockError as error:
            status = ModelCallStatus.FAILED if asking.attempts else ModelCallStatus.REFUSED
            self._record(asking, status, error)
            walk.note("embedder_failed", code=error.code)
            return b""
        except BaseException as error:
            if not isinstance(error, Exception):
                self._record(asking, ModelCallStatus.ABANDONED, None)
            raise
        self._record(asking, ModelCallStatus.SUCCEEDED, None)
        return found

    def _asking(self, walk: Walk, model: str, text: str) -> Walk:
        candidate = self._router.candidate(model, walk.planned.settings)
        body = {"model": model, "input": text, "encoding_format": "float"}
        ask = ModelAsk(
            walk.ask.principal,
            Dialect.OPENAI_EMBEDDINGS,
            body,
            len(text.encode()),
            Operation.EMBED,
            run=walk.ask.run,
            trace=walk.ask.trace,
        )
        call = replace(
            walk.call,
            id=ModelCallId(ordered_id("mc", walk.started_at)),
            model=model,
            dialect=Dialect.OPENAI_EMBEDDINGS,
            streamed=False,
            labels=(*walk.call.labels, ("embeds", walk.call.id)),
            trace=trace_of(walk.call),
            parent_span=span_of_call(walk.call.id),
        )
        made = Walk(ask, call, walk.agent, self._wire, walk.started_at, redact=walk.redact)
        settings = replace(walk.planned.settings, hedge_ms=None, retries=Retries(attempts=1))
        explanation = {"router": walk.planned.explanation.get("router"), "by": "semantic cache"}
        made.plan = Plan((_impatient(candidate),), "", settings, explanation)
        made.sheet, made.standing, made.input_tokens = walk.sheet, walk.standing, likely(ask.size)
        made.seal_request()
        return made

    async def _asked(self, asking: Walk) -> bytes:
        candidate, standing = asking.planned.candidates[0], asking.standing
        if standing is not None:
            names = frozenset({candidate.model, candidate.provider, candidate.provider_model})
            standing.check(asking.call.agent, names, asking.started_at)
        served = await self._attempts.whole(asking)
        await self._attempts.settle(asking, served.tried, served.whole.seen, "served")
        asking.saw(served.whole.seen)
        asking.seal_reply(served.whole.body)
        return pack(embedding_in(orjson.loads(served.whole.body)))

    def _record(self, asking: Walk, status: ModelCallStatus, error: InterlockError | None) -> None:
        record = asking.record(status, error, prices=self._prices)
        self._recorder.note(record, (model_called(record, asking),), ())


def _impatient(candidate: Candidate) -> Candidate:
    waits = candidate.timeouts
    return replace(candidate, timeouts=replace(waits, total_ms=min(waits.total_ms, _PATIENCE_MS)))
