"""Changes of tools are noticed when announced and at the interval."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from interlock.adapters.mcp.watch import Watch
from interlock.domain.errors import ToolUnavailable


class Server:
    def __init__(self, heard: tuple[bool, ...] = ()) -> None:
        self.heard = list(heard)

    async def listen(self) -> bool:
        return self.heard.pop(0) if self.heard else False


class Refreshed:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.times = 0
        self.again = asyncio.Event()

    async def __call__(self) -> None:
        self.times += 1
        self.again.set()
        if self.failures:
            raise self.failures.pop()


@asynccontextmanager
async def watching(watch: Watch, server: Server, refresh: Refreshed) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run((server,), refresh))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_announcement_brings_one_refresh() -> None:
    watch, refresh = Watch(every_s=60), Refreshed()
    async with watching(watch, Server(), refresh):
        for _ in range(5):
            watch.nudge()
        await asyncio.wait_for(refresh.again.wait(), 5)
        await asyncio.sleep(0.2)
    assert refresh.times == 1


async def test_a_stream_that_ended_counts_as_an_announcement() -> None:
    refresh = Refreshed()
    async with watching(Watch(every_s=60), Server((True,)), refresh):
        await asyncio.wait_for(refresh.again.wait(), 5)


async def test_a_refresh_that_fails_is_made_again_at_the_interval() -> None:
    refresh = Refreshed(ToolUnavailable("down"))
    async with watching(Watch(every_s=0.05), Server(), refresh):
        while refresh.times < 3:
            refresh.again.clear()
            await asyncio.wait_for(refresh.again.wait(), 5)
