"""Remember for a moment whom a bearer token proved to be, so that not every call of a run asks the store."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interlock.domain.identity import Principal, Role
from interlock.server.guard import Authenticate

FOR_S = 0.5
"""How long a key that was revoked in another process may still be let in by this one."""
_REMEMBERED = 10_000


class RememberedBearers:
    """Wraps `authenticate`. Only the proof of an agent is remembered, never a refusal; and no token, only its hash."""

    def __init__(
        self, authenticate: Authenticate, for_s: float = FOR_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._authenticate = authenticate
        self._for_s = for_s
        self._now = now
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def forget(self) -> None:
        """Ask anew for everyone: a key or a token may just have been revoked."""
        self._known.clear()

    async def __call__(self, token: str) -> Principal:
        """Return who bears `token`. Raises Unauthenticated."""
        key = hashlib.sha256(token.encode()).digest()
        now = self._now()
        found = self._known.get(key)
        if found is not None and now < found[1]:
            return found[0]
        self._known.pop(key, None)
        principal = await self._authenticate(token)
        if Role.AGENT in principal.roles:
            self._known[key] = (principal, now + self._for_s)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return principal


class Forgetting:
    """Wraps the routes: after every change made through the management API, bearers are asked for anew."""

    def __init__(self, app: ASGIApp, bearers: RememberedBearers) -> None:
        self._app = app
        self._bearers = bearers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        changes = scope["type"] == "http" and scope["method"] != "GET" and scope["path"].startswith("/api/")
        if not changes:
            await self._app(scope, receive, send)
            return

        async def forgetful(message: Message) -> None:
            # Before the answer leaves, so that whoever reads it finds the change in force.
            self._bearers.forget()
            await send(message)

        await self._app(scope, receive, forgetful)
