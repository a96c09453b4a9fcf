"""One process of many that draw on one budget: `python -m tests.contracts.spender URL NAME ATTEMPTS CLIENTS MAXIMUM`."""

from __future__ import annotations

import asyncio
import json
import sys

from interlock.adapters.sql import open_store
from interlock.gateway.store import Store
from tests.contracts.samples import NOW, a_charge, used


async def spend(store: Store, name: str, attempts: range, maximum: int) -> tuple[list[str], list[str]]:
    """Try to hold one unit for each of `attempts`, settle every other; return the calls that were held and settled."""
    held: list[str] = []
    settled: list[str] = []
    for attempt in attempts:
        call = f"{name}-{attempt}"
        charges = (a_charge(1, maximum=maximum, budget="shared"), a_charge(1, maximum=10**9, budget=f"own-{name}"))
        if await store.transact(lambda tx, call=call, charges=charges: tx.budgets.reserve(call, charges, NOW)):  # type: ignore[misc]
            continue
        held.append(call)
        if attempt % 2:
            await store.transact(lambda tx, call=call: tx.budgets.settle(call, used(), NOW))  # type: ignore[misc]
            settled.append(call)
    return held, settled


async def main(url: str, name: str, attempts: int, clients: int, maximum: int) -> None:
    """Wait for the word to start, spend, and print what was granted."""
    store = await open_store(url)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    share = attempts // clients
    results = await asyncio.gather(
        *(spend(store, name, range(share * client, share * (client + 1)), maximum) for client in range(clients))
    )
    await store.close()
    granted = [call for held, _ in results for call in held]
    print(json.dumps({"held": granted, "settled": [call for _, settled in results for call in settled]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *(int(number) for number in sys.argv[3:6])))
