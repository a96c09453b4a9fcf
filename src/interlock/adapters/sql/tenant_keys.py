"""The tenants' keys as they are stored: wrapped, or destroyed."""

from collections.abc import Sequence

from interlock.adapters.sql.seals import KEY_BYTES, Vault, WrappedKey, Wrapping
from interlock.adapters.sql.session import Session, Statement
from interlock.domain.ids import TenantId, random_bytes

OF_TENANT = Statement("""
    SELECT tenant, id, wrapped, created_at, destroyed_at FROM tenant_keys WHERE tenant = :tenant ORDER BY id
""")

ALL = Statement("SELECT tenant, id, wrapped, created_at, destroyed_at FROM tenant_keys ORDER BY tenant, id")

ADD = Statement("""
    INSERT INTO tenant_keys (tenant, id, wrapped, created_at) VALUES (:tenant, :id, :wrapped, :created_at)
""")

REWRAP = Statement("UPDATE tenant_keys SET wrapped = :wrapped WHERE tenant = :tenant AND id = :id")

DESTROY = Statement("""
    UPDATE tenant_keys SET wrapped = NULL, destroyed_at = :at WHERE tenant = :tenant AND wrapped IS NOT NULL
""")

# Rows of versions that sealed nothing; one of them is enough.
ANYTHING = Statement("""
    SELECT 1 WHERE EXISTS (SELECT 1 FROM runs) OR EXISTS (SELECT 1 FROM model_calls) OR EXISTS (SELECT 1 FROM calls)
""")

_DEPLOYMENT = TenantId("")


def keys_of(session: Session, tenant: TenantId) -> tuple[WrappedKey, ...]:
    """Return a tenant's keys, the oldest first."""
    return tuple(WrappedKey(*row) for row in session.all(OF_TENANT, {"tenant": tenant}))


def all_keys(session: Session) -> tuple[WrappedKey, ...]:
    """Return the keys of every tenant."""
    return tuple(WrappedKey(*row) for row in session.all(ALL, {}) if row[0] != _DEPLOYMENT)


def add_key(session: Session, wrapping: Wrapping, tenant: TenantId, now: int, *, only_first: bool) -> None:
    """Give the tenant a new key; with `only_first` not if one is there that was not destroyed."""
    session.lock(f"tenant key {tenant}")
    known = keys_of(session, tenant)
    if only_first and any(row.wrapped is not None for row in known):
        return
    id_ = max((row.id for row in known), default=0) + 1
    wrapped = wrapping.wrap(tenant, id_, random_bytes(KEY_BYTES))
    session.run(ADD, {"tenant": tenant, "id": id_, "wrapped": wrapped, "created_at": now})


def destroy_keys(session: Session, tenant: TenantId, now: int) -> int:
    """Destroy every key of the tenant; return how many."""
    session.lock(f"tenant key {tenant}")
    return session.run(DESTROY, {"tenant": tenant, "at": now})


def rewrap_keys(session: Session, old: Vault, new: Wrapping) -> int:
    """Wrap the keys of every tenant under `new`; return how many."""
    rows = [row for row in all_keys(session) if row.wrapped is not None]
    wrapped = [new.wrap(row.tenant, row.id, old.wrapping.unwrap(row)) for row in rows]
    session.many(
        REWRAP,
        [{"tenant": row.tenant, "id": row.id, "wrapped": key} for row, key in zip(rows, wrapped, strict=True)],
    )
    keep_proof(session, new, strict=old.strict)
    return len(rows)


def find_proof(session: Session) -> WrappedKey | None:
    """Return the proof of the wrapping key, or None in a database that was never opened with one."""
    rows: Sequence[WrappedKey] = keys_of(session, _DEPLOYMENT)
    return rows[0] if rows else None


def begin(session: Session, wrapping: Wrapping, now: int) -> None:
    """Note the wrapping key in a database that was never opened with one."""
    strict = session.one(ANYTHING, {}) is None
    values = {"tenant": _DEPLOYMENT, "id": 0, "wrapped": wrapping.proof(strict=strict), "created_at": now}
    session.run(ADD, values)


def keep_proof(session: Session, wrapping: Wrapping, *, strict: bool) -> None:
    """Replace the proof."""
    session.run(REWRAP, {"tenant": _DEPLOYMENT, "id": 0, "wrapped": wrapping.proof(strict=strict)})
