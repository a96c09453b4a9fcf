"""The `/mcp` endpoint: one JSON-RPC message in, one out, in every revision, without a stream and without memory.

Server streams are not offered (GET answers 405): all that this server says, it says in answers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope, Send

from interlock.domain.calls import CallStatus
from interlock.domain.canonical import Json, JsonObject, parse_json
from interlock.domain.errors import BadInput, InterlockError, NotFound
from interlock.domain.ids import CallId, ToolName, checked_id
from interlock.domain.trace_context import TraceContext
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.server.guard import CALLER, Caller, body_of
from interlock.server.problems import JSON, Headers, failure_of, send_bytes, send_empty
from interlock.server.refusals import UnsupportedContent
from interlock.server.tools import meta
from interlock.server.tools.listing import Lister
from interlock.server.tools.meta import said
from interlock.server.tools.outcomes import failed_result, tool_result
from interlock.server.tools.ports import Gate, Runs
from interlock.server.tools.protocol import REVISIONS, Asked, RpcFault, asked_in, fault_of, revision_of
from interlock.server.tools.runs import RunFinder
from interlock.server.tools.sessions import McpSession, new_session, run_of, session_of
from interlock.server.tracing import trace_in, trace_in_meta
from interlock.tools.mcp_words import (
    CLIENT_CAPABILITIES_META_KEY,
    HANDSHAKE_PROTOCOL_VERSIONS,
    INVALID_PARAMS,
    LATEST_HANDSHAKE_VERSION,
    METHOD_NOT_FOUND,
    MODERN_PROTOCOL_VERSIONS,
    PARSE_ERROR,
    SERVER_INFO_META_KEY,
    URL_ELICITATION_REQUIRED,
)

SERVER_INFO = {"name": "interlock", "title": "Interlock", "version": "0.1.0"}
INSTRUCTIONS = (
    "Every call here is checked before it is made. A result with status 'pending' waits for a person: tell the user, "
    "and make the very same call again later to get its result. A refusal says why and what to do; "
    "do not look for a way around it."
)
_STATE = "call:"
_TEXT_JSON = (b"application/json", b"application/json; charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request with all that its answer depends on."""

    asked: Asked
    revision: str
    caller: Caller
    session: McpSession | None
    trace: TraceContext | None

    @property
    def modern(self) -> bool:
        """Whether the revision is one without sessions."""
        return self.revision in MODERN_PROTOCOL_VERSIONS


