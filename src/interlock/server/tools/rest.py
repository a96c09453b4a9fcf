"""Tool calls over plain HTTP: POST /v1/tool-calls, and GET /v1/tool-calls/{run}/{call_id}."""

from dataclasses import dataclass
from urllib.parse import quote

import orjson
from starlette.types import Receive, Scope, Send

from interlock.domain.canonical import Json, JsonObject, parse_json
from interlock.domain.errors import BadInput
from interlock.domain.ids import CallId, RunId, ToolName, checked_id
from interlock.domain.trace_context import TraceContext
from interlock.gateway.requests import CallRequest, answer_of
from interlock.server.guard import CALLER, Caller, body_of
from interlock.server.problems import JSON, PROBLEM, send_bytes
from interlock.server.tools.meta import NOTHING
from interlock.server.tools.outcomes import resource
from interlock.server.tools.ports import Gate, Runs
from interlock.server.tools.runs import RunFinder
from interlock.server.tracing import trace_in
from interlock.tools.proposals import Proposal, read_proposal, settle_approval

COLLECTION = "/v1/tool-calls"
RESOURCE = "/v1/tool-calls/{run}/{call_id}"
_BESIDES = ("run", "call_id", "reason", "proposal", "dry_run")


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """POST: propose a call. Its body is a proposal, `{"tool", "arguments", "constraints"?}`, with a `run` beside it.

    Without one the call belongs to the run of its token, or to the run that its bearer last used without naming it.
    """

    gate: Gate
    finder: RunFinder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        caller: Caller = scope[CALLER]
        trace = trace_in(dict(scope["headers"]))
        request = await self._read(caller, parse_json(await body_of(receive)), trace)
        answer = await self.gate.call(request)
        place = f"{COLLECTION}/{quote(answer.key.run, safe='')}/{quote(answer.key.call, safe='')}"
        status, document = resource(answer, request.tool)
        kind = JSON if status < 400 else PROBLEM
        await send_bytes(send, status, orjson.dumps(document), kind, ((b"location", place.encode()),))

    async def _read(self, caller: Caller, body: Json, trace: TraceContext | None) -> CallRequest:
        if not isinstance(body, dict):
            raise BadInput("The body is not a JSON object", do='Send {"tool": ..., "arguments": {...}, "run": ...}')
        proposal = read_proposal({key: value for key, value in body.items() if key not in _BESIDES})
        named = _text(body, "call_id")
        return CallRequest(
            principal=caller.principal,
            run=await self._run(caller, _text(body, "run"), trace),
            tool=ToolName(proposal.tool),
            arguments=(settled := self._settled(caller, proposal)).arguments,
            call=CallId(checked_id(named, "call id")) if named is not None else None,
            reason=_text(body, "reason") or "",
            proposal=_text(body, "proposal"),
            constraints=settled.constraints,
            requires_approval=settled.requires_approval,
            dry_run=_flag(body, "dry_run"),
            trace=trace,
        )

    async def _run(self, caller: Caller, named: str | None, trace: TraceContext | None) -> RunId:
        if named is not None:
            return RunId(checked_id(named, "run id"))
        return await self.finder.find(caller, NOTHING, None, trace)

    def _settled(self, caller: Caller, proposal: Proposal) -> Proposal:
        for contract in self.gate.tools_for(caller.principal):
            if contract.name == proposal.tool:
                return settle_approval(proposal, contract)
        return proposal


@dataclass(frozen=True, slots=True)
class ToolCallByName:
    """GET: what became of a call."""

    runs: Runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door. Raises UnknownRun or UnknownRecord."""
        del receive
        caller: Caller = scope[CALLER]
        named = scope["path_params"]
        run, call = RunId(checked_id(named["run"], "run id")), CallId(checked_id(named["call_id"], "call id"))
        record = await self.runs.call(caller.principal, run, call)
        _, document = resource(answer_of(record), record.call.tool)
        await send_bytes(send, 200, orjson.dumps(document), JSON)


def _text(body: JsonObject, key: str) -> str | None:
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    raise BadInput(f"'{key}' is not text")


def _flag(body: JsonObject, key: str) -> bool:
    value = body.get(key, False)
    if isinstance(value, bool):
        return value
    raise BadInput(f"'{key}' is neither true nor false")
