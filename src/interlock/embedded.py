"""The gate in this process: open a deployment, open a run, ask models, propose calls."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from interlock.domain.calls import CallRecord
from interlock.domain.canonical import JsonObject, check_json
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import BadInput, ReplyCut
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, ToolName, UserId, checked_id
from interlock.domain.models import Dialect
from interlock.domain.runs import RunOutcome
from interlock.domain.trace_context import trace_context
from interlock.gateway.desks import Desks
from interlock.gateway.model_call import ModelGate
from interlock.gateway.models.requests import Headers, ModelAsk, Outlet
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.gateway.run_desk import Opening
from interlock.models.ports import Operation
from interlock.models.sse import Splitter
from interlock.wiring import open_interlock

_AHEAD = 64
"""How many pieces of a stream may wait for whoever reads it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of work of one agent. Its calls share budgets and evidence."""

    id: RunId
    token: str = field(repr=False)
    """For clients that speak HTTP or MCP to a server of the same deployment: whoever has it is the agent, in this run."""
    _principal: Principal
    _desks: Desks

    async def ask(
        self, request: JsonObject, *, step: str = "", dialect: Dialect = Dialect.OPENAI_CHAT, traceparent: str = ""
    ) -> JsonObject:
        """Ask a model and return its whole reply, both in the wire format `dialect`.

        A request that names no model gets the one that the router chooses for `step`. `traceparent` is the caller's span, as
        W3C Trace Context writes it. Raises an InterlockError when there
        is no reply, such as BudgetExceeded; everything is settled and recorded then.
        """
        reply = await self._desks.models.reply(self._ask(request, step, dialect, traceparent))
        body: JsonObject = orjson.loads(reply.body)
        return body

    async def stream(
        self, request: JsonObject, *, step: str = "", dialect: Dialect = Dialect.OPENAI_CHAT, traceparent: str = ""
    ) -> AsyncIterator[JsonObject]:
        """Ask a model, as `ask` does, and yield the events of its reply as they come.

        Raises an InterlockError before the first event, ReplyCut after the event that says why the reply broke off. Who
        stops reading waits until the call is settled.
        """
        ask = self._ask({**request, "stream": True}, step, dialect, traceparent)
        events = _Events()
        pumping = asyncio.create_task(events.pump(self._desks.models, ask))
        splitter = Splitter()
        try:
            while (piece := await events.next()) is not None:
                for event in splitter.feed(piece):
                    if event.data and event.data != b"[DONE]":
                        yield orjson.loads(event.data)
            await pumping
        finally:
            events.leave()
            await asyncio.wait({pumping})
            if not pumping.cancelled():
                pumping.exception()  # who has left is not told, and who has not has been

    def _ask(self, request: JsonObject, step: str, dialect: Dialect, traceparent: str) -> ModelAsk:
        check_json(request)
        # The road may change what it is given, and what it is given is the caller's.
        raw = orjson.dumps({"model": "auto", **request}, default=dict)
        operation = Operation.EMBED if dialect is Dialect.OPENAI_EMBEDDINGS else Operation.REPLY
        return ModelAsk(
            self._principal,
            dialect,
            orjson.loads(raw),
            len(raw),
            operation,
            run=self.id,
            step=checked_id(step, "step") if step else "",
            trace=trace_context(traceparent.encode()),
        )

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        *,
        call_id: str | None = None,
        proposal: str | None = None,
        reason: str = "",
        requires_approval: bool = False,
        dry_run: bool = False,
        constraints: JsonObject | None = None,
        traceparent: str = "",
    ) -> CallAnswer:
        """Propose a call and return what became of it: a refusal is an answer, not an exception.

        With `call_id` a repetition gets the recorded outcome. `proposal` is the id of the tool call in the model's reply
        that proposes this one, which must then be of the same tool and arguments. A `pending` answer has an approval id:
        propose the call again once a person has approved it. `traceparent` is the caller's span, as W3C Trace Context writes
        it: the call belongs below it. Raises BadInput, Conflict or StoreUnavailable when nothing was
        recorded.
        """
        request = CallRequest(
            self._principal,
            self.id,
            ToolName(tool),
            arguments,
            CallId(call_id) if call_id is not None else None,
            reason=reason,
            proposal=proposal,
            constraints=constraints or {},
            requires_approval=requires_approval,
            dry_run=dry_run,
            trace=trace_context(traceparent.encode()),
        )
        return await self._desks.gate.call(request)

    async def instruct(self, text: str) -> None:
        """Add what the user said next. It counts as trusted, so pass the user's own words and nothing else."""
        await self._desks.runs.instruct(self._principal, self.id, text)

    async def conclude(self, outcome: str) -> None:
        """End the run and say what came of it: `succeeded`, `partial`, `failed` or `escalated`.

        Reports of what models cost count by it. Raises BadInput for another word, Conflict for another outcome than was said.
        """
        try:
            said = RunOutcome(outcome)
        except ValueError:
            words = ", ".join(RunOutcome)
            raise BadInput(f"'{outcome[:40]}' is no outcome of a run", do=f"Say one of {words}") from None
        await self._desks.runs.close(self._principal, self.id, outcome=said)

    async def outcome(self, call_id: str) -> CallRecord:
        """Return the journal's record of a call. Raises UnknownRecord."""
        return await self._desks.runs.call(self._principal, self.id, CallId(call_id))

    def tools(self) -> tuple[ToolContract, ...]:
        """Return the contracts that the agent may call, by name."""
        return self._desks.gate.tools_for(self._principal)


