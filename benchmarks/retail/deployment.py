"""A deployment whose only model is the recorded one, and a real `interlock serve` on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpus.processes import ProcessFailed, free_port, running

AGENT = "retail"
# Limits per run and per day, so that there are ledgers to compare; far above what the runs need.
_FILES: dict[str, Any] = {
    "interlock.yaml": {
        "tenant": "shop",
        "store": "sqlite:///interlock.db",
        "agents": ["agent.yaml"],
        "router": "router.yaml",
        "limits": [
            {"id": "cost", "at_most": "100 USD", "of": "cost", "per": "agent", "every": "day"},
            {"id": "tokens", "at_most": 100_000_000, "of": "tokens", "per": "agent", "every": "day"},
            {"id": "run-cost", "at_most": "10 USD", "of": "cost", "per": "run"},
            {"id": "run-tokens", "at_most": 10_000_000, "of": "tokens", "per": "run"},
        ],
    },
    "agent.yaml": {"agent": {"name": AGENT, "owner": "support"}, "tools": {"allowlist": []}},
}


@dataclass(frozen=True, slots=True)
class Served:
    """Where the deployment is, and the keys to it."""

    url: str
    agent_key: str
    operator_key: str


def write(folder: Path, recording: Path, model: str) -> None:
    """Write the deployment: `model` is played from `recording`, at the prices of its vendor."""
    router = {
        "version": 1,
        "providers": {"record": {"type": "recorded", "recordings": [str(recording)], "prices": "openai"}},
        "models": {model: {"provider": "record"}},
        "defaults": {"use": model, "retries": {"attempts": 1}},
    }
    for name, content in (_FILES | {"router.yaml": router}).items():
        # JSON is YAML.
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


@asynccontextmanager
async def served(program: Sequence[str], folder: Path) -> AsyncIterator[Served]:
    """Serve the deployment in `folder` while the block lasts. Raises ProcessFailed."""
    port = free_port()
    agent, operator = await asyncio.gather(
        command(program, folder, "keys", "create", "bot", "--role", "agent", "--agent", AGENT),
        command(program, folder, "keys", "create", "omar", "--role", "operator"),
    )
    argv = [*program, "serve", "--config", str(folder), "--port", str(port)]
    async with running("interlock serve", argv, port=port, log=folder / "serve.log", cwd=folder):
        yield Served(f"http://127.0.0.1:{port}", agent["secret"], operator["secret"])


async def command(program: Sequence[str], folder: Path, *arguments: str) -> Any:  # noqa: ANN401 - parsed JSON
    """Return what `interlock` prints as JSON about the deployment. Raises ProcessFailed."""
    process = await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        "--config",
        str(folder),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    said, complaint = await process.communicate()
    if process.returncode:
        raise ProcessFailed(f"interlock {' '.join(arguments)} ended with {process.returncode}:\n{complaint.decode()}")
    return json.loads(said)
