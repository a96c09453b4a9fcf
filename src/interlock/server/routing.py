"""Which path leads where, and which roles may go there; a route without roles declared does not exist."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.domain.errors import Forbidden, NotFound, Unauthenticated
from interlock.domain.identity import Role
from interlock.server.guard import ANONYMOUS, CALLER
from interlock.server.refusals import MethodNotAllowed

_CLIENTS = ("/chat/completions", "/responses", "/messages", "/embeddings", "/models", "/count_tokens")
"""What clients of models put behind their base URL."""
_ASTRAY = "Look at the client's base URL: OpenAI's ends with /v1, Anthropic's without it"


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """One resource. Its methods, whom it serves, and what serves it."""

    path: str
    """May hold parameters, `/v1/tool-calls/{run}/{call_id}`."""
    methods: frozenset[str]
    roles: frozenset[Role] | None
    """Callers need one of these; None for what is open to everyone, which only the door's anonymous paths may be."""
    endpoint: ASGIApp
    rest: bool = False
    """Whether the parameter at the end of the path takes the rest of it, slashes included."""


class Routes:
    """Leads each request to its route, after checking the caller's roles for the very route that matched."""

    def __init__(self, routes: Sequence[GuardedRoute], anonymous: frozenset[str] = ANONYMOUS) -> None:
        """Raises ValueError for a route that would be open to everyone, or that another stands in the way of."""
        self._exact: dict[str, dict[str, GuardedRoute]] = {}
        self._patterns: list[tuple[re.Pattern[str], GuardedRoute]] = []
        for route in routes:
            if (route.roles is None) is not (route.path in anonymous):
                raise ValueError(f"{route.path}: only {sorted(anonymous)} may be open to everyone, and they are")
            if "{" in route.path:
                whole = route.path.removesuffix("}") + ":path}" if route.rest else route.path
                self._patterns.append((compile_path(whole)[0], route))
                continue
            here = self._exact.setdefault(route.path, {})
            if not route.methods.isdisjoint(here):
                raise ValueError(f"{route.path}: two routes serve the same method")
            here.update(dict.fromkeys(route.methods, route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door. Raises NotFound and MethodNotAllowed."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        here = self._exact.get(scope["path"])
        if here is None:
            route, parameters = self._match(scope)
        else:
            found = here.get(scope["method"])
            if found is None:
                raise MethodNotAllowed(frozenset(here))
            route, parameters = found, {}
        _authorise(route, scope)
        scope["path_params"] = parameters
        await route.endpoint(scope, receive, send)

    def _match(self, scope: Scope) -> tuple[GuardedRoute, dict[str, str]]:
        """Return the route of a path with parameters, and these."""
        # Matched as it was sent: an id may hold a `/`, which comes percent-encoded and separates nothing.
        raw = scope.get("raw_path")
        sent = raw.decode("latin-1") if raw else quote(scope["path"])
        methods: set[str] = set()
        for pattern, route in self._patterns:
            match = pattern.fullmatch(sent)
            if match is None:
                continue
            if scope["method"] in route.methods:
                return route, {name: unquote(text) for name, text in match.groupdict().items()}
            methods |= route.methods
        if methods:
            raise MethodNotAllowed(frozenset(methods))
        raise NotFound("There is nothing at this path", do=_ASTRAY if sent.endswith(_CLIENTS) else "")


def _authorise(route: GuardedRoute, scope: Scope) -> None:
    if route.roles is None:
        return
    caller = scope.get(CALLER)
    if caller is None:
        raise Unauthenticated("The request carries no bearer token")
    principal = caller.principal
    # Holding a role by itself is the everyday case; `may` also knows what `admin` stands for.
    if route.roles.isdisjoint(principal.roles) and not any(principal.may(role) for role in route.roles):
        needed = ", ".join(sorted(route.roles))
        raise Forbidden("This key may not do that", why=f"it takes one of the roles {needed}", do="Use another key")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
