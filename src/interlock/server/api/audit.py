"""The audit log over HTTP, in the forms that its standards fix: checkpoint, proofs and tiles (C2SP), and the whole as a ZIP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import checked_id
from interlock.gateway.desks import Desks
from interlock.server.api.operations import PREFIX, Description
from interlock.server.guard import CALLER, Caller
from interlock.server.problems import send_bytes
from interlock.server.routing import GuardedRoute

_AUDITORS = frozenset({Role.AUDITOR})
_TEXT = b"text/plain; charset=utf-8"
_BYTES = b"application/octet-stream"
_ZIP = b"application/zip"


def _described(path: str, name: str, sentence: str, kind: bytes) -> Description:
    schema: Json = {"type": "string"} if kind is _TEXT else {"type": "string", "format": "binary"}
    problem: Json = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: dict[str, Json] = {
        "200": {"description": sentence, "content": {kind.decode().partition(";")[0]: {"schema": schema}}},
        "default": {"description": "What was refused, and why.", "content": problem},
    }
    return Description("GET", f"{PREFIX}/audit{path}", name, sentence, _AUDITORS, extras={"responses": responses})


DESCRIPTIONS = (
    _described(
        "/checkpoint",
        "showCheckpoint",
        "Show the latest signed checkpoint of the audit log (C2SP tlog-checkpoint, a signed note).",
        _TEXT,
    ),
    _described(
        "/proofs/{event}",
        "proveEvent",
        "Prove that one entry is in the log (C2SP tlog-proof); `event` is the id of an event or an index. The entry comes along.",
        _TEXT,
    ),
    _described(
        "/tile/{path}",
        "showTile",
        "Serve a tile of the log, or a bundle of entries: `0/000`, `0/x001/234.p/8`, `entries/000` (C2SP tlog-tiles).",
        _BYTES,
    ),
    _described(
        "/export",
        "exportLog",
        "Stream the log up to its latest checkpoint as a ZIP that can be verified offline: `interlock audit verify FILE`.",
        _ZIP,
    ),
)
"""Every route of the audit log besides the search."""


def audit_routes(desks: Desks) -> tuple[GuardedRoute, ...]:
    """Return the routes."""
    reads = frozenset({"GET"})
    acts = (_checkpoint, _proof, _tile, _export)
    return tuple(
        GuardedRoute(one.path, reads, one.roles, _Endpoint(desks, act), rest=one.path.endswith("/tile/{path}"))
        for one, act in zip(DESCRIPTIONS, acts, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Endpoint:
    desks: Desks
    act: Callable[[Desks, Principal, dict[str, str], Send], Awaitable[None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        del receive
        if scope["query_string"]:
            raise BadInput("This takes no query", do="Leave out everything from the question mark on")
        caller: Caller = scope[CALLER]
        await self.act(self.desks, caller.principal, scope["path_params"], send)


async def _checkpoint(desks: Desks, principal: Principal, path: dict[str, str], send: Send) -> None:
    del path
    note = (await desks.audit.standing(principal)).note
    if note is None:
        raise UnknownRecord("The log has no checkpoint yet", do="Ask again in a second")
    await send_bytes(send, 200, note, _TEXT)


async def _proof(desks: Desks, principal: Principal, path: dict[str, str], send: Send) -> None:
    event = checked_id(path["event"], "event")
    if not (event.startswith("evt_") or (event.isascii() and event.isdigit())):
        raise BadInput("This is neither the id of an event nor an index", do="Search with GET /api/v1/audit")
    (proved,) = await desks.audit.prove(principal, event)
    await send_bytes(send, 200, bytes(proved.proof), _TEXT)


async def _tile(desks: Desks, principal: Principal, path: dict[str, str], send: Send) -> None:
    await send_bytes(send, 200, await desks.audit.tile(principal, f"tile/{path['path']}"), _BYTES)


async def _export(desks: Desks, principal: Principal, path: dict[str, str], send: Send) -> None:
    del path
    chunks = await desks.audit.export_chunks(principal)
    headers = [
        (b"content-type", _ZIP),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-disposition", b'attachment; filename="audit.zip"'),
    ]
    # The first bytes come before the head: what cannot be exported is still told as a problem.
    chunk = await anext(chunks, b"")
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await anext(chunks, b"")
    await send({"type": "http.response.body", "body": b""})