@dataclass(frozen=True, slots=True)
class Gate:
    """An open deployment."""

    desks: Desks
    """Every use case, for programs that do more than propose calls."""

    @asynccontextmanager
    async def run(
        self,
        agent: str,
        *,
        instruction: str = "",
        system: str = "",
        user: str | None = None,
        identity: JsonObject | None = None,
        labels: Mapping[str, str] | None = None,
        traceparent: str = "",
    ) -> AsyncIterator[Run]:
        """Open a run of `agent` and close it afterwards.

        `instruction` is what the user asked for and `identity` what is known of the user: what the gate may trust.
        `traceparent` is the caller's span, as W3C Trace Context writes it: the run belongs below it.
        Raises Forbidden for an agent that no file declares.
        """
        principal = Principal(PrincipalId(f"local:{agent}"), self.desks.tenant, frozenset({Role.AGENT}), AgentId(agent))
        opening = Opening(
            user=UserId(user) if user is not None else None,
            identity=identity,
            system=system,
            instruction=instruction,
            labels=tuple((labels or {}).items()),
            trace=trace_context(traceparent.encode()),
        )
        opened = await self.desks.runs.open(principal, opening)
        try:
            yield Run(opened.run.id, opened.token, principal, self.desks)
        finally:
            await self.desks.runs.close(principal, opened.run.id)


@asynccontextmanager
async def open_gate(path: str | Path = "interlock.yaml") -> AsyncIterator[Gate]:
    """Open the deployment that `path` (interlock.yaml or its folder) declares, and keep it alive until the block ends.

    Raises ConfigurationError with everything that is wrong, StoreUnavailable when the database cannot be used.
    """
    async with open_interlock(Path(path)) as built, built.alive():
        yield Gate(built.desks)


class _Events(Outlet):
    """A stream on its way to whoever reads it here."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._left = asyncio.Event()
        self._torn = False

    async def pump(self, gate: ModelGate, ask: ModelAsk) -> None:
        """Have the stream sent here. Raises what the gate raises, and ReplyCut for a reply that broke off."""
        try:
            await gate.stream(ask, self)
            if self._torn:
                raise ReplyCut("The reply broke off", do="Treat what came as incomplete, and ask again")
        finally:
            await self._put(None)

    async def next(self) -> bytes | None:
        """Return what came next, None at the end."""
        return await self._waiting.get()

    def leave(self) -> None:
        """Take no more; what still comes is dropped."""
        self._left.set()
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def start(self, headers: Headers) -> None:
        """Events follow."""

    async def send(self, data: bytes) -> None:
        await self._put(data)

    async def finish(self, last: bytes = b"") -> None:
        if last:
            await self._put(last)

    async def abort(self) -> None:
        self._torn = True

    async def gone(self) -> None:
        await self._left.wait()

    async def _put(self, piece: bytes | None) -> None:
        if not self._left.is_set():
            await self._waiting.put(piece)
