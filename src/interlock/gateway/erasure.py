"""Erase what is kept of a user or of a run: outside the journal first, then run by run, each with its audit event."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.canonical import canonical_json, commitment
from interlock.domain.errors import Conflict, OnHold, UnknownRun
from interlock.domain.identity import Principal
from interlock.domain.ids import RunId, TenantId, new_id, random_bytes
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.runs.keeping import Erasure, HoldScope, KeptRun

MODEL_CALLS = 500
"""Model calls whose words are taken out in one transaction."""
_RUNS = 500
"""Runs that are looked at in one transaction."""
_SHOWN = 5


class Copies(Protocol):
    """Where else words of runs stand: spans, and files of closed days."""

    async def erase(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> int:
        """Delete what belongs to a user, or to runs; return how many rows. Doing it again does no harm."""

    async def beside(self, tenant: TenantId, *, user: str = "", runs: Sequence[RunId] = ()) -> frozenset[RunId]:
        """Return the runs whose words `erase` would delete: those that share a trace with the user or `runs`, too."""


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """What is to be erased: a user or one run."""

    principal: Principal
    user: str = ""
    run: RunId | None = None
    because: str = ""
    id: str = field(default_factory=lambda: new_id("era"))
    salt: bytes = field(default_factory=lambda: random_bytes(32))
    """Whoever holds it can prove whom the audit entries are about; it is kept nowhere."""

    @property
    def tenant(self) -> TenantId:
        """Whose data it is."""
        return self.principal.tenant

    def committed(self, what: str, text: str) -> str:
        """Return what the audit trail holds in place of `text`."""
        return commitment(self.salt, what.encode() + b"\x00" + canonical_json(text))


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was erased, and the receipt."""

    id: str
    runs: tuple[RunId, ...]
    erased: Erasure
    receipt: str
    """The salt of the entry's commitments, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """Works on the journal and on whatever copies there are."""

    store: Store
    clock: Clock
    spans: Copies | None = None
    archive: Copies | None = None

    async def erase(self, order: ErasureOrder) -> ErasureReport:
        """Erase, all or nothing as far as can be known before: a run that may not be erased stops it before it begins.

        Raises OnHold, UnknownRun, and Conflict while a run is open or one of its calls is not settled.
        """
        runs = await self._runs(order)
        outside = Erasure(
            spans=await self._outside(self.spans, order, runs), archived=await self._outside(self.archive, order, runs)
        )
        done = outside
        for run in runs:
            done += await self.store.transact(lambda tx, run=run: self._erase_run(tx, order, run))  # type: ignore[misc]
        last = Erasure(model_calls=MODEL_CALLS)
        while order.user and last.model_calls == MODEL_CALLS:
            last = await self.store.transact(lambda tx: self._erase_user(tx, order))
            done += last
        await self.store.transact(lambda tx: tx.audit.append(self._event(order, done, whole=True)))
        return ErasureReport(order.id, runs, done, order.salt.hex())

    async def _runs(self, order: ErasureOrder) -> tuple[RunId, ...]:
        """Return the runs to erase, once it is known that all of them may be."""
        tenant, now = order.tenant, self.clock.now()

        def find(tx: Tx) -> tuple[RunId, ...]:
            check_holds(tx, tenant, order.user)
            held = tx.keeping.held_calls(tenant, order.user) if order.user else ""
            if held:
                raise _held(held, "it covers model calls of this user")
            return (order.run,) if order.run is not None else tx.keeping.runs_of(tenant, order.user)

        runs = await self.store.read(find)
        known = await self._kept(tenant, runs, now)
        if order.run is not None and not known:
            raise UnknownRun(f"There is no run {order.run}")
        check_erasable(known)
        beside = {run for copies in (self.spans, self.archive) for run in await self._beside(copies, order, runs)}
        _check_unheld(await self._kept(tenant, tuple(sorted(beside)), now))
        return runs

    async def _kept(self, tenant: TenantId, runs: tuple[RunId, ...], now: int) -> list[KeptRun]:
        known: list[KeptRun] = []
        for first in range(0, len(runs), _RUNS):
            part = runs[first : first + _RUNS]
            known += await self.store.read(lambda tx, part=part: tx.keeping.kept(tenant, part, now))  # type: ignore[misc]
        return known

    async def _beside(self, copies: Copies | None, order: ErasureOrder, runs: tuple[RunId, ...]) -> frozenset[RunId]:
        return frozenset() if copies is None else await copies.beside(order.tenant, user=order.user, runs=runs)

    async def _outside(self, copies: Copies | None, order: ErasureOrder, runs: tuple[RunId, ...]) -> int:
        return 0 if copies is None else await copies.erase(order.tenant, user=order.user, runs=runs)

    def _erase_run(self, tx: Tx, order: ErasureOrder, run: RunId) -> Erasure:
        now = self.clock.now()
        check_erasable(tx.keeping.kept(order.tenant, (run,), now))
        erased = tx.keeping.erase_run(order.tenant, run, now, identity=True)
        tx.audit.append(self._event(order, erased, run=run))
        return erased

    def _erase_user(self, tx: Tx, order: ErasureOrder) -> Erasure:
        check_holds(tx, order.tenant, order.user)
        return tx.keeping.erase_user(order.tenant, order.user, self.clock.now(), MODEL_CALLS)

    def _event(
        self, order: ErasureOrder, erased: Erasure, *, run: RunId | None = None, whole: bool = False
    ) -> AuditEvent:
        """Return the event: whom it is about stands in it as a commitment only."""
        about = ("user", order.user) if order.user else ("run", str(order.run))
        body = {
            "because": order.committed("because", order.because) if order.because else None,
            "erased": {name: count for name, count in asdict(erased).items() if count},
            "erasure": order.id,
            "scope": about[0],
            "whole": whole,
            about[0]: order.committed(*about),
        }
        subject = order.id if run is None else str(run)
        return event(order.tenant, AuditKind.DATA_ERASED, self.clock.now(), order.principal.id, subject, body)


def check_holds(tx: Tx, tenant: TenantId, user: str) -> None:
    """Raise OnHold if a hold covers the tenant or the user."""
    for hold in tx.keeping.holds(tenant):
        if hold.scope is HoldScope.TENANT or (user and hold.scope is HoldScope.USER and hold.name == user):
            raise _held(hold.id, "it covers everything" if hold.scope is HoldScope.TENANT else "it covers this user")


def check_erasable(runs: Sequence[KeptRun]) -> None:
    """Raise OnHold or Conflict if one of the runs may not be erased now."""
    _check_unheld(runs)
    unended = [one for one in runs if not one.ended]
    if unended:
        raise Conflict(
            "A run that may still make calls cannot be erased",
            why=f"still open: {_some(unended)}",
            do="Close them (interlock runs stop RUN), and repeat; nothing was erased",
        )
    unsettled = [one for one in runs if one.unsettled]
    if unsettled:
        raise Conflict(
            "A run whose calls are not settled cannot be erased",
            why=f"calls wait, are under way or have an unknown outcome in {_some(unsettled)}",
            do="Decide on them or resolve them (interlock approvals, interlock runs resolve), and repeat; nothing was erased",
        )


def _check_unheld(runs: Sequence[KeptRun]) -> None:
    held = [one for one in runs if one.hold]
    if held:
        raise _held(held[0].hold, f"it covers {_some(held)}")


def _held(hold: str, why: str) -> OnHold:
    return OnHold(
        f"The legal hold {hold} forbids to erase this",
        why=why,
        do="See interlock holds list; whoever placed it says when it may be lifted. Nothing was erased",
    )


def _some(runs: Sequence[KeptRun]) -> str:
    names = ", ".join(one.run for one in runs[:_SHOWN])
    return f"{names} and {len(runs) - _SHOWN} more" if len(runs) > _SHOWN else names
