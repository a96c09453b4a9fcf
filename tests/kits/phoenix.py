"""Arize Phoenix, a receiver of spans that others have made, as a process of its own."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import ROOT

PYTHON = ROOT / ".venv-phoenix" / "bin" / "python"
_UP_S = 100
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Phoenix:
    """Where it listens."""

    url: str

    @property
    def receives(self) -> str:
        """Where it takes spans."""
        return f"{self.url}/v1/traces"

    async def spans(self, trace: str) -> list[dict[str, Any]]:
        """Return the spans of a trace that have arrived."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.url}/v1/projects/default/spans", params={"limit": str(_PAGE)}) as answer,
        ):
            if answer.status == 404:
                return []
            found = await answer.json()
        return [span for span in found["data"] if span["context"]["trace_id"] == trace]


@asynccontextmanager
async def a_phoenix(home: Path) -> AsyncIterator[Phoenix]:
    """Run Phoenix with its files in `home` and yield it at once: it takes its time to come up, so ask `ready` of it."""
    if not PYTHON.exists():
        pytest.skip("no second receiver to try; `make .venv-phoenix/.ready` installs it")
    port, grpc = _free(), _free()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "PHOENIX_WORKING_DIR": str(home),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    with (home / "phoenix.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(PYTHON), "-m", "phoenix.server.main", "serve", cwd=home, env=environment, stdout=log, stderr=log
        )
        try:
            yield Phoenix(f"http://127.0.0.1:{port}")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def ready(phoenix: Phoenix) -> None:
    """Wait until it takes spans."""
    async with asyncio.timeout(_UP_S), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{phoenix.url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
