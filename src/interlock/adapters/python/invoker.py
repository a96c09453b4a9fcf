"""Run Python functions as tools: coroutines in the loop, plain functions in threads."""

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from interlock.adapters.python.decorator import PythonTool
from interlock.domain.contracts import Kind
from interlock.gateway.ports import Delivery, Invocation, RawAnswer, ToolInvoker

_THREADS = 32
# Raised by an operating system call that refused before anything was done.
_REFUSALS = (PermissionError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)


class ToolError(Exception):
    """Raise it in a tool to say that nothing was done, and why; its text is shown to the agent."""


class PythonInvoker(ToolInvoker):
    """Carries out the tools of one connection."""

    def __init__(self, tools: Iterable[PythonTool[Any, Any]]) -> None:
        self._tools = {each.name: each for each in tools}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="interlock-tool")

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        known = self._tools.get(invocation.contract.upstream.operation)
        if known is None:
            return RawAnswer(Delivery.NOT_SENT, detail="this process does not have the function")
        signature = known.signature
        try:
            bound = signature.bind(invocation.arguments)
        except ValueError:
            return RawAnswer(Delivery.NOT_SENT, detail="the arguments do not fit the function's types")
        if signature.credential is not None:
            if invocation.secret is None:
                return RawAnswer(Delivery.NOT_SENT, detail="the function needs a credential, and the contract has none")
            bound[signature.credential] = invocation.secret
        if signature.key is not None:
            bound[signature.key] = invocation.idempotency_key
        return await self._run(known, bound, invocation)

    async def close(self) -> None:
        """Let go of the threads; a function that still runs in one is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, known: PythonTool[Any, Any], bound: dict[str, Any], invocation: Invocation) -> RawAnswer:
        kind = invocation.contract.kind
        deadline = asyncio.timeout(invocation.timeout_ms / 1000)
        try:
            async with deadline:
                if inspect.iscoroutinefunction(known.function):
                    value = await known.function(**bound)
                else:
                    value = await self._in_thread(partial(known.function, **bound))
        except ToolError as error:
            return RawAnswer(Delivery.ANSWERED, content=str(error), is_error=True)
        except _NeverStarted:
            return RawAnswer(Delivery.NOT_SENT, detail="no thread was free in time")
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is its answer, not a crash of the gate
            if deadline.expired():
                still = " and may still be running" if kind is Kind.WRITE else ""
                return RawAnswer(
                    Delivery.UNCERTAIN, detail=f"the function did not end within {invocation.timeout_ms} ms{still}"
                )
            return _failed(error, kind)
        try:
            return RawAnswer(Delivery.ANSWERED, content=known.signature.render(value))
        except (ValueError, TypeError):
            return _unknown(kind, "the function ended, and its result is not of the type that it declares")

    async def _in_thread(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the tool returns
        running = self._threads.submit(contextvars.copy_context().run, work)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if running.cancelled():
                raise _NeverStarted from None
            raise


class _NeverStarted(Exception):
    """The time was up before a thread took the work."""


def _failed(error: Exception, kind: Kind) -> RawAnswer:
    """Return what an exception says. Its text may hold anything, so only its class is passed on.

    Errors of Python's own about values (ValueError, KeyError) are answers. Errors of the network, and those of other
    libraries, leave open whether a write has happened.
    """
    name = type(error).__name__
    network = isinstance(error, OSError) and not isinstance(error, _REFUSALS)
    if network or type(error).__module__ != "builtins":
        return _unknown(kind, f"the function failed with {name}")
    return RawAnswer(Delivery.ANSWERED, content=f"The tool failed with {name}.", is_error=True)


def _unknown(kind: Kind, detail: str) -> RawAnswer:
    if kind is Kind.WRITE:
        return RawAnswer(Delivery.UNCERTAIN, detail=detail)
    return RawAnswer(Delivery.ANSWERED, content=f"The tool failed: {detail}.", is_error=True)
