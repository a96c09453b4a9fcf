"""MCP sessions that no process has to remember: the id itself says what was agreed, and the run follows from it."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from interlock.domain.ids import RunId
from interlock.server.guard import Caller
from interlock.tools.mcp_words import HANDSHAKE_PROTOCOL_VERSIONS

_FORM = re.compile(r"s([0-9])([nu])-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class McpSession:
    """What a client and the gate agreed on in `initialize`.

    The id is no secret and grants nothing: whoever presents it must bear a token too, and gets a run of their own.
    """

    id: str
    revision: str
    opens_urls: bool
    """The client can show the user a URL (elicitation in URL mode)."""


def new_session(revision: str, *, opens_urls: bool) -> McpSession:
    """Return a session for a client that was just greeted."""
    number = HANDSHAKE_PROTOCOL_VERSIONS.index(revision)
    return McpSession(f"s{number}{'u' if opens_urls else 'n'}-{secrets.token_hex(16)}", revision, opens_urls)


def session_of(id: str) -> McpSession | None:
    """Return the session with this id, or None for an id that was never given out."""
    match = _FORM.fullmatch(id)
    if match is None or int(match[1]) >= len(HANDSHAKE_PROTOCOL_VERSIONS):
        return None
    return McpSession(id, HANDSHAKE_PROTOCOL_VERSIONS[int(match[1])], match[2] == "u")


def run_of(session: McpSession, caller: Caller) -> RunId:
    """Return the run of this session; two callers who present one session id have two runs."""
    principal = caller.principal
    text = "\n".join((principal.tenant, principal.id, principal.agent or "", session.id))
    return RunId(f"mcp-{hashlib.sha256(text.encode()).hexdigest()[:32]}")
