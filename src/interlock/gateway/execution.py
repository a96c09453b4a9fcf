"""Carry out one admitted call: secret, attempts, time-out, retries; and say precisely what is known afterwards."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from interlock.checks.redactor import Words, words_by_form
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import Json, digest
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import InterlockError
from interlock.domain.trace_context import TraceContext, span_of_tool_attempt, trace_of_run
from interlock.gateway.breaker import Breakers
from interlock.gateway.ports import Clock, Delivery, Invocation, RawAnswer, Secrets, ToolInvoker
from interlock.tools.arguments import with_key

_BACKOFF_MS = 100
_BACKOFF_CAP_MS = 5_000


@dataclass(frozen=True, slots=True)
class Execution:
    """What is known after the last attempt."""

    answer: RawAnswer
    attempts: int
    busy_ms: int
    """How long the tool was busy with the call, over all attempts."""
    tries: tuple[tuple[int, int, str], ...] = ()
    """Of each attempt: when it began (milliseconds since the epoch), how many it took, and its `Delivery`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Which execution of a call this is, for the trace that the tool is told of."""

    execution: int = 1
    """The attempt that owns the call, as its record counts."""
    flags: int = 1
    """Of the caller's `traceparent`; without one, the trace is kept."""


class Executor:
    """Knows the upstreams. Holds no state of a call."""

    def __init__(
        self,
        invokers: Mapping[str, ToolInvoker],
        secrets: Secrets,
        clock: Clock,
        breakers: Breakers,
        backoff_ms: int = _BACKOFF_MS,
        redact: Words = words_by_form,
    ) -> None:
        """`invokers` by connection name (`Upstream.server`); what an upstream says of itself goes through `redact`."""
        self._redact = redact
        self._invokers = invokers
        self._secrets = secrets
        self._clock = clock
        self._breakers = breakers
        self._backoff_ms = backoff_ms

    async def carry_out(
        self, call: ToolCall, contract: ToolContract, idempotency_key: str, turn: Turn = Turn()
    ) -> Execution:
        """Return what became of `call`. Never raises for what a tool, a network or a secret store does.

        A call that may have been sent is repeated only if the tool recognises repetitions.
        """
        started = self._clock.now()
        tries: list[tuple[int, int, str]] = []
        while True:
            attempts = len(tries) + 1
            began = self._clock.now()
            self._breakers.entered(contract.name, began)
            answer = await self._attempt(call, contract, idempotency_key, _traceparent(call, turn, attempts))
            if answer.detail:
                answer = replace(answer, detail=self._redact(answer.detail))
            now = self._clock.now()
            tries.append((began, now - began, answer.delivery.value))
            self._learn(contract, answer)
            if attempts > contract.max_retries or not may_repeat(contract, answer):
                return Execution(answer, attempts, now - started, tuple(tries))
            await asyncio.sleep(self._pause(attempts) / 1000)

    async def _attempt(self, call: ToolCall, contract: ToolContract, key: str, traceparent: str) -> RawAnswer:
        invoker = self._invokers.get(contract.upstream.server)
        if invoker is None:
            return RawAnswer(Delivery.NOT_SENT, detail=f"no connection is named {contract.upstream.server}")
        try:
            secret = await self._secrets.resolve(contract.credential) if contract.credential else None
        except InterlockError as error:
            return RawAnswer(Delivery.NOT_SENT, detail=str(error))
        arguments = with_key(contract, call.arguments, key)
        invocation = Invocation(contract, arguments, key, secret, contract.timeout_ms, traceparent)
        try:
            async with asyncio.timeout(contract.timeout_ms / 1000 + 1):
                return await invoker.invoke(invocation)
        except TimeoutError:
            return RawAnswer(Delivery.UNCERTAIN, detail="the tool did not answer in time")
        except Exception as error:  # noqa: BLE001 - whatever an adapter gets wrong, the outcome is unknown, not a crash
            return RawAnswer(Delivery.UNCERTAIN, detail=f"the connection failed ({type(error).__name__})")

    def _learn(self, contract: ToolContract, answer: RawAnswer) -> None:
        if answer.delivery is Delivery.ANSWERED and not answer.retryable:
            self._breakers.succeeded(contract.name)
        else:
            self._breakers.failed(contract.name, self._clock.now())

    def _pause(self, attempts: int) -> float:
        ceiling = min(self._backoff_ms * 2 ** (attempts - 1), _BACKOFF_CAP_MS)
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret


def _traceparent(call: ToolCall, turn: Turn, number: int) -> str:
    key = call.key
    span = span_of_tool_attempt(key.tenant, key.run, key.call, turn.execution, number)
    return TraceContext(call.trace or trace_of_run(key.tenant, key.run), call.parent_span, turn.flags).below(span)


def may_repeat(contract: ToolContract, answer: RawAnswer) -> bool:
    """Return whether another attempt cannot do harm and may help."""
    if answer.delivery is Delivery.NOT_SENT:
        return True
    if answer.delivery is Delivery.UNCERTAIN:
        return contract.repeatable
    return answer.is_error and answer.retryable and contract.repeatable


def idempotency_key(call: ToolCall) -> str:
    """Return the key that every attempt of this call carries: a pure function of its name, so that a crash keeps it."""
    return "ilk-" + digest([call.key.tenant, call.key.run, call.key.call])[:40]


def simulated(contract: ToolContract, arguments: Json) -> Json:
    """Return the answer of a dry run: what would have been asked of whom."""
    return {
        "dry_run": True,
        "executed": False,
        "tool": contract.name,
        "operation": contract.upstream.operation,
        "arguments": arguments,
    }
