"""One MCP server over streamable HTTP: sessions where the server wants them, its tools, and calls."""

import asyncio
import itertools
from collections.abc import Callable

import aiohttp

from interlock.adapters.mcp.answers import of_reply, of_status, uncertain
from interlock.adapters.mcp.exchange import CONNECT_S, Came, Exchange, NotReached, pool, told
from interlock.adapters.mcp.found import Listing
from interlock.adapters.mcp.param_headers import Mirrors, header_value, mirrored, mirrors_of
from interlock.adapters.mcp.revisions import CLIENT_INFO, HANDSHAKE, MODERN, Session, handshake, modern
from interlock.adapters.mcp.wire import Garbage, Reply, notification_bytes, request_bytes
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Idempotency
from interlock.domain.errors import InterlockError, ToolUnavailable
from interlock.gateway.ports import Delivery, Invocation, RawAnswer, Secrets, ToolInvoker
from interlock.tools.offers import Offer

LIST_LIMIT = 16 << 20
"""The longest page of tools that is read, in bytes."""
_ENVELOPE = 1 << 16
"""How much longer than its result an answer may be."""
_OPENING_S = 10.0
_LISTING_S = 60.0
_MAX_SESSIONS = 64

_NEVER_LEFT = (NotReached, aiohttp.ClientConnectorError, aiohttp.ClientSSLError, aiohttp.ConnectionTimeoutError)
_BROKE = (TimeoutError, aiohttp.ClientError, OSError, Garbage)


