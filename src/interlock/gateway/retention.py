"""Let go of what has been kept long enough, in small batches, with a record of each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from interlock.domain.audit import AuditKind
from interlock.domain.canonical import Json
from interlock.domain.ids import RunId, TenantId
from interlock.gateway.ports import Clock
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.runs.keeping import Erasure, HoldScope

RUNS = 20
"""Runs in one transaction."""
MODEL_CALLS = 200
SPANS = 1_000
BATCHES = 50
"""The most batches of one kind in one sweep: the next one goes on."""
LATE_MS = 24 * 3_600_000
"""For so long it is looked whether an erased run has got something since."""
COUNTED = 10_000
"""What is due is counted so far."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long what is kept of one tenant, in milliseconds."""

    bodies: int
    spans: int
    archive: int


class ExpiringSpans(Protocol):
    """Spans that can be let go of."""

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str], limit: int) -> int:
        """Delete up to `limit` spans that began before `before`, but for `keep_runs`; return how many."""


class ExpiringArchive(Protocol):
    """Files of closed days that can be let go of."""

    async def expire(self, tenant: TenantId, before: int, keep_runs: frozenset[str]) -> int:
        """Delete the files of days that ended before `before`, but for what is of `keep_runs`; return how many."""


@dataclass(frozen=True, slots=True)
class Due:
    """What has been kept long enough."""

    tenant: TenantId
    times: Times
    runs: int
    """Counted up to `COUNTED`."""
    holds: int
    """That stand: what they cover stays."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Works through the tenants' times."""

    store: Store
    clock: Clock
    tenants: Mapping[TenantId, Times]
    spans: ExpiringSpans | None = None
    archive: ExpiringArchive | None = None

    async def due(self, tenant: TenantId) -> Due:
        """Return what the next sweeps let go of."""
        now, times = self.clock.now(), self.tenants[tenant]

        def look(tx: Tx) -> Due:
            runs = tx.keeping.expired(tenant, now - times.bodies, now, COUNTED)
            return Due(tenant, times, len(runs), len(tx.keeping.holds(tenant)))

        return await self.store.read(look)

    async def sweep(self) -> Erasure:
        """Let go of what is due, of every tenant; what is left over for the next sweep is little at a time."""
        done = Erasure()
        for tenant in self.tenants:
            done += await self.sweep_tenant(tenant)
        return done

    async def sweep_tenant(self, tenant: TenantId) -> Erasure:
        """Let go of what is due of one tenant."""
        done = Erasure()
        for step in (self._late, self._bodies, self._alone, self._spans):
            for _ in range(BATCHES):
                erased, more = await step(tenant)
                done += erased
                if not more:
                    break
        return done + await self._archive(tenant)

    async def _bodies(self, tenant: TenantId) -> tuple[Erasure, bool]:
        now = self.clock.now()
        before = now - self.tenants[tenant].bodies

        def work(tx: Tx) -> tuple[Erasure, bool]:
            runs = tx.keeping.expired(tenant, before, now, RUNS)
            return self._erase(tx, tenant, runs, before, identity=False), len(runs) == RUNS

        return await self.store.transact(work)

    async def _late(self, tenant: TenantId) -> tuple[Erasure, bool]:
        """Erase again what calls that were under way have added to erased runs."""
        now = self.clock.now()
        found = await self.store.read(lambda tx: tx.keeping.late(tenant, now - LATE_MS, RUNS))
        if not found:
            return Erasure(), False

        def work(tx: Tx) -> Erasure:
            standing = {one.run for one in tx.keeping.kept(tenant, found, now) if not one.hold}
            runs = tuple(run for run in found if run in standing)
            return self._erase(tx, tenant, runs, now, identity=None)

        erased = await self.store.transact(work)
        return erased, bool(erased.runs) and len(found) == RUNS

    def _erase(
        self, tx: Tx, tenant: TenantId, runs: tuple[RunId, ...], before: int, *, identity: bool | None
    ) -> Erasure:
        """Erase runs; without `identity` their users go too where they went the first time."""
        now, done = self.clock.now(), Erasure()
        for run in runs:
            of_run = identity
            if of_run is None:
                found = tx.runs.find(tenant, run)
                of_run = found is not None and found.user is None
            done += tx.keeping.erase_run(tenant, run, now, identity=of_run)
        if runs:
            self._note(tx, tenant, {"before": before, "material": "bodies", "runs": list(runs)}, done)
        return done

    async def _alone(self, tenant: TenantId) -> tuple[Erasure, bool]:
        now = self.clock.now()
        before = now - self.tenants[tenant].bodies

        def work(tx: Tx) -> tuple[Erasure, bool]:
            erased = Erasure(model_calls=tx.keeping.expire_alone(tenant, before, now, MODEL_CALLS))
            if erased.model_calls:
                self._note(tx, tenant, {"before": before, "material": "model_calls"}, erased)
            return erased, erased.model_calls == MODEL_CALLS

        return await self.store.transact(work)

    async def _spans(self, tenant: TenantId) -> tuple[Erasure, bool]:
        spans = self.spans
        if spans is None:
            return Erasure(), False
        held = await self.store.read(lambda tx: _held(tx, tenant))
        if held is None:
            return Erasure(), False
        before = self.clock.now() - self.tenants[tenant].spans
        erased = Erasure(spans=await spans.expire(tenant, before, held, SPANS))
        await self._noted(tenant, {"before": before, "material": "spans"}, erased)
        return erased, erased.spans == SPANS

    async def _archive(self, tenant: TenantId) -> Erasure:
        archive = self.archive
        held = await self.store.read(lambda tx: _held(tx, tenant))
        if archive is None or held is None:
            return Erasure()
        before = self.clock.now() - self.tenants[tenant].archive
        erased = Erasure(archived=await archive.expire(tenant, before, held))
        await self._noted(tenant, {"before": before, "material": "archive"}, erased)
        return erased

    async def _noted(self, tenant: TenantId, body: Mapping[str, Json], erased: Erasure) -> None:
        if erased != Erasure():
            await self.store.transact(lambda tx: self._note(tx, tenant, body, erased))

    def _note(self, tx: Tx, tenant: TenantId, body: Mapping[str, Json], erased: Erasure) -> None:
        counts = {name: count for name, count in asdict(erased).items() if count}
        tx.audit.append(
            event(
                tenant,
                AuditKind.DATA_EXPIRED,
                self.clock.now(),
                "gateway",
                "retention",
                {**body, "erased": counts},
            )
        )


def _held(tx: Tx, tenant: TenantId) -> frozenset[str] | None:
    """Return the runs whose spans a hold keeps; None when all spans stay.

    A span says of what run it is, and seldom of which user or agent: while a hold on such a one stands, none expires.
    """
    if any(hold.scope is not HoldScope.RUN for hold in tx.keeping.holds(tenant)):
        return None
    return frozenset(tx.keeping.held_runs(tenant))
