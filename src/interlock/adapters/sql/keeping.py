"""Holds, erasure and the keys of tenants, over one session."""

import time
from typing import cast

from interlock.adapters.sql import tenant_keys
from interlock.adapters.sql.erasing import SqlErasing
from interlock.adapters.sql.legal_holds import SqlHolds
from interlock.adapters.sql.resealing import SqlResealing
from interlock.adapters.sql.seals import Vault, WrappedKey, Wrapping
from interlock.adapters.sql.session import Session, Statement
from interlock.domain.errors import ConfigurationError, Conflict
from interlock.domain.ids import TenantId
from interlock.runs.keeping import KeepingRecords, TenantKey

UNSETTLED = Statement("""
    SELECT (SELECT COUNT(*) FROM calls WHERE tenant = :tenant AND status IN ('pending', 'executing', 'unknown')),
           (SELECT COUNT(*) FROM legal_holds WHERE tenant = :tenant AND lifted_at IS NULL)
""")


class SqlKeeping(SqlHolds, SqlErasing, SqlResealing, KeepingRecords):
    """The tables `legal_holds` and `tenant_keys`, and what is erased of the others."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session

    def keys(self, tenant: TenantId) -> tuple[TenantKey, ...]:
        return tuple(
            TenantKey(row.tenant, row.id, row.created_at, row.destroyed_at)
            for row in tenant_keys.keys_of(self._session, tenant)
        )

    def rotate_key(self, tenant: TenantId, now: int) -> None:
        tenant_keys.add_key(self._session, self._vault().wrapping, tenant, now, only_first=False)

    def destroy_keys(self, tenant: TenantId, now: int) -> int:
        self._vault()
        unsettled, held = self._session.one(UNSETTLED, {"tenant": tenant}) or (0, 0)
        if unsettled or held:
            raise Conflict(
                f"The keys of {tenant} cannot be destroyed",
                why=f"{unsettled} calls are not settled, and {held} legal holds stand",
                do="Decide on what waits, resolve what is unknown, lift the holds, and repeat",
            )
        return tenant_keys.destroy_keys(self._session, tenant, now)

    def rewrap_keys(self, key: bytes) -> int:
        return tenant_keys.rewrap_keys(self._session, self._vault(), Wrapping(key))

    def be_strict(self) -> None:
        """Note that every body is sealed: one that is not is damage from now on."""
        vault = self._vault()
        self.reseal_the_rest()
        tenant_keys.keep_proof(self._session, vault.wrapping, strict=True)

    def ensure_key(self, tenant: TenantId) -> None:
        """Give the tenant its first key, if it has none that was not destroyed."""
        now = time.time_ns() // 1_000_000
        tenant_keys.add_key(self._session, self._vault().wrapping, tenant, now, only_first=True)

    def wrapped_keys(self, tenant: TenantId) -> tuple[WrappedKey, ...]:
        """Return the tenant's keys as they are stored."""
        return tenant_keys.keys_of(self._session, tenant)

    def proof(self) -> WrappedKey | None:
        """Return the proof of the wrapping key, or None in a database that was never opened with one."""
        return tenant_keys.find_proof(self._session)

    def begin(self, wrapping: Wrapping) -> None:
        """Note the wrapping key, in a database that was never opened with one."""
        self._session.lock("wrapping key")
        if self.proof() is None:
            tenant_keys.begin(self._session, wrapping, time.time_ns() // 1_000_000)

    def _vault(self) -> Vault:
        vault = cast("Vault", self._session.seals)
        try:
            _ = vault.wrapping
        except (AttributeError, ConfigurationError):
            raise Conflict(
                "This store keeps nothing encrypted",
                why="it was opened without an encryption key",
                do="Use the store of a deployment",
            ) from None
        return vault
