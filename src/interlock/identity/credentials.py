"""Keys and run tokens: made once, shown once, kept as hashes; a child token never widens its parent."""

import hashlib
import secrets
from dataclasses import replace

from interlock.domain.errors import Forbidden, Unauthenticated
from interlock.domain.identity import Principal, Scope
from interlock.domain.ids import RunId, ToolName, new_id
from interlock.identity.ports import KeyRecord, TokenRecord

KEY_PREFIX = "ilk_"
TOKEN_PREFIX = "ilt_"
TOKEN_LIFE_MS = 10 * 60 * 1000
MAX_DEPTH = 4
"""Levels of delegation below the root token."""


def new_secret(prefix: str) -> str:
    """Return a fresh bearer secret of 256 random bits."""
    return prefix + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> str:
    """Return what is stored of a bearer secret: SHA-256 in hex. The secret is random, so no salt or stretching is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_principal(key: KeyRecord, now: int) -> Principal:
    """Return who holds `key`. Raises Unauthenticated once it is revoked or expired."""
    if key.revoked_at is not None or (key.expires_at is not None and now >= key.expires_at):
        raise Unauthenticated("This key is no longer valid", do="Ask an admin for a new key")
    return key.principal


def token_principal(token: TokenRecord, now: int) -> Principal:
    """Return who bears `token`, narrowed to its run and tools. Raises Unauthenticated once it is revoked or expired."""
    if token.revoked_at is not None:
        raise Unauthenticated("This run token has been revoked", do="Open a new run")
    if now >= token.expires_at:
        raise Unauthenticated("This run token has expired", do="Renew it before it expires, or open a new run")
    return replace(token.principal, scope=Scope(token.run, token.tools, token.expires_at))


def root_token(
    principal: Principal, run: RunId, *, tools: frozenset[ToolName] | None, now: int, deadline: int | None
) -> tuple[str, TokenRecord]:
    """Return a new token for `run` and its record; it lives ten minutes and can be renewed up to `deadline`."""
    secret, id = new_secret(TOKEN_PREFIX), new_id("tok")
    until = deadline if deadline is not None else now + 24 * 3600 * 1000
    record = TokenRecord(
        id=id,
        hash=secret_hash(secret),
        tenant=principal.tenant,
        run=run,
        principal=replace(principal, scope=None),
        tools=tools,
        issued_at=now,
        expires_at=min(now + TOKEN_LIFE_MS, until),
        renewable_until=until,
        path=id,
    )
    return secret, record


def child_token(
    parent: TokenRecord, tools: frozenset[ToolName] | None, now: int, life_ms: int = TOKEN_LIFE_MS
) -> tuple[str, TokenRecord]:
    """Return a token below `parent`: its tools are the intersection, its life never outlasts the parent's.

    Raises Unauthenticated for a dead parent, Forbidden below MAX_DEPTH levels.
    """
    token_principal(parent, now)
    if parent.path.count("/") >= MAX_DEPTH:
        raise Forbidden(f"Run tokens nest at most {MAX_DEPTH} deep", do="Delegate from a token nearer to the root")
    secret, id = new_secret(TOKEN_PREFIX), new_id("tok")
    record = replace(
        parent,
        id=id,
        hash=secret_hash(secret),
        tools=intersect(parent.tools, tools),
        issued_at=now,
        expires_at=min(now + life_ms, parent.expires_at),
        renewable_until=parent.expires_at,
        parent=parent.id,
        path=f"{parent.path}/{id}",
    )
    return secret, record


def renewed(token: TokenRecord, now: int) -> int:
    """Return the new expiry of a live token. Raises Unauthenticated for a dead one, Forbidden past its deadline."""
    token_principal(token, now)
    if token.expires_at >= token.renewable_until:
        raise Forbidden("The token cannot outlive its run", do="Open a new run")
    return min(now + TOKEN_LIFE_MS, token.renewable_until)


def intersect(mine: frozenset[ToolName] | None, asked: frozenset[ToolName] | None) -> frozenset[ToolName] | None:
    """Return the tools in both; None stands for all."""
    if mine is None:
        return asked
    return mine if asked is None else mine & asked
