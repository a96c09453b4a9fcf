"""The whole server: every route behind the one door."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.gateway.desks import Desks
from interlock.server.api.audit import audit_routes
from interlock.server.api.openapi import reference
from interlock.server.api.operations import route
from interlock.server.api.surfaces import EVERYONE, REFERENCE
from interlock.server.api.table import OPERATIONS
from interlock.server.bearers import Forgetting, RememberedBearers
from interlock.server.guard import ANONYMOUS, Authenticate, DoorRules, Guard
from interlock.server.health import Readiness, healthz
from interlock.server.metrics import PATH, metrics_route
from interlock.server.models.routes import model_routes, model_surfaces
from interlock.server.problems import JSON, send_bytes
from interlock.server.routing import GuardedRoute, Routes
from interlock.server.tools.routes import tool_routes
from interlock.server.traces import TraceIntake, trace_route, with_traces

_READS = frozenset({"GET", "HEAD"})


def build_app(
    desks: Desks,
    rules: DoorRules,
    *,
    authenticate: Authenticate | None = None,
    approvals_url: str | None = None,
    metrics: Callable[[], bytes] | None = None,
    traces: TraceIntake | None = None,
) -> ASGIApp:
    """Return the ASGI application over `desks`.

    `authenticate` takes the place of `desks.access.authenticate`, whose proofs are remembered for a moment;
    `approvals_url` is where people decide; `metrics` returns what stands at /metrics, which is not there without it;
    `traces` takes spans in at /v1/traces, which is not there without it.
    """
    public = metrics is not None and PATH in rules.anonymous
    counted = () if metrics is None else (metrics_route(metrics, public=public),)
    anonymous = rules.anonymous if public else ANONYMOUS
    taken = () if traces is None else (trace_route(traces),)
    routes = Routes((*all_routes(desks, approvals_url=approvals_url), *counted, *taken), anonymous)
    surfaces = with_traces(model_surfaces())
    if authenticate is not None:
        return Guard(routes, rules, authenticate, surfaces)
    bearers = RememberedBearers(desks.access.authenticate)
    return Guard(Forgetting(routes, bearers), rules, bearers, surfaces)


def all_routes(desks: Desks, *, approvals_url: str | None = None) -> tuple[GuardedRoute, ...]:
    """Return every route of the server."""
    document = Document(orjson.dumps(reference()))
    return (
        *model_routes(desks.models),
        *tool_routes(desks.gate, desks.runs, approvals_url=approvals_url),
        *(route(operation, desks) for operation in OPERATIONS),
        *audit_routes(desks),
        GuardedRoute(REFERENCE, frozenset({"GET"}), EVERYONE, document),
        GuardedRoute("/healthz", _READS, None, healthz),
        GuardedRoute("/readyz", _READS, None, Readiness(desks)),
    )


@dataclass(frozen=True, slots=True)
class Document:
    """Serves bytes that never change."""

    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        del scope, receive
        await send_bytes(send, 200, self.body, JSON)
