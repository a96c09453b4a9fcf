"""One process of several that spend from leased budgets: `python -m tests.contracts.leaser URL NAME CLIENTS MAXIMUM`."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from dataclasses import dataclass

from interlock.adapters.clock import SystemClock
from interlock.adapters.sql import open_store
from interlock.domain.budgets import Charge
from interlock.domain.errors import BudgetExceeded
from interlock.domain.models import Attempt, Usage, UsageSource
from interlock.gateway.leases import Held, LeaseBook
from interlock.gateway.recorder import Recorder
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import an_event
from tests.kits.leasing import a_charge

SHARED = "acme|shared"
HELD = 40
"""What a call holds; it uses up to half as much again."""


@dataclass(slots=True)
class Tally:
    """What the clients of one process did."""

    calls: int = 0
    used: int = 0
    refused: int = 0
    abandoned: int = 0
    beyond: int = 0


class Clients:
    """Many at once, until the budget is spent."""

    def __init__(self, name: str, book: LeaseBook, recorder: Recorder, maximum: int) -> None:
        self._name = name
        self._book = book
        self._recorder = recorder
        self._maximum = maximum
        self.tally = Tally()
        self.endings: list[asyncio.Task[None]] = []

    async def client(self, number: int) -> None:
        """Call and call again; every fifth call is abandoned in the middle. Stop when refused."""
        refusals = 0
        while refusals < 2:
            charges = (a_charge(HELD, SHARED, self._maximum), a_charge(1, f"acme|own-{self._name}-{number}", 10**9))
            call = asyncio.create_task(self._call(charges))
            if random.random() < 0.2:
                await asyncio.sleep(random.random() * 0.004)
                call.cancel()
            try:
                await call
            except BudgetExceeded:
                refusals += 1
                self.tally.refused += 1
            except asyncio.CancelledError:
                self.tally.abandoned += 1

    async def _call(self, charges: tuple[Charge, ...]) -> None:
        held = self._book.try_hold(charges) or await self._book.hold(charges)
        used = 0
        try:
            await asyncio.sleep(random.random() * 0.004)
            used = random.randrange(HELD * 3 // 2)
        finally:
            # Whoever goes away meanwhile must not keep what was used from being settled and recorded.
            ending = asyncio.create_task(self._end(held, used))
            self.endings.append(ending)
            await asyncio.shield(ending)

    async def _end(self, held: Held, used: int) -> None:
        excess = self._book.settle(held, lambda charge: used if charge.budget == SHARED else 1)
        if excess:
            excess = await self._book.settle_excess(excess)
        beyond = sum(amount for _, amount in excess)
        self.tally.beyond += beyond
        self._record(used - beyond)

    def _record(self, used: int) -> None:
        self.tally.calls += 1
        self.tally.used += used
        id_ = f"mc-{self._name}-{self.tally.calls}"
        attempt = Attempt("local", "m", "served", 1, Usage(used), UsageSource.PROVIDER)
        self._recorder.note(a_model_record(id_, attempts=(attempt,), proposals=()), (an_event(id_, subject=id_),))


async def main(url: str, name: str, clients: int, maximum: int) -> None:
    """Wait for the word to start, spend, and print what was done."""
    store = await open_store(url)
    await store.transact(lambda tx: tx.heartbeats.beat(name, SystemClock().now()))
    book = LeaseBook(store, name, SystemClock())
    recorder = Recorder(store, book, name)
    many = Clients(name, book, recorder, maximum)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(many.client(number) for number in range(clients)))
    await asyncio.gather(*many.endings)
    await recorder.close()
    await book.close()
    await store.close()
    tally = many.tally
    print(json.dumps({"calls": tally.calls, "used": tally.used, "refused": tally.refused, "beyond": tally.beyond}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
