"""Child processes on free ports of this machine, started, awaited and ended."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

_PATIENCE_SECONDS = 60.0
_TAIL_LINES = 25


class ProcessFailed(Exception):
    """A server did not start, or ended early."""


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running(
    name: str,
    argv: Sequence[str],
    *,
    port: int,
    log: Path,
    cwd: Path | None = None,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[None]:
    """Run a server while the block lasts; enter the block when it accepts connections on `port`.

    Raises ProcessFailed with the end of its log when it ends before, or takes more than a minute.
    """
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=os.environ | (environment or {}),
            stdout=stream,
            stderr=stream,
            stdin=asyncio.subprocess.DEVNULL,
        )
    try:
        await _listening(name, port, lambda: process.returncode, log)
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _listening(name: str, port: int, returned: Callable[[], int | None], log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if returned() is not None:
            raise ProcessFailed(f"{name} ended with code {returned()} before it could serve:\n{_tail(log)}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise ProcessFailed(f"{name} did not listen on port {port} within {_PATIENCE_SECONDS:.0f} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])
