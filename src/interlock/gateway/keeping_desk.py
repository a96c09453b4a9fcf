"""Use cases around what is kept: erasure, legal holds, retention, and the keys of encryption."""

import logging
from collections.abc import Mapping
from typing import Protocol

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.canonical import Json, canonical_json, commitment
from interlock.domain.errors import BadInput, Conflict, Forbidden, StoreUnavailable, UnknownRecord
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import RunId, TenantId, new_id, random_bytes
from interlock.gateway.erasure import Eraser, ErasureOrder, ErasureReport
from interlock.gateway.ports import Clock
from interlock.gateway.retention import Due, Retention
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.runs.keeping import Erasure, HoldScope, LegalHold, Resealed, TenantKey

_LOG = logging.getLogger(__name__)
_LONGEST = 1_000
_RESEALED = 50
"""Runs or model calls that are sealed in one transaction."""


class Compactable(Protocol):
    """A database whose deleted rows can be removed from the disk."""

    async def compact(self, *, whole: bool) -> None:
        """Remove what was deleted from the database's log; with `whole` rewrite its files, which stops writers meanwhile."""


class Vaulted(Compactable, Protocol):
    """A store whose bodies are encrypted."""

    @property
    def has_plain_rows(self) -> bool:
        """Whether rows of versions that sealed nothing may still be there."""

    async def refresh(self) -> None:
        """Learn what was done to the tenants' keys."""


class KeepingDesk:
    """What is deleted and what stays. Every change is an audit event of the same transaction."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        eraser: Eraser,
        retention: Retention,
        vault: Vaulted | None,
        spans: Compactable | None = None,
    ) -> None:
        """`vault` is the store again, where it encrypts; `spans` the database of spans, where there is one."""
        self._databases = tuple(one for one in (vault, spans) if one is not None)
        self._store = store
        self._clock = clock
        self._eraser = eraser
        self._retention = retention
        self._vault = vault

    async def erase(
        self, principal: Principal, *, user: str = "", run: RunId | None = None, because: str = ""
    ) -> ErasureReport:
        """Erase what is kept of a user or a run. Raises Forbidden, BadInput, OnHold, UnknownRun, Conflict."""
        _check(principal, Role.ADMIN, "Erasing data")
        if bool(user) is (run is not None):
            raise BadInput("One erasure is of one user or of one run", do="Name one of both")
        _check_reason(because, needed=False)
        report = await self._eraser.erase(ErasureOrder(principal, user, run, because))
        await self._tidy()
        return report

    async def place(self, principal: Principal, scope: HoldScope, name: str, reason: str) -> LegalHold:
        """Place a legal hold. Raises Forbidden, BadInput."""
        _check(principal, Role.ADMIN, "Placing a legal hold")
        _check_reason(reason, needed=True)
        if bool(name) is (scope is HoldScope.TENANT):
            raise BadInput(f"A hold on a {scope} {'takes no' if name else 'needs a'} name")
        now = self._clock.now()
        hold = LegalHold(
            new_id("hold"), principal.tenant, scope, name, reason, now, principal.id, salt=random_bytes(32)
        )

        def work(tx: Tx) -> None:
            tx.keeping.place_hold(hold)
            tx.audit.append(_hold_event(AuditKind.HOLD_PLACED, hold, now, principal))

        await self._store.transact(work)
        return hold

    async def lift(self, principal: Principal, id: str) -> LegalHold:
        """Lift a legal hold. Raises Forbidden, UnknownRecord."""
        _check(principal, Role.ADMIN, "Lifting a legal hold")
        now = self._clock.now()

        def work(tx: Tx) -> LegalHold:
            lifted = tx.keeping.lift_hold(principal.tenant, id, principal.id, now)
            if lifted is None:
                raise UnknownRecord(f"No hold {id} stands", do="See interlock holds list")
            tx.audit.append(_hold_event(AuditKind.HOLD_LIFTED, lifted, now, principal))
            return lifted

        return await self._store.transact(work)

    async def holds(self, principal: Principal, *, lifted: bool = False) -> tuple[LegalHold, ...]:
        """Return the holds that stand; with `lifted` those of before too. Raises Forbidden."""
        _check_reader(principal)
        return await self._store.read(lambda tx: tx.keeping.holds(principal.tenant, lifted=lifted))

    async def due(self, principal: Principal) -> Due:
        """Return for how long what is kept, and what is over. Raises Forbidden."""
        _check_reader(principal)
        return await self._retention.due(principal.tenant)

    async def expire(self, principal: Principal) -> Erasure:
        """Let go of everything that is over, now. Raises Forbidden."""
        _check(principal, Role.ADMIN, "Letting go of data")
        done = Erasure()
        while (step := await self._retention.sweep_tenant(principal.tenant)) != Erasure():
            done += step
        await self._tidy()
        return done

    async def sweep(self) -> None:
        """Seal what is not sealed yet, and let go of some of what is over. For the process's own clock."""
        await self.reseal()
        await self._retention.sweep()

    async def refresh(self) -> None:
        """Learn what other processes did to the encryption keys."""
        if self._vault is not None:
            await self._vault.refresh()

    async def compact(self, principal: Principal) -> None:
        """Rewrite the database's files without what was deleted. Nothing can be written meanwhile. Raises Forbidden."""
        _check(principal, Role.ADMIN, "Compacting the database")
        for database in self._databases:
            await database.compact(whole=True)

    async def _tidy(self) -> None:
        """Remove from the disk what was deleted. What was erased is erased, whether the database has time for this or not."""
        for database in self._databases:
            try:
                await database.compact(whole=False)
            except StoreUnavailable as error:
                _LOG.warning("what was deleted is still in the database's log: %s", error)

    async def keys(self, principal: Principal) -> tuple[TenantKey, ...]:
        """Return the tenant's encryption keys. Raises Forbidden."""
        _check_reader(principal)
        return await self._store.read(lambda tx: tx.keeping.keys(principal.tenant))

    async def rotate(self, principal: Principal) -> None:
        """Seal what is written from now on under a new key. Raises Forbidden, Conflict."""
        _check(principal, Role.ADMIN, "Changing the encryption key")
        tenant, now = principal.tenant, self._clock.now()

        def work(tx: Tx) -> None:
            tx.keeping.rotate_key(tenant, now)
            key = tx.keeping.keys(tenant)[-1].id
            tx.audit.append(_key_event(AuditKind.ENCRYPTION_ROTATED, principal, now, {"key": key}))

        await self._store.transact(work)
        await self.refresh()

    async def rewrap(self, principal: Principal, key: bytes) -> int:
        """Wrap all keys under another wrapping key; return how many. Raises Forbidden, Conflict."""
        _check(principal, Role.ADMIN, "Changing the encryption key")
        now = self._clock.now()

        def work(tx: Tx) -> int:
            count = tx.keeping.rewrap_keys(key)
            tx.audit.append(_key_event(AuditKind.ENCRYPTION_REWRAPPED, principal, now, {"keys": count}))
            return count

        return await self._store.transact(work)

    async def destroy(self, principal: Principal, tenant: TenantId, because: str) -> int:
        """Destroy the tenant's keys: everything that is sealed under them is gone for good. Return how many.

        Raises Forbidden, BadInput unless `tenant` is the principal's own, Conflict while calls are not settled or a hold stands.
        """
        _check(principal, Role.ADMIN, "Destroying the encryption keys")
        _check_reason(because, needed=True)
        if tenant != principal.tenant:
            raise BadInput(f"This deployment's tenant is {principal.tenant}", do="Name the tenant whose data is to go")
        now = self._clock.now()

        def work(tx: Tx) -> int:
            count = tx.keeping.destroy_keys(tenant, now)
            if count == 0:
                raise Conflict(f"{tenant} has no key", why="nothing was sealed since the last one was destroyed")
            tx.audit.append(
                _key_event(AuditKind.ENCRYPTION_DESTROYED, principal, now, {"because": because, "keys": count})
            )
            return count

        count = await self._store.transact(work)
        await self.refresh()
        return count

    async def reseal(self) -> int:
        """Seal what earlier versions wrote in the clear; return how many bodies. Then one that is not sealed is damage."""
        if self._vault is None or not self._vault.has_plain_rows:
            return 0
        total, found = 0, 1
        while found:
            step = Resealed()
            while step.table:
                step = await self._store.transact(lambda tx, step=step: tx.keeping.reseal(step, _RESEALED))  # type: ignore[misc]
            found = step.sealed
            total += found
        await self._store.transact(lambda tx: tx.keeping.be_strict())
        await self.refresh()
        return total


