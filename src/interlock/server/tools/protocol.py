"""MCP's rules for one request over HTTP: which revision it speaks, and what is wrong with it if anything is."""

import base64
import binascii
from dataclasses import dataclass

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import InterlockError
from interlock.server.problems import failure_of
from interlock.server.tools.outcomes import failure_json
from interlock.tools.mcp_words import (
    CLIENT_CAPABILITIES_META_KEY,
    HANDSHAKE_PROTOCOL_VERSIONS,
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_PROTOCOL_VERSIONS,
    PARSE_ERROR,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
)

REVISIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)
UNSTATED = "2025-03-26"
"""What a client speaks that does not say, by the specification."""
_WRAPPED = ("=?base64?", "?=")

# The status that goes with an error before anything ran; errors of a method itself go out as 200.
_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}


class RpcFault(Exception):
    """The request is answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Json = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = _STATUS.get(code, 200) if status is None else status


@dataclass(frozen=True, slots=True)
class Asked:
    """One JSON-RPC request or notification."""

    method: str
    id: str | int | None
    """None for a notification."""
    params: JsonObject

    @property
    def meta(self) -> Json:
        """`_meta` of the parameters, whatever it is."""
        return self.params.get("_meta")


def asked_in(message: Json) -> Asked | None:
    """Return what `message` asks, or None for a posted response, which nobody here waits for. Raises RpcFault."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise RpcFault(INVALID_REQUEST, "The body is not one JSON-RPC 2.0 message (batches are not taken)")
    method, params = message.get("method"), message.get("params", {})
    if method is None and ("result" in message or "error" in message):
        return None
    found = message.get("id")
    if not isinstance(method, str) or ("id" in message and type(found) not in (str, int)):
        raise RpcFault(INVALID_REQUEST, "The message has no usable method or id")
    if not isinstance(params, dict):
        raise RpcFault(INVALID_PARAMS, "The parameters are not an object")
    return Asked(method, found, params)


def revision_of(asked: Asked, headers: dict[bytes, bytes]) -> str:
    """Return the revision that the request speaks. Raises RpcFault for one that is unknown or contradicts itself."""
    header = headers.get(b"mcp-protocol-version")
    meta = asked.meta
    stated = meta.get(PROTOCOL_VERSION_META_KEY) if isinstance(meta, dict) else None
    if header is None:
        if stated is not None:
            raise RpcFault(HEADER_MISMATCH, "The MCP-Protocol-Version header is missing")
        return UNSTATED
    named = header.decode("latin-1")
    if named in HANDSHAKE_PROTOCOL_VERSIONS:
        return named
    if named not in REVISIONS:
        data = {"supported": list(REVISIONS), "requested": named[:100]}
        raise RpcFault(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data)
    if asked.id is not None:
        _check_envelope(asked, meta, named, headers)
    return named


def fault_of(error: InterlockError) -> RpcFault:
    """Return `error` as a JSON-RPC error; what it says stands in `data`."""
    code = {"malformed_json": PARSE_ERROR, "too_large": INVALID_REQUEST, "bad_input": INVALID_PARAMS}
    return RpcFault(code.get(error.code, INTERNAL_ERROR), str(error), failure_json(failure_of(error)), error.status)


def _check_envelope(asked: Asked, meta: Json, named: str, headers: dict[bytes, bytes]) -> None:
    """Hold a session-less request to what its revision demands of it."""
    if not isinstance(meta, dict):
        raise RpcFault(INVALID_PARAMS, "params._meta is missing")
    for key in (PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY):
        if key not in meta:
            raise RpcFault(INVALID_PARAMS, f"params._meta has no {key}")
    if meta[PROTOCOL_VERSION_META_KEY] != named:
        raise RpcFault(HEADER_MISMATCH, "The MCP-Protocol-Version header contradicts params._meta")
    if headers.get(b"mcp-method", b"").decode("latin-1") != asked.method:
        raise RpcFault(HEADER_MISMATCH, "The Mcp-Method header contradicts the method")
    name = asked.params.get("name")
    if asked.method == "tools/call" and name is not None and _header_text(headers.get(b"mcp-name")) != name:
        raise RpcFault(HEADER_MISMATCH, "The Mcp-Name header contradicts params.name")


def _header_text(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    text = raw.decode("latin-1")
    begin, end = _WRAPPED
    if not (text.startswith(begin) and text.endswith(end) and len(text) >= len(begin) + len(end)):
        return text
    try:
        return base64.b64decode(text[len(begin) : -len(end)], validate=True).decode()
    except (binascii.Error, UnicodeError):
        return None
