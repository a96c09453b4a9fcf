"""All runs of all groups in all settings, a few servers at a time."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
    """One group, in one setting after the other: per setting an upstream server, an Interlock, and run after run."""

    group: Group
    records: tuple[Record, ...]
    settings: tuple[Setting, ...]
    configuration: SuiteConfiguration | None
    """None plays without Interlock."""
    over_rest: bool = False
    """Propose calls over REST in place of MCP."""


async def play_all(
    jobs: Sequence[Job], data: Path, program: Sequence[str], *, at_once: int, progress: Progress
) -> list[Played]:
    """Play every job, `at_once` at a time. Raises ProcessFailed and RoadFailed, and then ends what was started."""
    gate = asyncio.Semaphore(at_once)

    async def one(job: Job) -> list[Played]:
        async with gate:
            played: list[Played] = []
            for setting in job.settings:
                # Where nobody was asked, it makes no difference who would have answered.
                known = [replace(run, setting=setting) for run in played if not run.held]
                done = {run.record.number for run in known}
                records = tuple(record for record in job.records if record.number not in done)
                with tempfile.TemporaryDirectory(prefix="interlock-corpus-") as scratch:
                    fresh = await _play(job, setting, records, data, program, Path(scratch), progress)
                played += [*known, *fresh]
            return played

    async with asyncio.TaskGroup() as tasks:
        running_jobs = [tasks.create_task(one(job)) for job in jobs]
    return [played for task in running_jobs for played in task.result()]


async def _play(
    job: Job,
    setting: Setting,
    records: tuple[Record, ...],
    data: Path,
    program: Sequence[str],
    scratch: Path,
    progress: Progress,
) -> list[Played]:
    played = []
    async with aiohttp.ClientSession() as client, _upstream(job.group, data, scratch) as upstream:
        door = StageDoor(client, upstream)
        identity = job.configuration.identity if job.configuration else {}
        async with _road(job, program, scratch, f"{upstream}/mcp", client) as road:
            for done, record in enumerate(records):
                progress(job.group, setting, done, len(records))
                played.append(await play(record, setting, road, door, identity))
    progress(job.group, setting, len(records), len(records))
    return played


@asynccontextmanager
async def _road(
    job: Job, program: Sequence[str], scratch: Path, upstream: str, client: aiohttp.ClientSession
) -> AsyncIterator[Road]:
    if job.configuration is None:
        yield Ungated(upstream)
        return
    async with interlock(program, job.configuration, scratch, upstream, client) as gated:
        yield replace(gated, over_rest=job.over_rest)


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
