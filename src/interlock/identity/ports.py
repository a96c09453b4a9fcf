"""Where keys and run tokens are kept, as hashes. Every method runs inside one transaction of the store."""

from dataclasses import dataclass
from typing import Protocol

from interlock.domain.identity import Principal
from interlock.domain.ids import RunId, TenantId, ToolName


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key. The key itself was shown once and is nowhere."""

    id: str
    hash: str
    """SHA-256 of the key, in hex. Keys carry 256 random bits, so a plain hash is enough."""
    principal: Principal
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A run token: opaque, short-lived, never wider than its parent."""

    id: str
    hash: str
    tenant: TenantId
    run: RunId
    principal: Principal
    """Who the bearer acts as (an agent)."""
    tools: frozenset[ToolName] | None
    """None means every tool of the agent."""
    issued_at: int
    expires_at: int
    renewable_until: int
    parent: str | None = None
    path: str = ""
    """Ids from the root to this token, `/`-separated, so that a subtree is a prefix."""
    revoked_at: int | None = None


class IdentityRecords(Protocol):
    """Keys and tokens by hash."""

    def add_key(self, key: KeyRecord) -> None:
        """Record a new key."""

    def find_key(self, hash: str) -> KeyRecord | None:
        """Return the key with this hash, revoked or not, or None."""

    def keys(self, tenant: TenantId) -> tuple[KeyRecord, ...]:
        """Return all keys of the tenant, newest first."""

    def revoke_key(self, tenant: TenantId, id: str, at: int) -> bool:
        """Revoke a live key; return False if there is none."""

    def add_token(self, token: TokenRecord) -> None:
        """Record a new token."""

    def find_token(self, hash: str) -> TokenRecord | None:
        """Return the token with this hash, revoked or not, or None."""

    def renew_token(self, id: str, expires_at: int) -> bool:
        """Move a live token's expiry; return False if it is revoked or gone."""

    def revoke_tokens(self, path: str, at: int) -> int:
        """Revoke the token at `path` and all below it; return how many were live."""
