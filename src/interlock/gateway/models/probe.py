"""Ask a declared model for one word, outside every run and budget: does the road to it work, and what does it cost?"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from interlock.domain.errors import InterlockError, ModelTimeout
from interlock.domain.models import Dialect, Usage
from interlock.domain.routes import DeclaredModel
from interlock.gateway.models.exchange import translated
from interlock.models.dialogue import Message, Request, Role, Text
from interlock.models.ports import Operation, Outbound, Provider
from interlock.models.wire import Wire

_TIMEOUT_S = 30.0
_MOST_TOKENS = 64
"""Enough for models that think before they speak a word."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one model answered."""

    model: str
    provider: str
    duration_ms: int
    said: str = ""
    usage: Usage | None = None
    problem: str = ""
    """Empty when it answered."""


async def probe(
    model: DeclaredModel, providers: Mapping[str, Provider], wire_of: Callable[[str, Dialect], Wire]
) -> Probe:
    """Return what `model` answers to a short question, or what stands in its way."""
    began = time.perf_counter()
    provider = providers[model.provider]
    asked = Dialect.OPENAI_EMBEDDINGS if model.embeddings else Dialect.OPENAI_CHAT
    try:
        said, usage = await _asked(model, provider, wire_of, provider.speaks(asked))
    except InterlockError as error:
        return Probe(model.id, model.provider, _since(began), problem=str(error))
    except orjson.JSONDecodeError:
        return Probe(model.id, model.provider, _since(began), problem="Its answer is not JSON.")
    return Probe(model.id, model.provider, _since(began), said, usage)


async def _asked(
    model: DeclaredModel, provider: Provider, wire_of: Callable[[str, Dialect], Wire], dialect: Dialect
) -> tuple[str, Usage | None]:
    wire = wire_of(provider.name, dialect)
    if model.embeddings:
        body, operation = {"model": model.name, "input": "ready"}, Operation.EMBED
    else:
        exchange = translated(wire, wire, _QUESTION, model.name, _MOST_TOKENS, stream=False)
        body, operation = exchange.body, Operation.REPLY
    sent = Outbound(
        operation,
        model.name,
        orjson.dumps(body),
        stream=False,
        connect_timeout_ms=5_000,
        idle_timeout_ms=int(_TIMEOUT_S * 1000),
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await provider.open(sent, dialect)
            raw = await answer.read()
            await answer.close()
    except TimeoutError:
        raise ModelTimeout(f"{model.name} did not answer within {_TIMEOUT_S:.0f} s") from None
    if answer.status >= 400:
        raise wire.read_error(answer.status, raw)
    parsed = orjson.loads(raw)
    seen = wire.see(parsed)
    said = "" if model.embeddings else wire.read_reply(parsed).text
    return said.strip(), seen.usage


def _since(began: float) -> int:
    return int((time.perf_counter() - began) * 1000)


_QUESTION = Request("", (Message(Role.USER, (Text("Reply with the single word: ready"),)),))
