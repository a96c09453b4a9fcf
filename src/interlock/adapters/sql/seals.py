"""Bodies at rest: sealed under a key of their tenant, each bound to the place where it stands.

A sealed body is `0xF5, three bytes of the key's number, nonce, ciphertext and tag` (AES-256-GCM). Its place (tenant, table,
column, key of the row) is authenticated with it, so that a body that was moved or changed opens nowhere.
"""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlock.domain.errors import ConfigurationError, Erased, RecordDamaged
from interlock.domain.ids import TenantId, random_bytes

MARK = 0xF5
"""The first byte of what is sealed. No UTF-8 text begins with it, so rows of versions that sealed nothing differ."""
KEY_BYTES = 32
_PREFIX, _NONCE = 4, 12
_BODY = _PREFIX + _NONCE
_DEPLOYMENT = TenantId("")
"""Holds no data: under its name stands the proof that the wrapping key is the right one."""
_MIXED, _STRICT = b"mixed", b"sealed"


class KeyWanted(Exception):
    """A transaction met a key that this process has not fetched. The store fetches it and runs the transaction again."""

    def __init__(self, tenant: TenantId, prefix: bytes | None = None) -> None:
        super().__init__(tenant)
        self.tenant = tenant
        self.prefix = prefix
        """The key that a body names; None for whichever new bodies are sealed under."""


