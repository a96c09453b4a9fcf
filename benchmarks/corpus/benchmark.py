"""All runs of all groups in all settings, a few servers at a time."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.corpus.configuration import SuiteConfiguration
from benchmarks.corpus.deployment import interlock
from benchmarks.corpus.player import Played, play
from benchmarks.corpus.processes import free_port, running
from benchmarks.corpus.records import Group, Record
from benchmarks.corpus.reviewer import Setting
from benchmarks.corpus.roads import Road, Ungated
from benchmarks.corpus.stage import StageDoor

_WORLDS = {"agentdojo": "benchmarks.corpus.worlds.agentdojo"}
_REPLAYED = "benchmarks.corpus.worlds.replayed"
_ROOT = Path(__file__).resolve().parents[2]

Progress = Callable[[Group, Setting, int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One group in one setting: an upstream server, an Interlock, and runs one after the other."""

    group: Group
    records: tuple[Record, ...]
    setting: Setting
    configuration: SuiteConfiguration | None
    """None plays without Interlock."""


async def play_all(
    jobs: Sequence[Job], data: Path, program: Sequence[str], *, at_once: int, progress: Progress
) -> list[Played]:
    """Play every job, `at_once` at a time. Raises ProcessFailed and RoadFailed, and then ends what was started."""
    gate = asyncio.Semaphore(at_once)

    async def one(job: Job) -> list[Played]:
        async with gate:
            with tempfile.TemporaryDirectory(prefix="interlock-corpus-") as scratch:
                return await _play(job, data, program, Path(scratch), progress)

    async with asyncio.TaskGroup() as tasks:
        running_jobs = [tasks.create_task(one(job)) for job in jobs]
    return [played for task in running_jobs for played in task.result()]


async def _play(job: Job, data: Path, program: Sequence[str], scratch: Path, progress: Progress) -> list[Played]:
    played = []
    async with aiohttp.ClientSession() as client, _upstream(job.group, data, scratch) as upstream:
        door = StageDoor(client, upstream)
        identity = job.configuration.identity if job.configuration else {}
        async with _road(job, program, scratch, f"{upstream}/mcp", client) as road:
            for done, record in enumerate(job.records):
                progress(job.group, job.setting, done, len(job.records))
                played.append(await play(record, job.setting, road, door, identity))
    progress(job.group, job.setting, len(job.records), len(job.records))
    return played


@asynccontextmanager
async def _road(
    job: Job, program: Sequence[str], scratch: Path, upstream: str, client: aiohttp.ClientSession
) -> AsyncIterator[Road]:
    if job.configuration is None:
        yield Ungated(upstream)
        return
    async with interlock(program, job.configuration, scratch, upstream, client) as gated:
        yield gated


@asynccontextmanager
async def _upstream(group: Group, data: Path, scratch: Path) -> AsyncIterator[str]:
    port = free_port()
    world = _WORLDS.get(group.source, _REPLAYED)
    options = ["--port", str(port), "--data", str(data), "--source", group.source, "--suite", group.suite]
    argv = [sys.executable, "-W", "ignore", "-m", world, *options]
    # A fixed seed: some of AgentDojo's results list a set.
    environment = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(_ROOT)}
    async with running(f"the tools of {group}", argv, port=port, log=scratch / "upstream.log", environment=environment):
        yield f"http://127.0.0.1:{port}"
