"""Keys, and what a run token may do to itself."""

from interlock.domain.errors import Forbidden
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId, ToolName
from interlock.server.api import views
from interlock.server.api.controls import seconds
from interlock.server.api.documents import (
    KeysDocument,
    NewKeyDocument,
    RenewedDocument,
    RevokedDocument,
    TokenDocument,
)
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import CreateKeyBody, DelegateBody

_AGENTS = frozenset({Role.AGENT})
_ADMINS = frozenset({Role.ADMIN})


async def list_keys(asked: Asked) -> KeysDocument:
    """List keys."""
    return KeysDocument(tuple(views.key(one) for one in await asked.desks.access.keys(asked.principal)))


async def create_key(asked: Asked) -> NewKeyDocument:
    """Make a key."""
    body: CreateKeyBody = asked.body
    agent = AgentId(body.agent) if body.agent is not None else None
    given = body.expires_in_seconds
    life = seconds(given, "expires_in_seconds") * 1000 if given is not None else None
    secret, record = await asked.desks.access.create_key(asked.principal, body.name, frozenset(body.roles), agent, life)
    return NewKeyDocument(secret, views.key(record))


async def revoke_key(asked: Asked) -> None:
    """Revoke a key."""
    await asked.desks.access.revoke_key(asked.principal, asked.path["key"])


async def renew(asked: Asked) -> RenewedDocument:
    """Renew the token."""
    return RenewedDocument(await asked.desks.access.renew(_token(asked)))


async def delegate(asked: Asked) -> TokenDocument:
    """Make a child of the token."""
    body: DelegateBody = asked.body
    tools = frozenset(ToolName(tool) for tool in body.tools) if body.tools is not None else None
    secret, child = await asked.desks.access.delegate(_token(asked), tools)
    left = tuple(sorted(child.tools)) if child.tools is not None else None
    return TokenDocument(secret, child.run, left, child.expires_at)


async def revoke(asked: Asked) -> RevokedDocument:
    """Revoke the token and all below it."""
    return RevokedDocument(await asked.desks.access.revoke_token(_token(asked)))


def _token(asked: Asked) -> str:
    if asked.principal.scope is None:
        raise Forbidden("This is for run tokens, and the bearer is a key", do="Send the token that opening a run gave")
    return asked.bearer


KEYS, TOKENS = PREFIX + "/keys", PREFIX + "/tokens"
OPERATIONS = (
    Operation(
        Description(
            "GET", KEYS, "listKeys", "List keys, without secrets.", _ADMINS | {Role.AUDITOR}, answer=KeysDocument
        ),
        list_keys,
    ),
    Operation(
        Description(
            "POST",
            KEYS,
            "createKey",
            "Make a key for a person, a service or an agent. It is shown once.",
            _ADMINS,
            body=CreateKeyBody,
            answer=NewKeyDocument,
            status=201,
        ),
        create_key,
    ),
    Operation(
        Description("DELETE", KEYS + "/{key}", "revokeKey", "Revoke a key at once.", _ADMINS, status=204), revoke_key
    ),
    Operation(
        Description(
            "POST",
            TOKENS + "/renew",
            "renewToken",
            "Give the run token that you bear ten more minutes, up to its run's deadline.",
            _AGENTS,
            answer=RenewedDocument,
        ),
        renew,
    ),
    Operation(
        Description(
            "POST",
            TOKENS + "/delegate",
            "delegateToken",
            "Make a child of the run token that you bear; it may never do more than its parent.",
            _AGENTS,
            body=DelegateBody,
            answer=TokenDocument,
            status=201,
        ),
        delegate,
    ),
    Operation(
        Description(
            "POST",
            TOKENS + "/revoke",
            "revokeToken",
            "Revoke the run token that you bear, and all that was delegated from it.",
            _AGENTS,
            answer=RevokedDocument,
        ),
        revoke,
    ),
)
"""The operations on keys and tokens."""
