"""Which path leads where, and which roles may go there; a route without roles declared does not exist."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.domain.errors import Forbidden, InterlockError, NotFound, Unauthenticated
from interlock.domain.identity import Role
from interlock.server.guard import ANONYMOUS, CALLER
from interlock.server.problems import send_problem


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """One resource. Its methods, whom it serves, and what serves it."""

    path: str
    """May hold parameters, `/v1/tool-calls/{run}/{call_id}`."""
    methods: frozenset[str]
    roles: frozenset[Role] | None
    """Callers need one of these; None for what is open to everyone, which only the door's anonymous paths may be."""
    endpoint: ASGIApp


class MethodNotAllowed(InterlockError):
    """The resource exists and does not know this method; nothing ran."""

    code = "method_not_allowed"
    status = 405


class Routes:
    """Leads each request to its route, after checking the caller's roles for the very route that matched."""

    def __init__(self, routes: Sequence[GuardedRoute]) -> None:
        """Raises ValueError for a route that would be open to everyone."""
        self._exact: dict[str, list[GuardedRoute]] = {}
        self._patterns: list[tuple[re.Pattern[str], GuardedRoute]] = []
        for route in routes:
            if (route.roles is None) is not (route.path in ANONYMOUS):
                raise ValueError(f"{route.path}: only {sorted(ANONYMOUS)} may be open to everyone, and they are")
            if "{" in route.path:
                self._patterns.append((compile_path(route.path)[0], route))
            else:
                self._exact.setdefault(route.path, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        found = self._match(scope)
        methods = {method for route, _ in found for method in route.methods}
        if not found:
            raise NotFound("There is nothing at this path")
        for route, parameters in found:
            if scope["method"] in route.methods:
                _authorise(route, scope)
                scope["path_params"] = parameters
                await route.endpoint(scope, receive, send)
                return
        allow = (b"allow", ", ".join(sorted(methods)).encode())
        await send_problem(send, MethodNotAllowed("This path does not know that method"), (allow,))

    def _match(self, scope: Scope) -> list[tuple[GuardedRoute, dict[str, str]]]:
        """Return the routes of the path, each with its parameters."""
        path = scope["path"]
        if (exact := self._exact.get(path)) is not None:
            return [(route, {}) for route in exact]
        # Matched as it was sent: an id may hold a `/`, which comes percent-encoded and separates nothing.
        raw = scope.get("raw_path")
        sent = raw.decode("latin-1") if raw else quote(path)
        matches = ((route, pattern.fullmatch(sent)) for pattern, route in self._patterns)
        return [
            (route, {name: unquote(text) for name, text in match.groupdict().items()})
            for route, match in matches
            if match is not None
        ]


def _authorise(route: GuardedRoute, scope: Scope) -> None:
    if route.roles is None:
        return
    caller = scope.get(CALLER)
    if caller is None:
        raise Unauthenticated("The request carries no bearer token")
    if not any(caller.principal.may(role) for role in route.roles):
        needed = ", ".join(sorted(route.roles))
        raise Forbidden("This key may not do that", why=f"it takes one of the roles {needed}", do="Use another key")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
