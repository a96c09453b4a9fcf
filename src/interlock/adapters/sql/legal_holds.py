"""The table `legal_holds`."""

from interlock.adapters.sql.seals import place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.errors import Erased
from interlock.domain.ids import PrincipalId, TenantId
from interlock.runs.keeping import HoldScope, LegalHold

PLACE = Statement("""
    INSERT INTO legal_holds (id, tenant, scope, name, salt, reason, placed_at, placed_by)
    VALUES (:id, :tenant, :scope, :name, :salt, :reason, :placed_at, :placed_by)
""")

LIFT = Statement("""
    UPDATE legal_holds SET lifted_at = :at, lifted_by = :by WHERE tenant = :tenant AND id = :id AND lifted_at IS NULL
    RETURNING id, tenant, scope, name, salt, reason, placed_at, placed_by, lifted_at, lifted_by
""")

STANDING = Statement("""
    SELECT id, tenant, scope, name, salt, reason, placed_at, placed_by, lifted_at, lifted_by
    FROM legal_holds WHERE tenant = :tenant AND lifted_at IS NULL ORDER BY seq
""")

ALL = Statement("""
    SELECT id, tenant, scope, name, salt, reason, placed_at, placed_by, lifted_at, lifted_by
    FROM legal_holds WHERE tenant = :tenant ORDER BY seq
""")


class SqlHolds:
    """Holds that stand and that stood."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def place_hold(self, hold: LegalHold) -> None:
        # Nobody erases while a hold is being placed: what it keeps is there once it stands.
        lock_keeping(self._session, hold.tenant)
        values = {
            "id": hold.id,
            "tenant": hold.tenant,
            "scope": hold.scope.value,
            "name": hold.name,
            "salt": hold.salt,
            "reason": self._session.seals.seal(hold.tenant, _place(hold.tenant, hold.id), hold.reason.encode()),
            "placed_at": hold.placed_at,
            "placed_by": hold.placed_by,
        }
        self._session.run(PLACE, values)

    def lift_hold(self, tenant: TenantId, id: str, by: PrincipalId, at: int) -> LegalHold | None:
        row = self._session.one(LIFT, {"tenant": tenant, "id": id, "by": by, "at": at})
        return None if row is None else self._hold(row)

    def holds(self, tenant: TenantId, *, lifted: bool = False) -> tuple[LegalHold, ...]:
        rows = self._session.all(ALL if lifted else STANDING, {"tenant": tenant})
        return tuple(self._hold(row) for row in rows)

    def _hold(self, row: Row) -> LegalHold:
        id_, tenant, scope, name, salt, reason, placed_at, placed_by, lifted_at, lifted_by = row
        try:
            words = self._session.seals.open(tenant, _place(tenant, id_), reason).decode()
        except Erased:
            words = ""
        return LegalHold(
            id_, tenant, HoldScope(scope), name, words, placed_at, placed_by, salt or b"", lifted_at, lifted_by
        )


def lock_keeping(session: Session, tenant: TenantId) -> None:
    """Wait until nobody else erases data of the tenant or places a hold."""
    session.lock(f"keeping {tenant}")


def _place(tenant: TenantId, id: str) -> str:
    return place_of("legal_holds", "reason", tenant, id)
