"""A process that adds up the trail, a few events at a time, until it is killed.

`python -m tests.faults.follower_worker JOURNAL SPANS`
"""

from __future__ import annotations

import asyncio
import sys

from interlock.adapters.sql import open_store
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.gateway import followers
from interlock.gateway.followers import SumsFollower, catch_up


async def main(journal: str, spans: str) -> None:
    """Say that it begins, and read the trail to its end."""
    followers.BATCH = 7
    store, kept = await open_store(journal), await open_span_store(spans)
    print("begun", flush=True)
    await catch_up(SumsFollower(store, kept), kept)
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
