"""Let a small model read the user's words and name the tier: a call of its own, held, settled and recorded like any other."""

from dataclasses import replace

from interlock.domain.errors import UnknownModel
from interlock.domain.ids import ModelCallId, ordered_id
from interlock.domain.models import Dialect, trace_of
from interlock.domain.route_settings import Privacy
from interlock.domain.trace_context import span_of_call
from interlock.gateway.models.attempts import Attempts
from interlock.gateway.models.requests import ModelAsk
from interlock.gateway.models.shaping import reply_in
from interlock.gateway.models.walk import Walk
from interlock.models.counting import last_words
from interlock.models.routing import Classify, Plan
from interlock.models.tokens.counting import likely
from interlock.models.wire import Wire

_MOST_WORDS = 8_000
"""Characters of the user's words that the classifying model gets to see."""


def classifying(walk: Walk, chat: Wire) -> Walk:
    """Return the call that classifies `walk`, ready to be made. Raises UnknownModel when its plan asks for none."""
    asked = walk.planned.classify
    if asked is None:
        raise UnknownModel("The route asks for no classification", do="Nothing")
    body = _question(asked, last_words(walk.request()))
    ask = ModelAsk(
        walk.ask.principal, Dialect.OPENAI_CHAT, body, size=len(str(body)), run=walk.ask.run, trace=walk.ask.trace
    )
    call = replace(
        walk.call,
        id=ModelCallId(ordered_id("mc", walk.started_at)),
        model=asked.candidate.model,
        dialect=Dialect.OPENAI_CHAT,
        streamed=False,
        labels=(*walk.call.labels, ("classifies", walk.call.id)),
        trace=trace_of(walk.call),
        parent_span=span_of_call(walk.call.id),
    )
    made = Walk(
        ask, call, walk.agent, chat, walk.started_at, output_cap=asked.classifier.max_tokens, redact=walk.redact
    )
    # What is hidden from the model that serves is hidden from the one that classifies, and no reply of it is restored.
    settings = replace(walk.planned.settings, hedge_ms=None, privacy=_hiding(walk.planned.settings.privacy))
    explanation = {"router": walk.planned.explanation.get("router"), "by": "classifier", "rule": asked.rule}
    made.plan = Plan((asked.candidate,), "", settings, explanation)
    made.sheet, made.standing, made.input_tokens = walk.sheet, walk.standing, likely(ask.size)
    made.seal_request()
    return made


async def answer_of(walk: Walk, attempts: Attempts) -> str:
    """Make the call; return what the model said. Raises an InterlockError: Braked when an operator has stopped that model."""
    candidate = walk.planned.candidates[0]
    if walk.standing is not None:
        names = frozenset({candidate.model, candidate.provider, candidate.provider_model})
        walk.standing.check(walk.call.agent, names, walk.started_at)
    served = await attempts.whole(walk)
    await attempts.settle(walk, served.tried, served.whole.seen, "served")
    walk.saw(served.whole.seen)
    walk.seal_reply(served.whole.body)
    return reply_in(walk, served.whole.body).text


def _question(asked: Classify, words: str) -> dict[str, object]:
    return {
        "model": asked.candidate.model,
        "messages": [
            {"role": "system", "content": asked.prompt},
            {"role": "user", "content": words[:_MOST_WORDS]},
        ],
        "max_completion_tokens": asked.classifier.max_tokens,
        "temperature": 0,
    }


def _hiding(privacy: Privacy) -> Privacy:
    return replace(privacy, restore_in_replies=False, restore_in_tools=False)
