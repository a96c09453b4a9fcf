"""Open the store that an address names, and the bodies that it keeps sealed."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from interlock.adapters.sql.compacting import compact
from interlock.adapters.sql.postgres import open_postgres
from interlock.adapters.sql.seals import KeyWanted, Vault, WrappedKey, Wrapping
from interlock.adapters.sql.session import Session
from interlock.adapters.sql.sqlite import open_sqlite
from interlock.adapters.sql.transaction import SqlTx
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import TenantId
from interlock.gateway.store import Store, Tx

T = TypeVar("T")


class KeySource(Protocol):
    """Where the key comes from that wraps the tenants' keys."""

    def read(self) -> bytes | None:
        """Return its 32 bytes, or None while there is none. Raises ConfigurationError when it cannot be used."""

    def make(self) -> bytes:
        """Make one, for a database that has never had one. Raises ConfigurationError when none can be made."""


class SealedStore(Store):
    """A store that fetches the keys of tenants as transactions come to need them."""

    def __init__(self, inner: Store, vault: Vault, url: URL) -> None:
        """`inner` seals with `vault`, and is at `url`."""
        self._url = url
        self._inner = inner
        self._vault = vault

    async def transact(self, work: Callable[[Tx], T]) -> T:
        while True:
            try:
                return await self._inner.transact(work)
            except KeyWanted as wanted:
                await self._fetch(wanted)

    async def read(self, work: Callable[[Tx], T]) -> T:
        while True:
            try:
                return await self._inner.read(work)
            except KeyWanted as wanted:
                await self._fetch(wanted)

    async def _fetch(self, wanted: KeyWanted) -> None:
        """Take in the keys of a tenant; make the first. INVARIANT: what is taken in was read from committed rows."""
        if not self._vault.admit(wanted, await self._keys(wanted.tenant)):
            await self._inner.transact(lambda tx: _sql(tx).keeping.ensure_key(wanted.tenant))
            self._vault.admit(wanted, await self._keys(wanted.tenant))

    async def _keys(self, tenant: TenantId) -> tuple[WrappedKey, ...]:
        return await self._inner.read(lambda tx: _sql(tx).keeping.wrapped_keys(tenant))

    async def refresh(self) -> None:
        """Learn what other processes did to the keys: new ones, and destroyed ones."""
        for tenant in self._vault.tenants():
            self._vault.admit(KeyWanted(tenant), await self._keys(tenant))
        if self._vault.sealed and not self._vault.strict:
            proof = await self._inner.read(lambda tx: _sql(tx).keeping.proof())
            self._vault.strict = proof is not None and self._vault.wrapping.is_strict(proof)

    @property
    def has_plain_rows(self) -> bool:
        """Whether rows of versions that sealed nothing may still be there."""
        return self._vault.sealed and not self._vault.strict

    async def compact(self, *, whole: bool) -> None:
        """Remove what was deleted from the disk, as far as a database can (see `interlock.adapters.sql.compacting`)."""
        await asyncio.to_thread(compact, self._url, whole=whole)

    async def prepare(self, tenant: TenantId) -> None:
        """Fetch the keys of the tenant, so that `vault` can seal and open outside a transaction."""
        await self._fetch(KeyWanted(tenant))

    @property
    def vault(self) -> Vault:
        """What seals and opens."""
        return self._vault

    async def close(self) -> None:
        await self._inner.close()


async def open_store(url: str, keys: KeySource | None = None) -> Store:
    """Return the store at `sqlite:///path` or `postgresql://...`, its tables created or brought up to date.

    With `keys` bodies are sealed. Without, they are kept as they are; a database that keeps them sealed refuses to read or
    write any then, and shows what is not sealed.
    Raises ConfigurationError for an address of another kind or the wrong key, StoreUnavailable when the database cannot be
    used.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _unusable() from None
    vault = Vault()

    def records(session: Session) -> Tx:
        session.seals = vault
        return SqlTx(session)

    match parsed.get_backend_name():
        case "sqlite":
            inner: Store = await asyncio.to_thread(open_sqlite, parsed, records)
        case "postgresql" | "postgres":
            inner = await asyncio.to_thread(open_postgres, parsed, records)
        case _:
            raise _unusable()
    try:
        await _unlock(inner, vault, keys)
    except BaseException:
        await inner.close()
        raise
    return inner if keys is None else SealedStore(inner, vault, parsed)


async def _unlock(store: Store, vault: Vault, keys: KeySource | None) -> None:
    """Prove the key against the database, before anything is read or written."""
    proof = await store.read(lambda tx: _sql(tx).keeping.proof())
    vault.sealed = proof is not None
    if keys is None:
        return
    found = await asyncio.to_thread(keys.read)
    if found is None and proof is not None:
        raise ConfigurationError(
            "The encryption key is missing",
            why="what stands in the database is encrypted with it, and another one opens nothing",
            do="Put the file encryption.key back into the folder of 'state' from where it is kept safe, or name the key as "
            "encryption.key in interlock.yaml",
        )
    wrapping = Wrapping(found if found is not None else await asyncio.to_thread(keys.make))
    if proof is None:
        await store.transact(lambda tx: _sql(tx).keeping.begin(wrapping))
        # Another process may have been first, with a key of its own.
        proof = await store.read(lambda tx: _sql(tx).keeping.proof())
    if proof is None:
        raise _unusable()
    vault.unlock(wrapping, strict=wrapping.is_strict(proof))


def _sql(tx: Tx) -> SqlTx:
    return cast("SqlTx", tx)


def _unusable() -> ConfigurationError:
    # The address itself may hold a password, so it is not repeated.
    return ConfigurationError(
        "The address of the store is not usable",
        do="Write sqlite:///path/to/interlock.db or postgresql://user@host/name",
    )
