"""POST /v1/traces: spans by OTLP over HTTP, in protobuf or JSON."""

import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.types import Receive, Scope, Send

from interlock.domain.errors import BadInput, InterlockError, TooLarge
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import TenantId
from interlock.gateway.ingest import Behind, Taken
from interlock.server.guard import CALLER, HEADERS, Surface, body_of
from interlock.server.otlp_answers import JSON, PROTOBUF, accepted, refused
from interlock.server.problems import send_bytes
from interlock.server.refusals import UnsupportedContent, headers_of
from interlock.server.routing import GuardedRoute
from interlock.traces.told import Decoder

PATH = "/v1/traces"
SENDERS = frozenset({Role.AGENT, Role.OPERATOR})
MAX_BODY = 16 << 20
"""The longest request, in bytes, as it is sent and as it is once inflated."""
_RETRY_S = b"2"
_GZIP = 16 + zlib.MAX_WBITS
_EITHER = 32 + zlib.MAX_WBITS


class Ingest(Protocol):
    """Takes spans."""

    async def take(self, tenant: TenantId, body: bytes, decoder: Decoder) -> Taken:
        """Keep the spans of an export request; they are on disk when this returns."""


class TraceIntake:
    """Serves the path."""

    def __init__(self, ingest: Ingest, decoders: Mapping[bytes, Decoder], missing: str = "") -> None:
        """`decoders` are by content type; `missing` says how to come by protobuf where it is not among them."""
        self._ingest = ingest
        self._decoders = decoders
        self._missing = missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the door."""
        headers: dict[bytes, bytes] = scope[HEADERS]
        kind = content_type(headers)
        decoder = self._decoders.get(kind)
        if decoder is None:
            raise self._unsupported(kind)
        body = inflated(await body_of(receive), headers.get(b"content-encoding", b""))
        principal: Principal = scope[CALLER].principal
        taken = await self._ingest.take(principal.tenant, body, decoder)
        await send_bytes(send, 200, accepted(kind, taken.rejected, taken.message), kind)

    def _unsupported(self, kind: bytes) -> UnsupportedContent:
        if kind == PROTOBUF:
            return UnsupportedContent(
                "Spans in protobuf cannot be read here",
                why="the extra 'otlp' is not installed",
                do=self._missing or "Send JSON: OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
            )
        return UnsupportedContent(
            "The body is declared neither as protobuf nor as JSON",
            do="Send Content-Type: application/x-protobuf or application/json",
        )


def trace_route(intake: TraceIntake) -> GuardedRoute:
    """Return the route."""
    return GuardedRoute(PATH, frozenset({"POST"}), SENDERS, intake)


def with_traces(others: Callable[[str], Surface | None]) -> Callable[[str], Surface | None]:
    """Return what finds the surface of a path: this one's, or what `others` finds."""
    surface = Surface(_tell, MAX_BODY)
    return lambda path: surface if path == PATH else others(path)


def content_type(headers: Mapping[bytes, bytes]) -> bytes:
    """Return what the body is declared as, without parameters."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def inflated(body: bytes, encoding: bytes) -> bytes:
    """Return `body` as it was before it was compressed. Raises BadInput, UnsupportedContent, TooLarge."""
    match encoding.strip().lower():
        case b"" | b"identity":
            return body
        case b"gzip":
            window = _GZIP
        case b"deflate":
            # HTTP means zlib's format; some senders leave its header out.
            window = _EITHER if body[:1] == b"\x78" else -zlib.MAX_WBITS
        case _:
            raise UnsupportedContent("The body's Content-Encoding is not known here", do="Send gzip, deflate or none")
    try:
        reader = zlib.decompressobj(window)
        whole = reader.decompress(body, MAX_BODY + 1)
        if len(whole) > MAX_BODY or reader.unconsumed_tail:
            raise TooLarge(
                "The request body is too long", why=f"inflated, it may be {MAX_BODY} bytes", do="Send smaller batches"
            )
        if reader.unused_data:
            raise BadInput("More follows the compressed body", do="Compress the request as one piece")
        if not reader.eof:
            raise BadInput("The compressed body ends before its end", do="Send all of it")
    except zlib.error:
        raise BadInput("The body is not compressed as its Content-Encoding says", do="Correct one of the two") from None
    return whole


async def _tell(scope: Scope, send: Send, error: InterlockError) -> None:
    headers = {name.lower(): value for name, value in scope["headers"]}
    kind = PROTOBUF if content_type(headers) == PROTOBUF else JSON
    more = headers_of(error)
    if isinstance(error, Behind) or error.status == 503:
        more = (*more, (b"retry-after", _RETRY_S))
    await send_bytes(send, error.status, refused(kind, error), kind, more)
