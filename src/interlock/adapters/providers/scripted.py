"""A provider that follows a script, in every wire format: the same request always gets the same bytes."""

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import orjson

from interlock.adapters.providers.embedding import embedded
from interlock.adapters.providers.local import (
    JSON,
    SSE,
    VENDORS,
    LocalAnswer,
    Pace,
    cut,
    error_body,
    object_in,
    reply_pieces,
    request_in,
)
from interlock.domain.canonical import Json
from interlock.domain.errors import (
    ConfigurationError,
    ModelFailed,
    ModelOverloaded,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from interlock.domain.models import Dialect
from interlock.models.counting import Count
from interlock.models.dialogue import Request
from interlock.models.ports import Answer, Operation, Outbound, Provider
from interlock.models.scripted import Script, script
from interlock.models.scripted_rules import Conduct, ScriptedError
from interlock.models.scripted_talk import reply_of, rule_marks
from interlock.models.wire import Wire

_KEYS: Final = frozenset({"version", "models", "rules"})


class ScriptedProvider(Provider):
    """Answers from rules. Speaks whatever it is asked in."""

    def __init__(self, name: str, source: Json, wires: Mapping[Dialect, Wire], count: Count) -> None:
        """`source` is the parsed script file: a list of rules, or `{models: [names], rules: [...]}`.

        `count` tells the tokens of a text. Raises ConfigurationError.
        """
        self._name = name
        self._models, self._script = _read(name, source)
        self._wires = wires
        self._count = count
        self._marks = rule_marks(self._script)

    @property
    def name(self) -> str:
        return self._name

    def speaks(self, dialect: Dialect) -> Dialect:
        return dialect

    async def open(self, outbound: Outbound, dialect: Dialect) -> Answer:
        wire = self._wires[dialect]
        try:
            if outbound.operation is Operation.EMBED:
                return LocalAnswer(
                    200, JSON, (orjson.dumps(embedded(object_in(outbound.body, self._name), self._count)),)
                )
            request = request_in(wire, outbound, self._name)
        except ModelRefused as error:
            return LocalAnswer(error.status, JSON, (orjson.dumps(wire.write_error(error)),))
        return await self._answer(wire, request, outbound)

    async def models(self) -> tuple[str, ...]:
        return self._models

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _answer(self, wire: Wire, request: Request, outbound: Outbound) -> Answer:
        seed = sha256(outbound.model.encode() + b"\0" + outbound.body).hexdigest()
        vendor = VENDORS[wire.dialect]
        reply, answered = reply_of(self._script, request, seed, vendor=vendor, count=self._count, rules=self._marks)
        conduct = answered.rule.conduct
        pace = self._pace(conduct, outbound, streamed=request.stream)
        if conduct.error is None:
            return LocalAnswer(200, SSE if request.stream else JSON, reply_pieces(wire, reply, request), pace)
        return await _failing(wire, conduct.error, reply_pieces(wire, reply, request), pace, streamed=request.stream)

    def _pace(self, conduct: Conduct, outbound: Outbound, *, streamed: bool) -> Pace:
        # A whole reply is one piece: what cuts it anywhere, cuts it before its end.
        cut_after = conduct.cut_after if streamed or conduct.cut_after is None else 0
        return Pace(conduct.first_byte_ms, conduct.between_ms, outbound.idle_timeout_ms, cut_after, self._name)


async def _failing(wire: Wire, said: ScriptedError, pieces: tuple[bytes, ...], pace: Pace, *, streamed: bool) -> Answer:
    error = _failure(said)
    if said.after is None:
        await asyncio.sleep(pace.first_byte_ms / 1000)
        headers = dict(JSON) if said.retry_after is None else {**JSON, "retry-after": f"{said.retry_after:g}"}
        return LocalAnswer(said.status, headers, (said.body.encode() or error_body(wire, error, said.code),))
    if streamed:
        last = said.body.encode() or wire.stream_error(error)
        return LocalAnswer(200, SSE, cut(pieces, said.after, last), pace)
    return LocalAnswer(200, JSON, (said.body.encode() or error_body(wire, error, said.code),), pace)


def _failure(said: ScriptedError) -> ModelFailed:
    if said.status in (429, 529):
        error: ModelFailed = ModelOverloaded(said.message)
    elif said.status in (408, 504):
        error = ModelTimeout(said.message)
    else:
        error = ModelUnavailable(said.message) if said.status >= 500 else ModelRefused(said.message)
    error.retry_after_s = said.retry_after
    return error


def _read(name: str, source: Json) -> tuple[tuple[str, ...], Script]:
    said = {"rules": source} if isinstance(source, list) else source
    rules = said.get("rules") if isinstance(said, Mapping) and said.keys() <= _KEYS else None
    models = said.get("models", ["scripted"]) if isinstance(said, Mapping) else None
    if not isinstance(rules, list) or not isinstance(models, list) or not all(isinstance(one, str) for one in models):
        raise ConfigurationError(
            f"The script of the provider '{name}' cannot be used",
            why="it is neither a list of rules nor a mapping with 'rules' and 'models'",
            do="Put the rules under 'rules'",
        )
    return tuple(models), script(rules)
