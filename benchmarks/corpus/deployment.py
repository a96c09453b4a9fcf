"""A real Interlock server for one suite: its own folder, its own store, its own keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from benchmarks.corpus.configuration import SuiteConfiguration
from benchmarks.corpus.processes import ProcessFailed, free_port, running
from benchmarks.corpus.roads import Gated, Keys

_APPROVERS = (1, 2)
"""As many different people as any tier asks for."""


@asynccontextmanager
async def interlock(
    program: Sequence[str],
    configuration: SuiteConfiguration,
    scratch: Path,
    upstream: str,
    client: aiohttp.ClientSession,
) -> AsyncIterator[Gated]:
    """Serve `configuration` before `upstream` while the block lasts. Raises ProcessFailed."""
    port = free_port()
    folder = configuration.copy_to(scratch / "deployment", upstream=upstream, port=port)
    host, *people = await asyncio.gather(
        _issue(program, folder, "host", "--role", "agent", "--agent", configuration.agent),
        *(_issue(program, folder, f"reviewer-{number}", "--role", "approver") for number in _APPROVERS),
    )
    keys = Keys(host, tuple(people))
    argv = [*program, "serve", "--config", str(folder)]
    async with running("interlock serve", argv, port=port, log=scratch / "interlock.log", cwd=folder):
        yield Gated(f"http://127.0.0.1:{port}", keys, configuration.agent, client)


async def _issue(program: Sequence[str], folder: Path, name: str, *role: str) -> str:
    argv = [*program, "keys", "create", name, *role, "--config", str(folder), "--json"]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder
    )
    said, complaint = await process.communicate()
    if process.returncode:
        raise ProcessFailed(f"interlock keys create ended with code {process.returncode}:\n{complaint.decode()}")
    secret: str = json.loads(said)["secret"]
    return secret
