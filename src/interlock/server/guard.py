"""The door: every request is checked for size, Host, Origin and bearer before anything else sees it."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.domain.canonical import MAX_BYTES
from interlock.domain.errors import BadInput, InterlockError, TooLarge, Unauthenticated, UntrustedOrigin
from interlock.domain.identity import Principal
from interlock.server.problems import send_problem

Authenticate = Callable[[str], Awaitable[Principal]]
"""Returns who bears a token. Raises Unauthenticated."""

ANONYMOUS = frozenset({"/healthz", "/readyz"})
"""The only paths that answer without a bearer."""
CALLER = "interlock.caller"
"""Key of the scope under which routes find the `Caller`."""

_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_DRAINED = 8 << 20
_DRAIN_S = 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What the door lets through."""

    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    """Names by which clients may address us, in lower case; `name:port` for one port only."""
    origins: frozenset[str] = frozenset()
    """Web origins, such as `https://ops.example.com`, whose pages may call besides our own."""
    max_body: int = MAX_BYTES
    """The longest request body, in bytes."""
    max_headers: int = 32 << 10
    """How long all header lines may be together, in bytes."""
    max_header_lines: int = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """Who came through the door."""

    principal: Principal
    credential: str
    """SHA-256 of the bearer token: tells credentials apart without keeping them."""


class InternalError(InterlockError):
    """Something in Interlock itself failed; what was under way is recorded as far as it came."""

    code = "internal_error"


class Guard:
    """Wraps the whole application. Whatever goes wrong inside leaves as a problem document, never as a trace."""

    def __init__(self, app: ASGIApp, rules: DoorRules, authenticate: Authenticate) -> None:
        self._app = app
        self._rules = rules
        self._authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            caller, length = await self._admit(scope)
            scope[CALLER] = caller
            await self._app(scope, _bounded(receive, self._rules.max_body, length), watched)
        except InterlockError as error:
            if not started:
                if error.status == TooLarge.status:
                    await _drain(receive)
                await send_problem(send, error)
        except Exception:  # noqa: BLE001 - the last stop before the wire: nothing of it may reach the caller
            _LOG.exception("A request failed inside Interlock")
            if not started:
                await send_problem(
                    send, InternalError("Interlock failed while serving the request", do="Look into its log")
                )

    async def _admit(self, scope: Scope) -> tuple[Caller | None, int]:
        """Return who calls, and how long the body says it is. Raises what the caller is to be told."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > self._rules.max_header_lines or _length(headers) > self._rules.max_headers:
            raise HeadersTooLarge("The request's headers are too large", do="Send fewer and shorter headers")
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _SINGLE and name in found:
                raise BadInput(f"The header {name.decode('latin-1')} stands twice", do="Send it once")
            found[name] = value
        host = self._checked_host(found.get(b"host"))
        self._check_origin(found.get(b"origin"), host, scope.get("scheme", "http"))
        length = _body_length(found.get(b"content-length"), self._rules.max_body)
        if scope["path"] in ANONYMOUS and scope["method"] in ("GET", "HEAD"):
            return None, length
        match = _BEARER.fullmatch(found.get(b"authorization", b""))
        if match is None:
            raise Unauthenticated(
                "The request carries no bearer token", do="Send Authorization: Bearer <key or run token>"
            )
        token = match[1].decode("ascii")
        principal = await self._authenticate(token)
        return Caller(principal, hashlib.sha256(match[1]).hexdigest()), length

    def _checked_host(self, raw: bytes | None) -> str:
        host = (raw or b"").decode("latin-1").lower()
        match = _HOST.fullmatch(host)
        if match is None or (match["name"] not in self._rules.hosts and host not in self._rules.hosts):
            raise UntrustedOrigin(
                "The Host header is not one that this server answers to",
                why="a web page could otherwise reach it under a name of its own",
                do="Use a configured address, or add this one to server.allowed_hosts",
            )
        return host

    def _check_origin(self, raw: bytes | None, host: str, scheme: str) -> None:
        if raw is None:
            return
        origin = raw.decode("latin-1").lower()
        if origin != f"{scheme}://{host}" and origin not in self._rules.origins:
            raise UntrustedOrigin(
                "The Origin header names a web page that may not call this server",
                do="Add the page's origin to server.allowed_origins if it may",
            )


class HeadersTooLarge(TooLarge):
    """The request's header lines are more or longer than the limit; nothing ran."""

    code = "headers_too_large"
    status = 431


_SINGLE = frozenset(
    {b"host", b"origin", b"authorization", b"content-length", b"content-type", b"mcp-session-id"}
    | {b"mcp-protocol-version", b"mcp-method", b"mcp-name"}
)


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    return sum([len(name) + len(value) for name, value in headers])


def _body_length(raw: bytes | None, limit: int) -> int:
    if raw is None:
        return -1
    if not raw.isdigit() or len(raw) > 18:
        raise BadInput("The Content-Length header is not a number")
    if int(raw) > limit:
        raise _too_long(limit)
    return int(raw)


def _bounded(receive: Receive, limit: int, length: int) -> Receive:
    if length >= 0:
        # The server holds the client to the length that it declared.
        return receive
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _too_long(limit)
        return message

    return bounded


async def _drain(receive: Receive) -> None:
    """Read on for a while and throw it away: a client that is still sending would not see the answer."""
    left = _DRAINED
    try:
        async with asyncio.timeout(_DRAIN_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _too_long(limit: int) -> TooLarge:
    return TooLarge("The request body is too long", why=f"the limit is {limit} bytes", do="Send less")


async def body_of(receive: Receive) -> bytes:
    """Return the whole request body; the door has bounded it. Raises BadInput when the client went away."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        return body
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise BadInput("The client went away before its request was complete")