def _check(principal: Principal, role: Role, what: str) -> None:
    if not principal.may(role):
        raise Forbidden(f"{what} is for the role `{role}`", do="Use a key with that role")


def _check_reader(principal: Principal) -> None:
    if not (principal.may(Role.OPERATOR) or principal.may(Role.AUDITOR)):
        raise Forbidden("What is kept is for operators and auditors to see")


def _check_reason(reason: str, *, needed: bool) -> None:
    if len(reason) > _LONGEST or (needed and not reason.strip()):
        raise BadInput("The reason is missing or too long", do="Say why, in a sentence")


def _hold_event(kind: AuditKind, hold: LegalHold, now: int, principal: Principal) -> AuditEvent:
    """Return the event of a hold. Whom it names, and why, stands in it as commitments: the name may be a person's."""
    body = {
        "name": _committed(hold, "name", hold.name) if hold.name else None,
        "reason": _committed(hold, "reason", hold.reason),
        "scope": hold.scope.value,
    }
    return event(hold.tenant, kind, now, principal.id, hold.id, body)


def _committed(hold: LegalHold, field: str, value: Json) -> str:
    return commitment(hold.salt, field.encode() + b"\x00" + canonical_json(value))


def _key_event(kind: AuditKind, principal: Principal, now: int, body: Mapping[str, Json]) -> AuditEvent:
    return event(principal.tenant, kind, now, principal.id, "encryption", dict(body))
