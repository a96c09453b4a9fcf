"""An operation of the API: what it is called, who may use it, what comes in, what goes out, and what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive, Scope, Send

from interlock.domain.canonical import Json, parse_json
from interlock.domain.errors import BadInput
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import checked_id
from interlock.domain.trace_context import TraceContext
from interlock.gateway.desks import Desks
from interlock.server.api.shapes import read, read_query
from interlock.server.guard import CALLER, Caller, body_of
from interlock.server.problems import JSON, send_bytes, send_empty
from interlock.server.refusals import UnsupportedContent
from interlock.server.routing import GuardedRoute
from interlock.server.tracing import trace_in

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to an operation, read and typed."""

    desks: Desks
    principal: Principal
    path: dict[str, str]
    query: Any
    body: Any
    bearer: str
    """The caller's own secret, for what it does to its own token."""
    trace: TraceContext | None = None
    """The caller's span, where the caller is traced."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the reference says of an operation."""

    method: str
    path: str
    name: str
    """Unique and stable; the operationId."""
    sentence: str
    roles: frozenset[Role] | None
    """Callers need one of these; None for health, which answers everyone."""
    query: type = Nothing
    body: type = Nothing
    body_needed: bool = True
    """False where nothing may be sent in place of a body."""
    answer: type = Nothing
    status: int = 200
    """Of a success."""
    tag: str = ""
    extras: dict[str, Json] = field(default_factory=dict)
    """Further parts of the OpenAPI operation."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A description, and what carries it out."""

    description: Description
    act: Callable[[Asked], Awaitable[object]]
    """Returns the answer, or None for an empty one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose status differs from the description's."""

    status: int
    document: Json


def route(operation: Operation, desks: Desks) -> GuardedRoute:
    """Return the route that serves `operation` over `desks`."""
    described = operation.description
    endpoint = Endpoint(operation, desks)
    return GuardedRoute(described.path, frozenset({described.method}), described.roles, endpoint)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Reads a request, acts, renders. Errors leave as they are; the door renders them."""

    operation: Operation
    desks: Desks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        described = self.operation.description
        answer = await self.operation.act(await self._asked(scope, receive))
        if isinstance(answer, Reply):
            await send_bytes(send, answer.status, _written(answer.document), JSON)
        elif answer is None:
            await send_empty(send, 204)
        else:
            await send_bytes(send, described.status, _written(answer), JSON)

    async def _asked(self, scope: Scope, receive: Receive) -> Asked:
        described = self.operation.description
        caller: Caller = scope[CALLER]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        query: object = read_query(described.query, _pairs(scope["query_string"]))
        body: object = read(described.body, await _body(headers, receive, needed=_needs_body(described)))
        path = {name: checked_id(text, name) for name, text in scope.get("path_params", {}).items()}
        bearer = headers.get(b"authorization", b"").decode("ascii").partition(" ")[2].strip()
        return Asked(self.desks, caller.principal, path, query, body, bearer, trace_in(headers))


def _needs_body(described: Description) -> bool:
    return described.body is not Nothing and described.body_needed


async def _body(headers: dict[bytes, bytes], receive: Receive, *, needed: bool) -> Json:
    raw = await body_of(receive)
    if not raw and not needed:
        return {}
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise UnsupportedContent("The body is not declared as JSON", do="Send Content-Type: application/json")
    return parse_json(raw)


def _written(answer: object) -> bytes:
    # Some documents hold read-only mappings and tuples of the domain, which orjson asks about.
    return orjson.dumps(answer, default=dict)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=50,
        )
    except (ValueError, UnicodeError):
        raise BadInput(
            "The query of the URL cannot be read", do="Send name=value&name=value, percent-encoded"
        ) from None
