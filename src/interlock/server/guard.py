"""The door: every request is checked for size, Host, Origin and bearer before anything else sees it."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.domain.canonical import MAX_BYTES
from interlock.domain.errors import BadInput, InterlockError, InternalError, TooLarge, Unauthenticated, UntrustedOrigin
from interlock.domain.identity import Principal
from interlock.server.problems import send_problem
from interlock.server.refusals import HeadersTooLarge, headers_of

Authenticate = Callable[[str], Awaitable[Principal]]
"""Returns who bears a token. Raises Unauthenticated."""
Tell = Callable[[Scope, Send, InterlockError], Awaitable[None]]
"""Answers a request with an error, in the form that the clients of a surface expect."""

ANONYMOUS = frozenset({"/healthz", "/readyz"})
"""The only paths that always answer without a bearer."""
CALLER = "interlock.caller"
"""Key of the scope under which routes find the `Caller`."""
HEADERS = "interlock.headers"
"""Key of the scope under which routes find the headers as a dict; lines of one name are joined by commas."""

_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)
_KEY = re.compile(rb"[A-Za-z0-9._~+/=-]{1,512}")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_DRAINED = 8 << 20
"""How much of a body is read beyond the limit, in bytes, so that its client comes to read the answer."""
_DRAIN_S = 5.0
_HOSTS_KNOWN = 64
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What the door lets through."""

    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    """Names by which clients may address us, in lower case; `name:port` for one port only."""
    origins: frozenset[str] = frozenset()
    """Web origins, such as `https://ops.example.com`, whose pages may call besides our own."""
    max_body: int = MAX_BYTES
    """The longest request body, in bytes, where a surface does not say otherwise."""
    max_headers: int = 32 << 10
    """How long all header lines may be together, in bytes."""
    max_header_lines: int = 100
    anonymous: frozenset[str] = ANONYMOUS
    """The paths that answer without a bearer."""


@dataclass(frozen=True, slots=True)
class Surface:
    """How the door treats the requests to one group of paths."""

    tell: Tell
    max_body: int
    """The longest request body, in bytes."""
    api_keys: bool = False
    """Whether the bearer may also come as `x-api-key`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who came through the door."""

    principal: Principal
    credential: str
    """SHA-256 of the bearer token: tells credentials apart without keeping them."""


