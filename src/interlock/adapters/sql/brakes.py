"""Brakes: who stopped what, until when."""

from dataclasses import replace

from interlock.adapters.sql.session import Row, Session, Statement
from interlock.brakes.ports import BrakeRecords
from interlock.domain.brakes import Brake, BrakeTarget
from interlock.domain.ids import PrincipalId, TenantId

SET = Statement("""
    INSERT INTO brakes (id, tenant, target, name, reason, set_by, set_at, expires_at, lifted_at, lifted_by, salt)
    VALUES (:id, :tenant, :target, :name, :reason, :set_by, :set_at, :expires_at, :lifted_at, :lifted_by, :salt)
""")

LIFT = Statement("""
    UPDATE brakes SET lifted_at = :at, lifted_by = :by
    WHERE tenant = :tenant AND id = :id AND lifted_at IS NULL AND expires_at > :at
""")

ACTIVE = Statement("""
    SELECT id, tenant, target, name, reason, set_by, set_at, expires_at, lifted_at, lifted_by, salt
    FROM brakes WHERE tenant = :tenant AND lifted_at IS NULL AND expires_at > :now ORDER BY seq
""")

HISTORY = Statement("""
    SELECT id, tenant, target, name, reason, set_by, set_at, expires_at, lifted_at, lifted_by, salt
    FROM brakes WHERE tenant = :tenant ORDER BY seq DESC LIMIT :limit
""")


class SqlBrakes(BrakeRecords):
    """The table `brakes`.

    INVARIANT I6: admissions share a lock that `set` takes alone, so no admission commits without having seen the brake.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(self, brake: Brake) -> None:
        self._session.lock(f"brakes {brake.tenant}")
        values = {
            "id": brake.id,
            "tenant": brake.tenant,
            "target": brake.target.value,
            "name": brake.name,
            "reason": brake.reason,
            "set_by": brake.set_by,
            "set_at": brake.set_at,
            "expires_at": brake.expires_at,
            "lifted_at": brake.lifted_at,
            "lifted_by": brake.lifted_by,
            "salt": brake.salt,
        }
        self._session.run(SET, values)

    def lift(self, tenant: TenantId, id: str, *, by: PrincipalId, at: int) -> bool:
        self._session.lock(f"brakes {tenant}")
        return self._session.run(LIFT, {"tenant": tenant, "id": id, "by": by, "at": at}) == 1

    def active(self, tenant: TenantId, now: int) -> tuple[Brake, ...]:
        # A statement of its own: one that waited for the lock and read in one go would read what was true before.
        self._session.share(f"brakes {tenant}")
        return tuple(_brake(row) for row in self._session.all(ACTIVE, {"tenant": tenant, "now": now}))

    def history(self, tenant: TenantId, limit: int) -> tuple[Brake, ...]:
        return tuple(_brake(row) for row in self._session.all(HISTORY, {"tenant": tenant, "limit": limit}))


def _brake(row: Row) -> Brake:
    id_, tenant, target, *rest, salt = row
    return replace(Brake(id_, tenant, BrakeTarget(target), *rest), salt=salt or b"")
