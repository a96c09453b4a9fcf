"""One process of many that draw on one budget: `python -m tests.contracts.spender URL NAME ATTEMPTS CLIENTS MAXIMUM`."""

from __future__ import annotations

import asyncio
import json
import sys

from interlock.adapters.sql import open_store
from interlock.gateway.store import Store
from tests.contracts.samples import NOW, a_charge


async def spend(store: Store, name: str, attempts: range, maximum: int) -> tuple[int, int]:
    """Try to hold one unit for each of `attempts`, settle every other; return how many were held and settled."""
    held = settled = 0
    for attempt in attempts:
        call = f"{name}-{attempt}"
        charges = (a_charge(1, maximum=maximum, budget="shared"), a_charge(1, maximum=10**9, budget=f"own-{name}"))
        if await store.transact(lambda tx, call=call, charges=charges: tx.budgets.reserve(call, charges, NOW)):  # type: ignore[misc]
            continue
        held += 1
        if attempt % 2:
            await store.transact(lambda tx, call=call: tx.budgets.settle(call, {}, NOW))  # type: ignore[misc]
            settled += 1
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
    print(json.dumps({"held": sum(held for held, _ in results), "settled": sum(settled for _, settled in results)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *(int(number) for number in sys.argv[3:6])))
