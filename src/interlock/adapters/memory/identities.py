"""Keys and run tokens in memory."""

from dataclasses import replace

from interlock.adapters.memory.shelf import Shelf, Undo
from interlock.domain.ids import TenantId
from interlock.identity.ports import IdentityRecords, KeyRecord, TokenRecord


class MemoryIdentities(IdentityRecords):
    """Keys and tokens by hash."""

    def __init__(self, undo: Undo) -> None:
        self._keys: Shelf[str, KeyRecord] = Shelf(undo)
        self._tokens: Shelf[str, TokenRecord] = Shelf(undo)

    def add_key(self, key: KeyRecord) -> None:
        self._keys.put(key.hash, key)

    def find_key(self, hash: str) -> KeyRecord | None:
        return self._keys.find(hash)

    def keys(self, tenant: TenantId) -> tuple[KeyRecord, ...]:
        return tuple(key for key in self._keys.newest_first() if key.principal.tenant == tenant)

    def revoke_key(self, tenant: TenantId, id: str, at: int) -> bool:
        for key in self.keys(tenant):
            if key.id == id and key.revoked_at is None:
                self._keys.put(key.hash, replace(key, revoked_at=at))
                return True
        return False

    def add_token(self, token: TokenRecord) -> None:
        self._tokens.put(token.hash, token)

    def find_token(self, hash: str) -> TokenRecord | None:
        return self._tokens.find(hash)

    def renew_token(self, id: str, expires_at: int) -> bool:
        for token in self._tokens.oldest_first():
            if token.id == id and token.revoked_at is None:
                self._tokens.put(token.hash, replace(token, expires_at=expires_at))
                return True
        return False

    def revoke_tokens(self, path: str, at: int) -> int:
        live = [
            token
            for token in self._tokens.oldest_first()
            if token.revoked_at is None and f"{token.path}/".startswith(f"{path}/")
        ]
        for token in live:
            self._tokens.put(token.hash, replace(token, revoked_at=at))
        return len(live)
