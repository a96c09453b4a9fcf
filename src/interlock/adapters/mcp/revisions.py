"""The MCP revisions that the gate speaks to servers, and what each asks of a request."""

from dataclasses import dataclass, field

from interlock.domain.canonical import JsonObject
from interlock.tools.mcp_words import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    HANDSHAKE_PROTOCOL_VERSIONS,
    MODERN_PROTOCOL_VERSIONS,
    PROTOCOL_VERSION_META_KEY,
)

HANDSHAKE = HANDSHAKE_PROTOCOL_VERSIONS
"""Revisions that begin with `initialize`, oldest first."""
MODERN = MODERN_PROTOCOL_VERSIONS
"""Revisions without sessions, where every request says what it is, oldest first."""
CLIENT_INFO = {"name": "interlock", "version": "0.1.0"}

_PLAIN = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Session:
    """What one credential has agreed with one server."""

    modern: bool
    id: str | None
    """Given by servers that keep sessions."""
    headers: dict[str, str]
    """Sent with every request."""
    meta: JsonObject = field(default_factory=dict)
    """Sent as `_meta` of every request."""
    announces: bool = False
    """The server says that it tells when its tools change."""


def modern(revision: str) -> Session:
    """Return how requests look in a session-less revision."""
    meta = {
        PROTOCOL_VERSION_META_KEY: revision,
        CLIENT_INFO_META_KEY: CLIENT_INFO,
        CLIENT_CAPABILITIES_META_KEY: {},
    }
    return Session(modern=True, id=None, headers=_PLAIN | {"MCP-Protocol-Version": revision}, meta=meta)


def handshake(revision: str | None, session_id: str | None, *, announces: bool = False) -> Session:
    """Return how requests look after a handshake; both None for the handshake itself."""
    headers = dict(_PLAIN)
    if revision is not None:
        headers["MCP-Protocol-Version"] = revision
    if session_id is not None:
        headers["Mcp-Session-Id"] = session_id
    return Session(modern=False, id=session_id, headers=headers, announces=announces)
