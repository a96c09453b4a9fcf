"""INVARIANTS I6 and I7: what commits after a brake has seen it, and what is recorded is in the trail."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from interlock.brakes.ports import BrakeRecords
from interlock.domain.calls import CallStatus
from interlock.domain.ids import TenantId
from interlock.gateway.store import Store, Tx
from interlock.runs.ports import CallFilter
from tests.contracts.samples import NOW, a_brake, a_call, a_key, a_record, an_event

FEW = settings(max_examples=12, suppress_health_check=list(HealthCheck))
# A defect only has to be found; making its example small would take most of the time.
FIND = settings(FEW, max_examples=60, phases=(Phase.generate,), print_blob=False, database=None)
PAUSES = st.lists(st.integers(0, 6), min_size=1, max_size=8)
_tenants = itertools.count()


class Gate:
    """Admit as the gate does it: look for brakes and record the call in one transaction."""

    def __init__(self, store: Store, tenant: TenantId) -> None:
        self.store = store
        self.tenant = tenant

    def _insert(self, tx: Tx, name: str) -> None:
        tx.calls.insert(a_record(a_call(a_key(name, tenant=self.tenant)), status=CallStatus.EXECUTING))

    async def admit(self, name: str, pause_ms: int) -> None:
        """Record the call unless a brake is on, taking `pause_ms` between the look and the record."""

        def work(tx: Tx) -> None:
            if self._clear(tx.brakes):
                time.sleep(pause_ms / 1000)
                self._insert(tx, name)

        await self.store.transact(work)

    def _clear(self, brakes: BrakeRecords) -> bool:
        return brakes.active(self.tenant, NOW) == ()

    async def admitted(self) -> set[str]:
        """Return the calls that are recorded."""
        found = await self.store.read(lambda tx: tx.calls.search(CallFilter(self.tenant, limit=1000)))
        return {str(record.call.key.call) for record in found}


class LookFirst(Gate):
    """The seeded defect: look for brakes in a transaction of its own."""

    async def admit(self, name: str, pause_ms: int) -> None:
        if await self.store.read(lambda tx: self._clear(tx.brakes)):
            await asyncio.sleep(pause_ms / 1000)
            await self.store.transact(lambda tx: self._insert(tx, name))


async def _brake_amid_admissions(gate: Gate, pauses: list[int], before_ms: int) -> None:
    admitting = [asyncio.ensure_future(gate.admit(f"c{number}", pause)) for number, pause in enumerate(pauses)]
    await asyncio.sleep(before_ms / 1000)
    await gate.store.transact(lambda tx: tx.brakes.set(a_brake(tenant=gate.tenant)))
    when_braked = await gate.admitted()
    await asyncio.gather(*admitting, *(gate.admit(f"late{number}", 0) for number in range(3)))
    assert await gate.admitted() == when_braked, "a call was admitted after the brake"


def _brake_search(desk: tuple[asyncio.Runner, Store], kind: type[Gate], limits: settings) -> None:
    runner, store = desk

    @limits
    @given(pauses=PAUSES, before_ms=st.integers(0, 4))
    def search(pauses: list[int], before_ms: int) -> None:
        gate = kind(store, TenantId(f"t{next(_tenants)}"))
        runner.run(_brake_amid_admissions(gate, pauses, before_ms))

    search()


def test_no_call_is_admitted_after_a_brake(desk: tuple[asyncio.Runner, Store]) -> None:
    _brake_search(desk, Gate, FEW)


def test_the_same_search_finds_a_gate_that_looks_for_brakes_too_early(desk: tuple[asyncio.Runner, Store]) -> None:
    with pytest.raises(AssertionError, match="after the brake"):
        _brake_search(desk, LookFirst, FIND)


class Broken(Exception):
    """What goes wrong in the middle of a transaction."""


class Clerk:
    """Record as the gate does it: the call and its audit event in one transaction."""

    def __init__(self, store: Store, tenant: TenantId) -> None:
        self.store = store
        self.tenant = tenant

    def _call(self, tx: Tx, name: str) -> None:
        tx.calls.insert(a_record(a_call(a_key(name, tenant=self.tenant)), status=CallStatus.EXECUTING))

    def _event(self, tx: Tx, name: str) -> None:
        tx.audit.append(an_event(f"{self.tenant}-{name}", tenant=self.tenant, subject=name))

    async def record(self, name: str, breaks_after: int) -> None:
        """Record call and event; raise Broken after so many of the two steps."""

        def work(tx: Tx) -> None:
            for number, step in enumerate((self._call, self._event, _nothing)):
                if number == breaks_after:
                    raise Broken
                step(tx, name)

        await self.store.transact(work)


class TwoSteps(Clerk):
    """The seeded defect: the audit event follows in a transaction of its own."""

    async def record(self, name: str, breaks_after: int) -> None:
        for number, step in enumerate((self._call, self._event)):
            if number == breaks_after:
                raise Broken
            await self.store.transact(lambda tx, step=step: step(tx, name))  # type: ignore[misc]


def _nothing(tx: Tx, name: str) -> None:
    """The end of the transaction."""


async def _record_at_once(clerk: Clerk, breaks: list[int]) -> None:
    tasks = (clerk.record(f"c{number}", breaks_after) for number, breaks_after in enumerate(breaks))
    await asyncio.gather(*tasks, return_exceptions=True)

    def look(tx: Tx) -> tuple[set[str], set[str]]:
        calls = tx.calls.search(CallFilter(clerk.tenant, limit=1000))
        events = tx.audit.search(clerk.tenant, subject=None, limit=1000)
        return {str(record.call.key.call) for record in calls}, {event.subject for event in events}

    calls, events = await clerk.store.read(look)
    assert calls == events, "a call and its event are not both there"
    assert calls == {f"c{number}" for number, breaks_after in enumerate(breaks) if breaks_after > 2}, (
        "what failed is there"
    )


def _trail_search(desk: tuple[asyncio.Runner, Store], kind: type[Clerk], limits: settings) -> None:
    runner, store = desk

    @limits
    @given(breaks=st.lists(st.integers(0, 3), min_size=1, max_size=8))
    def search(breaks: list[int]) -> None:
        runner.run(_record_at_once(kind(store, TenantId(f"t{next(_tenants)}")), breaks))

    search()


def test_a_call_and_its_audit_event_are_both_there_or_neither(desk: tuple[asyncio.Runner, Store]) -> None:
    _trail_search(desk, Clerk, FEW)


def test_the_same_search_finds_a_clerk_that_writes_the_event_afterwards(desk: tuple[asyncio.Runner, Store]) -> None:
    with pytest.raises(AssertionError, match="there"):
        _trail_search(desk, TwoSteps, FIND)
