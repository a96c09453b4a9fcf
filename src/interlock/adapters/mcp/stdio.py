"""One MCP server as a child process that speaks over its standard input and output, by the `mcp` SDK."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

import orjson
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import (
    CONNECTION_CLOSED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    EmptyResult,
    InputRequiredResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    PingRequest,
    ToolListChangedNotification,
)
from pydantic import TypeAdapter, ValidationError

from interlock.adapters.mcp.answers import of_reply, uncertain
from interlock.adapters.mcp.found import Listing
from interlock.adapters.mcp.wire import Garbage, Reply, RpcError
from interlock.domain.contracts import Idempotency
from interlock.domain.errors import ConfigurationError, ToolUnavailable
from interlock.gateway.ports import Delivery, Invocation, RawAnswer, ToolInvoker
from interlock.tools.offers import Offer

Argv = tuple[str, ...]

_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)
_PAGE: TypeAdapter[ListToolsResult] = TypeAdapter(ListToolsResult)
_START_S = 30.0
_STOP_S = 10.0
_TRUSTED_S = 0.5
"""A program that answered this recently is not asked whether it still lives."""
_BREATH_S = 2.0


class StdioServer(ToolInvoker):
    """A program that is started on first use and again after it died. Starts only what the configuration allows."""

    def __init__(
        self,
        name: str,
        argv: Argv,
        *,
        allowed: frozenset[Argv],
        environment: Mapping[str, str] | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises ConfigurationError unless exactly `argv` is in `allowed`. The child inherits no variable of ours but
        PATH, HOME and the like; `environment` is added.
        """
        if not argv or argv not in allowed:
            raise ConfigurationError(
                f"The program of connection {name} may not be started",
                why="its exact command line is not in the list of allowed programs",
                do="Have an operator add it to allow_stdio, word for word",
            )
        self.name = name
        self._program = StdioServerParameters(command=argv[0], args=list(argv[1:]), env=dict(environment or {}))
        self._on_change = on_change
        self._starting = asyncio.Lock()
        self._client: Client | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._used_at = 0.0

    async def offers(self) -> tuple[Offer, ...]:
        """Return every tool that the program lists. Raises ToolUnavailable, also for a list that makes no sense."""
        listing, cursor, more = Listing(self.name), None, True
        try:
            async with asyncio.timeout(_START_S * 2):
                client = await self._running()
                while more:
                    asked = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
                    page = await client.session.send_request(asked, _PAGE)
                    cursor = listing.add(page.model_dump(mode="json", by_alias=True, exclude_unset=True))
                    more = cursor is not None
        except (MCPError, TimeoutError, Garbage, ValidationError, _NotStarted):
            raise ToolUnavailable(
                f"The program of connection {self.name} could not be asked for its tools",
                do="Start it by hand with the same command line and see what it says",
            ) from None
        return listing.offers()

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        sent = False
        try:
            async with asyncio.timeout(invocation.timeout_ms / 1000):
                client = await self._running()
                sent = True
                result = await client.session.send_request(_request(invocation), _RESULT)
        except _NotStarted:
            return RawAnswer(Delivery.NOT_SENT, detail="the tool's program could not be started")
        except TimeoutError:
            detail = "the tool's program did not answer in time"
            return uncertain(detail) if sent else RawAnswer(Delivery.NOT_SENT, detail=detail)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._forget()
            return of_reply(Reply(error=RpcError(error.code, error.message)))
        except (ValidationError, RuntimeError):
            return uncertain("the answer of the tool's program is not a tool result")
        raw = result.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if len(orjson.dumps(raw)) > invocation.contract.max_result_bytes:
            return uncertain(f"the answer is longer than {invocation.contract.max_result_bytes} bytes")
        return of_reply(Reply(result=raw))

    async def listen(self) -> bool:
        """Return False: announcements arrive on the same pipe as answers, without being asked for."""
        return False

    async def close(self) -> None:
        """Stop the program."""
        keeper, self._keeper, self._client = self._keeper, None, None
        if keeper is not None:
            self._stop.set()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(keeper, _STOP_S)

    async def _running(self) -> Client:
        async with self._starting:
            client, idle_s = self._client, time.monotonic() - self._used_at
            self._used_at = time.monotonic()
            if client is not None and (idle_s < _TRUSTED_S or await _breathes(client)):
                return client
            self._forget()
            self._stop = asyncio.Event()
            ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            # The SDK's scopes must be left by the task that entered them, so one task keeps the program.
            self._keeper = asyncio.create_task(self._keep(ready), name=f"mcp-stdio-{self.name}")
            await asyncio.wait((ready, self._keeper), timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                self._keeper.cancel()
                raise _NotStarted
            self._client = ready.result()
            return self._client

    def _forget(self) -> None:
        """Let the keeper end, so that the next call starts the program again."""
        self._client = None
        self._stop.set()

    async def _keep(self, ready: asyncio.Future[Client]) -> None:
        try:
            async with Client(self._program, message_handler=self._heed, cache=None) as client:
                ready.set_result(client)
                await self._stop.wait()
        except Exception:  # noqa: BLE001 - whatever a foreign program does ends here, and the next call starts it anew
            return

    async def _heed(self, message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._on_change()
        elif isinstance(message, Exception):
            self._forget()


class _NotStarted(Exception):
    pass


async def _breathes(client: Client) -> bool:
    """Ask a program that was idle whether it is still there, so that a call is not sent to a dead one."""
    try:
        async with asyncio.timeout(_BREATH_S):
            await client.session.send_request(PingRequest(), EmptyResult)
    except MCPError as error:
        return error.code != CONNECTION_CLOSED
    except (TimeoutError, ValidationError):
        return True
    return True


def _request(invocation: Invocation) -> CallToolRequest:
    contract = invocation.contract
    meta = {"traceparent": invocation.traceparent} if invocation.traceparent else {}
    if contract.idempotency is Idempotency.HEADER:
        meta[contract.idempotency_name] = invocation.idempotency_key
    params = {"name": contract.upstream.operation, "arguments": dict(invocation.arguments), "_meta": meta or None}
    return CallToolRequest(params=CallToolRequestParams.model_validate(params))