class HttpServer(ToolInvoker):
    """A connection to one configured URL. Make it inside a running event loop; `close` it in the end."""

    def __init__(
        self,
        name: str,
        url: str,
        secrets: Secrets,
        credential: str | None = None,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`credential` refers to the secret for listing, and for contracts that have none of their own."""
        self.name = name
        self._secrets = secrets
        self._credential = credential
        self._http = pool()
        self._exchange = Exchange(url, self._http, on_change)
        self._ids = itertools.count(1)
        self._sessions: dict[str | None, Session] = {}
        self._opening = asyncio.Lock()
        self._mirrors: dict[str, Mirrors] = {}

    async def offers(self) -> tuple[Offer, ...]:
        """Return every tool that the server lists. Raises ToolUnavailable, also for a list that makes no sense."""
        listing = Listing(self.name)
        secret = await self._own_secret()
        try:
            async with asyncio.timeout(_LISTING_S):
                cursor = listing.add(await self._ask("tools/list", {}, secret))
                while cursor is not None:
                    cursor = listing.add(await self._ask("tools/list", {"cursor": cursor}, secret))
        except (NotReached, *_BROKE) as error:
            raise ToolUnavailable(
                f"The MCP server {self.name} could not be asked for its tools",
                why=told(error),
                do="Check that it runs, and its address and credential in the configuration",
            ) from None
        found = listing.offers()
        self._mirrors = {offer.upstream.operation: mirrors_of(offer.input_schema) for offer in found}
        return found

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        sent = False
        try:
            async with asyncio.timeout(invocation.timeout_ms / 1000):
                secret = invocation.secret or await self._own_secret()
                session = await self._session(secret)
                sent = True
                came = await self._call(invocation, session, secret)
                if _session_is_gone(came, session):
                    # The server says that it does not know the session, so nothing ran: once more, in a new one.
                    sent = False
                    session = await self._session(secret, stale=session)
                    sent = True
                    came = await self._call(invocation, session, secret)
        except InterlockError as error:
            return RawAnswer(Delivery.NOT_SENT, detail=str(error))
        except _NEVER_LEFT as error:
            return RawAnswer(Delivery.NOT_SENT, detail=told(error))
        except _BROKE as error:
            return uncertain(told(error)) if sent else RawAnswer(Delivery.NOT_SENT, detail=told(error))
        if came.reply is None or came.status in (401, 403, 429, 503):
            return of_status(came.status)
        return of_reply(came.reply)

    async def listen(self) -> bool:
        """Follow the server's announcements until its stream ends; return False if it makes none."""
        try:
            secret = await self._own_secret()
            session = await self._session(secret)
            if session.modern or not session.announces:
                return False
            return await self._exchange.listen(session.headers | _authorization(secret))
        except (InterlockError, NotReached, *_BROKE):
            return False

    async def close(self) -> None:
        """End the sessions that the server keeps for us, and let go of the connections."""
        for secret, session in self._sessions.items():
            if session.id is not None:
                try:
                    async with asyncio.timeout(2):
                        await self._exchange.end(session.headers | _authorization(secret))
                except _BROKE:
                    continue
        self._sessions = {}
        await self._http.close()

    async def _own_secret(self) -> str | None:
        return await self._secrets.resolve(self._credential) if self._credential else None

    async def _call(self, invocation: Invocation, session: Session, secret: str | None) -> Came:
        contract = invocation.contract
        operation = contract.upstream.operation
        params: dict[str, object] = {"name": operation, "arguments": invocation.arguments}
        meta: dict[str, object] = dict(session.meta)
        headers = session.headers | _authorization(secret)
        if contract.idempotency is Idempotency.HEADER:
            meta[contract.idempotency_name] = invocation.idempotency_key
        if invocation.traceparent:
            # Servers that are traced as web servers look at the header, those that are traced as MCP servers here.
            meta["traceparent"] = headers["traceparent"] = invocation.traceparent
        if meta:
            params["_meta"] = meta
        if session.modern:
            headers["Mcp-Method"] = "tools/call"
            headers["Mcp-Name"] = header_value(operation)
            if mirrors := self._mirrors.get(operation):
                headers |= mirrored(mirrors, invocation.arguments)
        request_id = next(self._ids)
        body = request_bytes(request_id, "tools/call", params)
        limit = contract.max_result_bytes + _ENVELOPE
        # Shorter than the attempt, so that a connection that never came about is known as such.
        connect_s = min(CONNECT_S, invocation.timeout_ms / 1250)
        return await self._exchange.post(body, headers, request_id, limit, connect_s)

    async def _ask(self, method: str, params: JsonObject, secret: str | None) -> JsonObject:
        """Return the result of a request that changes nothing. Raises NotReached for a refusal."""
        session = await self._session(secret)
        came = await self._ask_in(session, method, params, secret)
        if _session_is_gone(came, session):
            session = await self._session(secret, stale=session)
            came = await self._ask_in(session, method, params, secret)
        if came.reply is None or came.reply.result is None:
            raise NotReached(_refusal(came))
        return came.reply.result

    async def _ask_in(self, session: Session, method: str, params: JsonObject, secret: str | None) -> Came:
        headers = session.headers | _authorization(secret)
        if session.modern:
            headers["Mcp-Method"] = method
        sent = {**params, "_meta": session.meta} if session.meta else params
        request_id = next(self._ids)
        return await self._exchange.post(request_bytes(request_id, method, sent), headers, request_id, LIST_LIMIT)

    async def _session(self, secret: str | None, stale: Session | None = None) -> Session:
        """Return a session for this credential, opening one when there is none or only `stale`."""
        session = self._sessions.get(secret)
        if session is not None and session is not stale:
            return session
        async with self._opening:
            session = self._sessions.get(secret)
            if session is None or session is stale:
                session = await self._open(secret)
                while len(self._sessions) >= _MAX_SESSIONS:
                    self._sessions.pop(next(iter(self._sessions)))
                self._sessions[secret] = session
            return session

    async def _open(self, secret: str | None) -> Session:
        """Agree with the server on a revision: the newest by `server/discover`, else by the older handshake."""
        try:
            async with asyncio.timeout(_OPENING_S):
                offered = await self._ask_in(modern(MODERN[-1]), "server/discover", {}, secret)
                if offered.status in (401, 403):
                    raise NotReached(_refusal(offered))
                if (revision := _discovered(offered.reply)) is not None:
                    return modern(revision)
                return await self._shake_hands(secret)
        except _BROKE as error:
            raise NotReached(told(error)) from None

    async def _shake_hands(self, secret: str | None) -> Session:
        params = {"protocolVersion": HANDSHAKE[-1], "capabilities": {}, "clientInfo": CLIENT_INFO}
        request_id = next(self._ids)
        headers = handshake(None, None).headers | _authorization(secret)
        body = request_bytes(request_id, "initialize", params)
        came = await self._exchange.post(body, headers, request_id, LIST_LIMIT)
        if came.reply is None or came.reply.result is None:
            raise NotReached(_refusal(came))
        revision = came.reply.result.get("protocolVersion")
        if revision not in HANDSHAKE:
            raise NotReached("the server speaks no MCP revision that this client knows")
        session = handshake(revision, came.session_id, announces=_announces(came.reply.result))
        await self._exchange.tell(
            notification_bytes("notifications/initialized"), session.headers | _authorization(secret)
        )
        return session


def _discovered(reply: Reply | None) -> str | None:
    """Return the newest session-less revision that the server names, if it names one that we know."""
    named: object = None
    if reply is not None and reply.result is not None:
        named = reply.result.get("supportedVersions")
    elif reply is not None and reply.error is not None and isinstance(reply.error.data, dict):
        named = reply.error.data.get("supported")
    known = [revision for revision in MODERN if isinstance(named, list) and revision in named]
    return known[-1] if known else None


def _announces(result: JsonObject) -> bool:
    capabilities = result.get("capabilities")
    tools = capabilities.get("tools") if isinstance(capabilities, dict) else None
    return isinstance(tools, dict) and tools.get("listChanged") is True


def _session_is_gone(came: Came, session: Session) -> bool:
    if session.id is None:
        return False
    if came.status == 404:
        return True
    # Some servers say 400 where the specification says 404; the words tell the two apart.
    error = came.reply.error if came.reply is not None else None
    return came.status == 400 and error is not None and error.code == -32000 and "session" in error.message.lower()


def _authorization(secret: str | None) -> dict[str, str]:
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def _refusal(came: Came) -> str:
    if came.status in (401, 403):
        return f"the server refuses the credential (HTTP {came.status})"
    if came.reply is not None and came.reply.error is not None:
        return f"the server answers with JSON-RPC error {came.reply.error.code}"
    return f"the server answers with HTTP {came.status}"