class Guard:
    """Wraps the whole application. Whatever goes wrong inside leaves as a typed error, never as a trace."""

    def __init__(
        self,
        app: ASGIApp,
        rules: DoorRules,
        authenticate: Authenticate,
        surface_of: Callable[[str], Surface | None] = lambda _: None,
    ) -> None:
        """`surface_of` returns the surface of a path, or None where errors are problem documents."""
        self._app = app
        self._rules = rules
        self._authenticate = authenticate
        self._surface_of = surface_of
        self._plain = Surface(_tell_problem, rules.max_body)
        self._hosts_known: dict[bytes, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        surface = self._surface_of(scope["path"]) or self._plain
        started, unread, source = False, True, receive

        def watched(message: Message) -> Awaitable[None]:
            nonlocal started
            started = True
            return send(message)

        try:
            length = await self._admit(scope, surface)
            # The server holds the client to the length that it declared.
            source = receive if length >= 0 else _Bounded(receive, surface.max_body)
            unread = False
            await self._app(scope, source, watched)
        except InterlockError as error:
            if started:
                # The server sees an answer without an end and breaks the connection off.
                _LOG.warning("An answer broke off: %s", error)
                return
            if error.status == TooLarge.status and (unread or (isinstance(source, _Bounded) and not source.ended)):
                await _drain(receive, surface.max_body + _DRAINED)
            await surface.tell(scope, send, error)
        except Exception:  # noqa: BLE001 - the last stop before the wire: nothing of it may reach the caller
            _LOG.exception("A request failed inside Interlock")
            if not started:
                failed = InternalError("Interlock failed while serving the request", do="Look into its log")
                await surface.tell(scope, send, failed)

    async def _admit(self, scope: Scope, surface: Surface) -> int:
        """Leave in `scope` who calls; return how long the body says it is. Raises what the caller is to be told."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        found: dict[bytes, bytes] = {}
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            found[name] = _joined(name, found[name], value) if name in found else value
        if size > self._rules.max_headers or len(headers) > self._rules.max_header_lines:
            raise HeadersTooLarge("The request's headers are too large", do="Send fewer and shorter headers")
        scope[HEADERS] = found
        host = self._checked_host(found.get(b"host"))
        self._check_origin(found.get(b"origin"), host, scope.get("scheme", "http"))
        length = _body_length(found.get(b"content-length"), surface.max_body)
        if scope["path"] in self._rules.anonymous and scope["method"] in ("GET", "HEAD"):
            scope[CALLER] = None
            return length
        token = _bearer(found, api_keys=surface.api_keys)
        principal = await self._authenticate(token.decode("ascii"))
        scope[CALLER] = Caller(principal, hashlib.sha256(token).hexdigest())
        return length

    def _checked_host(self, raw: bytes | None) -> str:
        known = self._hosts_known.get(raw or b"")
        if known is not None:
            return known
        host = (raw or b"").decode("latin-1").lower()
        match = _HOST.fullmatch(host)
        if match is None or (match["name"] not in self._rules.hosts and host not in self._rules.hosts):
            raise UntrustedOrigin(
                "The Host header is not one that this server answers to",
                why="a web page could otherwise reach it under a name of its own",
                do="Use a configured address, or add this one to server.allowed_hosts",
            )
        if raw is not None and len(self._hosts_known) < _HOSTS_KNOWN:
            self._hosts_known[raw] = host
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


_SINGLE = frozenset(
    {b"host", b"origin", b"authorization", b"content-length", b"content-type", b"mcp-session-id"}
    | {b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"x-api-key"}
)
_OURS = b"x-interlock-"


def _joined(name: bytes, one: bytes, other: bytes) -> bytes:
    """Return two lines of one name as one. Raises BadInput where only one can be meant."""
    if name in _SINGLE or name.startswith(_OURS):
        raise BadInput(f"The header {name.decode('latin-1')} stands twice", do="Send it once")
    return one + b", " + other


def _bearer(found: dict[bytes, bytes], *, api_keys: bool) -> bytes:
    """Return the bearer token. Raises Unauthenticated where there is none, BadInput where there are two."""
    said = found.get(b"authorization")
    match = _BEARER.fullmatch(said) if said is not None else None
    key = found.get(b"x-api-key") if api_keys else None
    if key is not None and (said is None or (match is not None and match[1] == key)):
        match = _KEY.fullmatch(key)
        if match is not None:
            return match[0]
    elif key is not None:
        raise BadInput(
            "Authorization and x-api-key say different things", do="Send one of them, or the same key in both"
        )
    if match is None:
        means = "Authorization: Bearer <key or run token>" + (", or the same as x-api-key" if api_keys else "")
        raise Unauthenticated("The request carries no bearer token", do=f"Send {means}")
    return match[1]


def _body_length(raw: bytes | None, limit: int) -> int:
    if raw is None:
        return -1
    if not raw.isdigit() or len(raw) > 18:
        raise BadInput("The Content-Length header is not a number")
    if int(raw) > limit:
        raise _too_long(limit)
    return int(raw)


class _Bounded:
    """Receives a body of unstated length, up to a limit."""

    __slots__ = ("_left", "_limit", "_receive", "ended")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = self._limit = limit
        self.ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self.ended = not message.get("more_body", False)
            if self._left < 0:
                raise _too_long(self._limit)
        return message


async def _tell_problem(scope: Scope, send: Send, error: InterlockError) -> None:
    del scope
    await send_problem(send, error, headers_of(error))


async def _drain(receive: Receive, left: int) -> None:
    """Read up to `left` bytes and throw them away: a client that is still sending would not see the answer."""
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