class Seals(Protocol):
    """Seals and opens bodies. Used by many threads at once."""

    def seal(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        """Return `body` as it is stored at `place`; zero bytes stay what they are."""

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        """Return the body that stands sealed at `place`.

        Raises Erased when its key was destroyed, RecordDamaged when it was changed, or sealed for another place.
        """


class Plain(Seals):
    """Keeps bodies as they are: for a database that was never opened with a key."""

    def seal(self, tenant: TenantId, place: str, body: bytes) -> bytes:  # noqa: ARG002
        return body

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:  # noqa: ARG002
        if body and body[0] == MARK:
            raise _keyless()
        return body


class WrappedKey(NamedTuple):
    """A row of `tenant_keys`."""

    tenant: TenantId
    id: int
    wrapped: bytes | None
    """None once destroyed."""
    created_at: int
    destroyed_at: int | None


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The key that wraps the tenants' keys."""

    key: bytes

    @property
    def fingerprint(self) -> str:
        """Tells keys apart and says nothing about them."""
        return hashlib.sha256(b"interlock wrapping key\x00" + self.key).hexdigest()[:12]

    def wrap(self, tenant: TenantId, id: int, key: bytes) -> bytes:
        """Return a tenant's key as it is stored."""
        nonce = random_bytes(16)[:_NONCE]
        return nonce + AESGCM(self.key).encrypt(nonce, key, _named(tenant, id))

    def unwrap(self, row: WrappedKey) -> bytes:
        """Return a tenant's key. Raises ConfigurationError when another key wrapped it."""
        wrapped = row.wrapped or b""
        try:
            return AESGCM(self.key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _named(row.tenant, row.id))
        except (InvalidTag, ValueError):
            raise ConfigurationError(
                "The encryption key is not the one that this database is encrypted with",
                why=f"the key with fingerprint {self.fingerprint} does not open the keys that stand in it",
                do="Configure the key that was used before (encryption.key, or the file encryption.key in the folder of "
                "'state'), or restore that file from a backup; processes that share a database share this key",
            ) from None

    def proof(self, *, strict: bool) -> bytes:
        """Return what is stored to know this key again, and whether every body must be sealed."""
        return self.wrap(_DEPLOYMENT, 0, _STRICT if strict else _MIXED)

    def is_strict(self, row: WrappedKey) -> bool:
        """Return what a proof says. Raises ConfigurationError when it is of another key."""
        return self.unwrap(row) == _STRICT


class Vault(Seals):
    """The tenants' keys, as far as this process has fetched them. INVARIANT: only keys whose rows are committed.

    Until it is unlocked it keeps bodies as they are; where the database keeps them sealed, it then refuses to do anything.
    """

    def __init__(self) -> None:
        self._wrapping: Wrapping | None = None
        self.sealed = False
        """Whether the database has been opened with a key before."""
        self.strict = False
        """Whether a body that is not sealed is one that somebody put there."""
        self._current: dict[TenantId, tuple[bytes, AESGCM]] = {}
        self._known: dict[tuple[TenantId, bytes], AESGCM | None] = {}
        """None stands for a key that was destroyed, or that there never was."""
        self._destroyed: set[tuple[TenantId, bytes]] = set()
        self._lock = threading.Lock()

    @property
    def wrapping(self) -> Wrapping:
        """The key that wraps the tenants' keys. Raises ConfigurationError while it is locked."""
        if self._wrapping is None:
            raise _keyless()
        return self._wrapping

    def unlock(self, wrapping: Wrapping, *, strict: bool) -> None:
        """Seal from now on."""
        self._wrapping, self.sealed, self.strict = wrapping, True, strict

    def seal(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        if not body:
            return body
        try:
            prefix, cipher = self._current[tenant]
        except KeyError:
            return self._unkeyed(tenant, body)
        nonce = random_bytes(16)[:_NONCE]
        return prefix + nonce + cipher.encrypt(nonce, body, place.encode())

    def _unkeyed(self, tenant: TenantId, body: bytes) -> bytes:
        if self._wrapping is not None:
            raise KeyWanted(tenant)
        if self.sealed:
            raise _keyless()
        return body

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        if not body:
            return body
        if body[0] != MARK:
            if self.strict:
                raise _damaged("it stands there unsealed, and this database keeps no such bodies")
            return body
        if self._wrapping is None:
            raise _keyless()
        prefix = body[:_PREFIX]
        try:
            cipher = self._known[tenant, prefix]
        except KeyError:
            raise KeyWanted(tenant, prefix) from None
        if cipher is None:
            if (tenant, prefix) in self._destroyed:
                raise erased()
            raise _damaged("it names a key that there never was")
        try:
            return cipher.decrypt(body[_PREFIX:_BODY], body[_BODY:], place.encode())
        except (InvalidTag, ValueError):
            raise _damaged("it was changed, or belongs elsewhere") from None

    def tenants(self) -> tuple[TenantId, ...]:
        """Return whose keys have been fetched."""
        return tuple({tenant for tenant, _ in self._known})

    def admit(self, wanted: KeyWanted, rows: Iterable[WrappedKey]) -> bool:
        """Take in the committed keys of a tenant; return whether what was wanted is known now.

        A key that a body names is known afterwards in any case: as one that there never was.
        """
        tenant, usable = wanted.tenant, None
        with self._lock:
            for row in rows:
                prefix = prefix_of(row.id)
                if row.wrapped is None:
                    self._destroyed.add((tenant, prefix))
                    self._known[tenant, prefix] = None
                elif self._known.get((tenant, prefix)) is None:
                    self._known[tenant, prefix] = AESGCM(self.wrapping.unwrap(row))
                cipher = self._known[tenant, prefix]
                if cipher is not None:
                    usable = (prefix, cipher)
            if usable is None:
                self._current.pop(tenant, None)
            else:
                self._current[tenant] = usable
            if wanted.prefix is not None:
                self._known.setdefault((tenant, wanted.prefix), None)
                return True
        return usable is not None


def prefix_of(id: int) -> bytes:
    """Return the first bytes of what is sealed under the key of this number."""
    return bytes((MARK,)) + id.to_bytes(_PREFIX - 1)


def place_of(table: str, part: str, *key: object) -> str:
    """Return the name of the place of one body: no two places have the same."""
    return "\x00".join((table, part, *map(str, key)))


def erased() -> Erased:
    """Return the error that stands for words that are gone for good."""
    return Erased(
        "What this record said was erased",
        why="its data was erased, its time of keeping is over, or the tenant's key was destroyed",
        do="Its row, its sums and its proofs remain: see interlock audit search",
    )


def _damaged(why: str) -> RecordDamaged:
    return RecordDamaged(
        "A record does not stand in the database as it was written",
        why=why,
        do="Find out who changed the database; a backup holds the record as it was",
    )


def _keyless() -> ConfigurationError:
    return ConfigurationError(
        "The database is encrypted, and it was opened without its key",
        why="nothing may be written to it in the clear, and nothing encrypted can be read",
        do="Open it with the deployment that it belongs to",
    )


def _named(tenant: TenantId, id: int) -> bytes:
    return f"interlock tenant key\x00{tenant}\x00{id}".encode()