class McpEndpoint:
    """Serves POST and DELETE at one path; runs behind the door, as a route for agents."""

    def __init__(self, gate: Gate, runs: Runs, finder: RunFinder, *, approvals_url: str | None = None) -> None:
        """`approvals_url` is where people decide, without the approval's id; None when there is no such page."""
        self._gate = gate
        self._runs = runs
        self._finder = finder
        self._lister = Lister()
        self._approvals_url = approvals_url
        self._methods: dict[str, Callable[[_Turn], Awaitable[dict[str, Json]]]] = {
            "tools/call": self._call,
            "tools/list": self._list,
            "ping": self._ping,
            "server/discover": self._discover,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        caller: Caller = scope[CALLER]
        if scope["method"] == "DELETE":
            await self._end(headers, caller)
            await send_empty(send, 204)
            return
        if headers.get(b"content-type", b"").lower() not in _TEXT_JSON:
            raise UnsupportedContent("The body is not declared as JSON", do="Send Content-Type: application/json")
        asked: Asked | None = None
        try:
            asked = asked_in(parse_json(await body_of(receive)))
            if asked is None or (asked.id is None and revision_of(asked, headers)):
                await send_empty(send, 202)
                return
            await self._answer(asked, headers, caller, send)
        except RpcFault as fault:
            await _send_fault(send, asked, fault)
        except BadInput as error:
            await _send_fault(send, asked, fault_of(error))

    async def _answer(self, asked: Asked, headers: dict[bytes, bytes], caller: Caller, send: Send) -> None:
        if asked.method == "initialize":
            result, session = await self._initialize(asked, caller, _trace(asked, headers))
            more: Headers = ((b"mcp-session-id", session.id.encode()),)
            await _send_result(send, asked, result, more)
            return
        revision = revision_of(asked, headers)
        turn = _Turn(asked, revision, caller, _session_in(headers, revision), _trace(asked, headers))
        method = self._methods.get(asked.method)
        try:
            if method is None:
                raise RpcFault(METHOD_NOT_FOUND, "Method not found")
            result = await method(turn)
        except (RpcFault, BadInput) as error:
            fault = error if isinstance(error, RpcFault) else fault_of(error)
            if not turn.modern:
                # Older clients read the JSON-RPC error only from a 200.
                fault.status = 200
            raise fault from None
        if turn.modern:
            result.setdefault("resultType", "complete")
            result["_meta"] = {**result.get("_meta", {}), SERVER_INFO_META_KEY: SERVER_INFO}
        await _send_result(send, asked, result)

    async def _initialize(
        self, asked: Asked, caller: Caller, trace: TraceContext | None
    ) -> tuple[dict[str, Json], McpSession]:
        wanted = asked.params.get("protocolVersion")
        revision = wanted if wanted in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION
        session = new_session(revision, opens_urls=_opens_urls(asked.params.get("capabilities")))
        told = said(asked.meta)
        if told.entries:
            await self._finder.find(caller, told, session, trace)
        result: dict[str, Json] = {
            "protocolVersion": revision,
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": SERVER_INFO,
            "instructions": INSTRUCTIONS,
        }
        return result, session

    async def _discover(self, turn: _Turn) -> dict[str, Json]:
        self._finder.begin(turn.caller)
        return {
            "supportedVersions": list(REVISIONS),
            "capabilities": {"tools": {"listChanged": False}},
            "instructions": INSTRUCTIONS,
            "ttlMs": 0,
            "cacheScope": "private",
        }

    async def _ping(self, turn: _Turn) -> dict[str, Json]:
        del turn
        return {}

    async def _list(self, turn: _Turn) -> dict[str, Json]:
        page = self._lister.page(self._gate.tools_for(turn.caller.principal), turn.asked.params.get("cursor"))
        return page | {"ttlMs": 0, "cacheScope": "private"} if turn.modern else page

    async def _call(self, turn: _Turn) -> dict[str, Json]:
        params = turn.asked.params
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict | None):
            raise RpcFault(INVALID_PARAMS, "tools/call takes a name and an object of arguments")
        resumed = _resumed(params.get("requestState"))
        try:
            answer = await self._gate.call(await self._request(turn, name, arguments or {}, resumed))
        except InterlockError as error:
            return failed_result(failure_of(error))
        if answer.status is CallStatus.PENDING and resumed is None and self._approvals_url is not None:
            return self._ask(turn, answer) or tool_result(answer)
        return tool_result(answer)

    async def _request(self, turn: _Turn, name: str, arguments: JsonObject, resumed: str | None) -> CallRequest:
        told = said(turn.asked.meta)
        named = told.text(meta.CALL_ID) or resumed
        return CallRequest(
            principal=turn.caller.principal,
            run=await self._finder.find(turn.caller, told, turn.session, turn.trace),
            tool=ToolName(name),
            arguments=arguments,
            call=CallId(checked_id(named, "call id")) if named else None,
            reason=told.text(meta.REASON) or "",
            proposal=told.text(meta.PROPOSAL),
            constraints=told.mapping(meta.CONSTRAINTS) or {},
            requires_approval=told.flag(meta.REQUIRES_APPROVAL),
            dry_run=told.flag(meta.DRY_RUN),
            trace=turn.trace,
        )

    def _ask(self, turn: _Turn, answer: CallAnswer) -> dict[str, Json] | None:
        """Return, for a client that can show the user a page, the request to show where the call is decided."""
        message = "A person has to approve this call. Open the page to see it and decide."
        shown = {"mode": "url", "message": message, "url": f"{self._approvals_url}/{answer.approval}"}
        if turn.modern:
            declared = turn.asked.meta
            if not isinstance(declared, dict) or not _opens_urls(declared.get(CLIENT_CAPABILITIES_META_KEY)):
                return None
            return {
                "resultType": "input_required",
                "inputRequests": {"approval": {"method": "elicitation/create", "params": shown}},
                "requestState": f"{_STATE}{answer.key.call}",
            }
        session = turn.session
        if session is not None and session.opens_urls and session.revision == LATEST_HANDSHAKE_VERSION:
            elicitation = {**shown, "elicitationId": answer.approval}
            raise RpcFault(URL_ELICITATION_REQUIRED, message, {"elicitations": [elicitation]})
        return None

    async def _end(self, headers: dict[bytes, bytes], caller: Caller) -> None:
        session = session_of(headers.get(b"mcp-session-id", b"").decode("latin-1"))
        if session is None:
            raise UnknownSession("There is no such MCP session", do="Begin a new one with initialize")
        if caller.principal.scope is None:
            try:
                await self._runs.close(caller.principal, run_of(session, caller))
            except NotFound:
                # The session never called a tool, so it has no run.
                return


class UnknownSession(NotFound):
    """The MCP session is not one that this server began; nothing ran."""

    code = "unknown_session"


def _session_in(headers: dict[bytes, bytes], revision: str) -> McpSession | None:
    raw = headers.get(b"mcp-session-id")
    if raw is None or revision in MODERN_PROTOCOL_VERSIONS:
        return None
    session = session_of(raw.decode("latin-1"))
    if session is None:
        raise UnknownSession("There is no such MCP session", do="Begin a new one with initialize")
    return session


def _trace(asked: Asked, headers: dict[bytes, bytes]) -> TraceContext | None:
    """Return the caller's span: as the message says it, else as the request around it does."""
    return trace_in_meta(asked.meta) or trace_in(headers)


def _opens_urls(capabilities: Json) -> bool:
    elicitation = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict)


def _resumed(state: Json) -> str | None:
    if state is None:
        return None
    if not isinstance(state, str) or not state.startswith(_STATE):
        raise RpcFault(INVALID_PARAMS, "The requestState is not one that this server gave out")
    return state.removeprefix(_STATE)


async def _send_result(send: Send, asked: Asked, result: JsonObject, headers: Headers = ()) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": asked.id, "result": result})
    await send_bytes(send, 200, body, JSON, headers)


async def _send_fault(send: Send, asked: Asked | None, fault: RpcFault) -> None:
    error: dict[str, Json] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    known = asked.id if asked is not None and fault.code != PARSE_ERROR else None
    await send_bytes(send, fault.status, orjson.dumps({"jsonrpc": "2.0", "id": known, "error": error}), JSON)
