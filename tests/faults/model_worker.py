"""A gateway that can be killed: forks a child per command `go FOLDER`, and the child serves models until it is ended.

Children say `serves PID URL OWNER`, and `ended PID` when they close in peace. Importing once and forking makes deaths cheap;
each child opens the deployment afresh, as a restarted process does.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from interlock.cli.serve import GracefulServer
from interlock.server.app import build_app
from interlock.server.guard import DoorRules
from interlock.wiring import open_interlock

ALIVE_MS = 1_000


async def serve(folder: Path) -> None:
    """Serve the deployment until a signal to stop comes."""
    async with open_interlock(folder, alive_ms=ALIVE_MS) as interlock:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            app = build_app(interlock.desks, DoorRules())
            config = uvicorn.Config(app, lifespan="off", ws="none", log_level="error", timeout_graceful_shutdown=10)
            async with interlock.alive():
                port = listening.getsockname()[1]
                print("serves", os.getpid(), f"http://127.0.0.1:{port}", interlock.owner, flush=True)
                await GracefulServer(config).serve(sockets=[listening])
    print("ended", os.getpid(), flush=True)


def main() -> None:
    """Serve commands until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        _, folder = line.split()
        if os.fork() == 0:
            asyncio.run(serve(Path(folder)))
            os._exit(0)


if __name__ == "__main__":
    main()
