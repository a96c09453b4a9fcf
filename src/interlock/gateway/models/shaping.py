"""What the router's settings do to a request before it goes out, and to a reply before it is delivered."""

from dataclasses import dataclass, replace

import orjson

from interlock.checks.veil import Veil
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import SchemaUnmet
from interlock.domain.route_settings import Privacy, PrivacyMode
from interlock.gateway.models.exchange import Exchange, as_it_is, translated
from interlock.gateway.models.privacy import RestoredStream, hidden, hidden_in, hidden_input, restored, veil_for
from interlock.gateway.models.walk import Walk
from interlock.models.context import fitted
from interlock.models.counting import Count
from interlock.models.dialogue import Reply
from interlock.models.ports import Operation
from interlock.models.routing import Candidate
from interlock.models.sse import Splitter
from interlock.models.streams import events_of, whole
from interlock.models.structured import Shape, repaired, shape_of
from interlock.models.wire import Seen, Wire

_SHAPED = ("response_format", "text", "output_config", "output_format")
"""Where the formats say which shape the reply must have."""


def trim(walk: Walk, count: Count) -> None:
    """Bring the request within the context budget of its step, or raise ContextTooLong; what is cut is noted."""
    budget = walk.planned.settings.context
    limit = budget.max_input_tokens
    if limit is None or walk.input_tokens <= limit or walk.ask.operation is not Operation.REPLY:
        return
    request, trimmed = fitted(walk.request(), limit, budget.over, count)
    if trimmed is not None:
        walk.rewrite(request)
        walk.input_tokens = trimmed.after
        walk.note(
            "context_trimmed",
            strategy=trimmed.strategy.value,
            before=trimmed.before,
            after=trimmed.after,
            dropped=trimmed.dropped,
        )


def exchange_for(
    walk: Walk, candidate: Candidate, served: Wire, cap: int | None, secret: bytes, *, stream: bool
) -> Exchange:
    """Return the exchange with `candidate`, whose provider speaks `served`. Raises Uncarriable."""
    privacy = walk.planned.settings.privacy
    if candidate.outside and privacy.mode is not PrivacyMode.OFF:
        if walk.ask.operation is Operation.EMBED:
            body = _veiled_input(walk, candidate, secret)
            return as_it_is(walk.caller, served, body, candidate.provider_model, cap, stream=False)
        return _veiled(walk, candidate, served, cap, secret, stream=stream)
    if served.dialect is walk.caller.dialect:
        return as_it_is(walk.caller, served, walk.ask.body, candidate.provider_model, cap, stream=stream)
    return translated(walk.caller, served, walk.request(), candidate.provider_model, cap, stream=stream)


def _veiled(
    walk: Walk, candidate: Candidate, served: Wire, cap: int | None, secret: bytes, *, stream: bool
) -> Exchange:
    privacy = walk.planned.settings.privacy
    veil = veil_for(privacy, secret, walk.call.run or walk.call.id)
    request = hidden(walk.request(), veil)
    exchange = translated(walk.caller, served, request, candidate.provider_model, cap, stream=stream)
    if not veil.counts:
        return exchange
    _note_hidden(walk, candidate, veil)
    return _restoring(exchange, veil, privacy) if veil.reversible else exchange


def _veiled_input(walk: Walk, candidate: Candidate, secret: bytes) -> dict[str, Json]:
    """Return the body that asks for embeddings, with the personal data hidden. Raises Uncarriable."""
    veil = veil_for(walk.planned.settings.privacy, secret, walk.call.run or walk.call.id)
    body = {**walk.ask.body, "input": hidden_input(walk.ask.body.get("input"), veil)}
    if "user" in body:
        body["user"] = hidden_in(body["user"], veil)
    if veil.counts:
        _note_hidden(walk, candidate, veil)
    return body


def _note_hidden(walk: Walk, candidate: Candidate, veil: Veil) -> None:
    mode = walk.planned.settings.privacy.mode.value
    walk.note("personal_data_hidden", mode=mode, places=dict(veil.counts), model=candidate.model)


def _restoring(exchange: Exchange, veil: Veil, privacy: Privacy) -> Exchange:
    return replace(
        exchange,
        restore=lambda reply: restored(reply, veil, privacy),
        restore_stream=RestoredStream(veil, privacy),
    )


@dataclass(frozen=True, slots=True)
class Enforcement:
    """The shape that the reply must have, and how often the model may try again."""

    shape: Shape
    repairs: int


def enforcement_of(walk: Walk) -> Enforcement | None:
    """Return what holds for the output, or None where nothing was asked for. Raises BadInput for a schema that is none."""
    settings = walk.planned.settings.structured
    if not settings.enforce or not any(name in walk.ask.body for name in _SHAPED):
        return None
    output = walk.request().output
    return Enforcement(shape_of(output), settings.repair) if output is not None else None


def ask_again(walk: Walk, reply: Reply, problems: tuple[str, ...]) -> None:
    """Put the request for a repair in the place of the caller's."""
    walk.note("repair_asked", problems=[_place(one) for one in problems])
    walk.rewrite(repaired(walk.request(), reply, problems))


def unmet(problems: tuple[str, ...]) -> SchemaUnmet:
    """Return the error of a reply that has not the shape that was asked for."""
    error = SchemaUnmet(
        "The model's output does not satisfy the requested JSON Schema, and is withheld",
        why=" ".join(problems),
        do="Ask again, simplify the schema, or use a stronger model",
    )
    error.places = " ".join(_place(one) for one in problems)
    return error


def _place(problem: str) -> str:
    """Return where the reply does not fit, without its words."""
    return f"{problem.partition(':')[0].removesuffix('.')}."


def reply_in(walk: Walk, body: bytes) -> Reply:
    """Return the reply that `body`, in the caller's format, holds."""
    parsed: JsonObject = orjson.loads(body)
    return walk.caller.read_reply(parsed)


def seen_in(walk: Walk, body: bytes) -> Seen:
    """Return what `body`, a reply in the caller's format, says."""
    parsed: JsonObject = orjson.loads(body)
    return walk.caller.see(parsed)


def streamed(walk: Walk, body: bytes) -> bytes:
    """Return the whole reply `body` as the events of a stream."""
    writer = walk.caller.writer(replace(walk.request(), stream=True))
    return b"".join(writer.write(event) for event in events_of(reply_in(walk, body)))


def reply_of(walk: Walk, pieces: tuple[bytes, ...]) -> bytes:
    """Return the events in `pieces`, a whole stream in the caller's format, as one reply."""
    splitter, reader = Splitter(), walk.caller.reader()
    events = [each for piece in pieces for event in splitter.feed(piece) for each in reader.read(event)]
    return orjson.dumps(walk.caller.write_reply(whole(events)).body)
