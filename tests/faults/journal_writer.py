"""A process that records as fast as it can and says what was recorded, until it is killed.

`python -m tests.faults.journal_writer URL NAME [halves]`: 8 clients; each transaction writes a call, a hold, evidence and
an audit event of the same name; a line with the name follows once the transaction is recorded. `halves` is the seeded
defect: the call in one transaction, the rest in a second.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from interlock.adapters.sql import open_store
from interlock.domain.calls import CallStatus
from interlock.domain.ids import CallId, RunId
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, NOW, a_call, a_charge, a_key, a_record, an_event

CLIENTS = 8


def first_half(tx: Tx, name: str) -> None:
    """Write the call."""
    tx.calls.insert(a_record(a_call(a_key(name)), status=CallStatus.EXECUTING))


def second_half(tx: Tx, name: str) -> None:
    """Write what belongs to the call."""
    tx.budgets.reserve(name, (a_charge(1, maximum=10**9, budget="shared"),), NOW)
    tx.evidence.append(ACME, RunId("run-1"), "tool_result", "", CallId(name))
    tx.audit.append(an_event(name, subject=name))


def whole(tx: Tx, name: str) -> None:
    """Write the four rows that belong together."""
    first_half(tx, name)
    second_half(tx, name)


async def _client(store: Store, name: str, *steps: Callable[[Tx, str], None]) -> None:
    number = 0
    while True:
        row = f"{name}-{number}"
        for step in steps:
            await store.transact(lambda tx, row=row, step=step: step(tx, row))  # type: ignore[misc]
        print(row, flush=True)
        number += 1


async def main(url: str, name: str, *defect: str) -> None:
    """Record until killed."""
    store = await open_store(url)
    steps = (first_half, second_half) if defect else (whole,)
    await asyncio.gather(*(_client(store, f"{name}-{client}", *steps) for client in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
