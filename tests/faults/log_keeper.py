"""A process that records events and keeps the audit log going, as a server does, until it is killed.

`python -m tests.faults.log_keeper URL STATE NAME`: a line follows once an event is recorded, and one with `signed` once a
checkpoint is. It signs as often as it can.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from interlock.adapters.keys import CheckpointFile, KeyFiles
from interlock.adapters.sql import open_store
from interlock.audit.checkpoints import read_checkpoint
from interlock.gateway.audit_log import Log, Sequencer, Signer
from interlock.gateway.store import Store
from tests.contracts.samples import an_event

ORIGIN = "interlock/acme"


async def _record(store: Store, name: str) -> None:
    number = 0
    while True:
        row = f"{name}-{number}"
        await store.transact(lambda tx, row=row: tx.audit.append(an_event(row, subject=row)))  # type: ignore[misc]
        print(row, flush=True)
        number += 1


async def _keep(store: Store, state: Path) -> None:
    signer = Signer(Log(store, KeyFiles(state), CheckpointFile(state), ORIGIN))
    sequencer = Sequencer(store)
    while True:
        await sequencer.place()
        note = await signer.sign()
        if note is not None:
            print(f"signed {read_checkpoint(note).size}", flush=True)


async def main(url: str, state: str, name: str) -> None:
    """Record, place and sign until killed."""
    store = await open_store(url)
    await asyncio.gather(*(_record(store, f"{name}-{client}") for client in range(4)), _keep(store, Path(state)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
