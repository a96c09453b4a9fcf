"""Spans taken in by OTLP over HTTP, as a customer's programs send them: `python -m benchmarks.ingest [--json]`.

One `interlock serve` on SQLite, senders in another process, protobuf, about 2 KB in each span, twelve spans in each trace. Every
answer comes after the spans are on disk. Beside it: the same rows put into SQLite by `executemany`, with the same
durability, without HTTP, decoding, redaction or sums.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.mcp_servers import free_port
from benchmarks.spans import PER_TRACE

PER_REQUEST, SENDERS = 300, 4
TARGET, MOST_MB = 15_000, 300
"""Spans in each second of CPU time; memory of the server."""
_DEPLOYMENT = "tenant: bench\nstore: sqlite:///bench.db\nagents: [agent.yaml]\n"
_AGENT = "agent: {name: bot}\ntools: {allowlist: []}\n"
_TICK = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure, print, and return 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--store", default="", help="traces.store of the deployment, such as postgresql://...")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), options.spans, options.store)
        figures["bare spans per CPU-second"] = bare(Path(folder) / "bare.db", min(options.spans, 60_000))
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<34} {value:>12,.1f}")
    return 0 if figures["spans per CPU-second"] >= TARGET and figures["memory MB"] <= MOST_MB else 1


def measured(folder: Path, spans: int, store: str) -> dict[str, float]:
    """Return the figures of one server that takes `spans` spans."""
    (folder / "interlock.yaml").write_text(_DEPLOYMENT + (f'traces: {{store: "{store}"}}\n' if store else ""))
    (folder / "agent.yaml").write_text(_AGENT)
    made = subprocess.run(
        [sys.executable, "-m", "interlock", "keys", "create", "sender", "--role", "agent", "--agent", "bot", "--json"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    key = json.loads(made.stdout)["secret"]
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "interlock", "serve", "--port", str(port)], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        _wait(port)
        _sent(port, key, PER_REQUEST * SENDERS * 5)
        before, started = _cpu(server.pid), time.monotonic()
        waits = _sent(port, key, spans)
        wall, used = time.monotonic() - started, _cpu(server.pid) - before
        memory = _memory_mb(server.pid)
    finally:
        server.terminate()
        server.wait()
    size = sum(one.stat().st_size for one in folder.glob("bench-traces.db*"))
    taken = len(waits) * PER_REQUEST
    waits.sort()
    return {
        "spans per CPU-second": taken / used,
        "spans per second": taken / wall,
        "acknowledged after ms, p50": statistics.median(waits) * 1000,
        "acknowledged after ms, p99": waits[int(len(waits) * 0.99)] * 1000,
        "bytes on disk per span": size / (taken + PER_REQUEST * SENDERS * 5),
        "memory MB": memory,
    }


def _sent(port: int, key: str, spans: int) -> list[float]:
    """Send from another process; return how long each request waited for its answer, in seconds."""
    argv = [sys.executable, "-m", "benchmarks.ingest_senders", str(port), str(spans // PER_REQUEST), str(SENDERS)]
    ran = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "SENDERS_KEY": key})
    return list(json.loads(ran.stdout))


def bare(path: Path, spans: int) -> float:
    """Return how many spans a CPU-second of nothing but `executemany` stores, each with its body, 300 in a commit."""
    generator = random.Random(7)
    words = [" ".join(generator.choices(("policy", "refund", "order", "customer", "agent"), k=230)) for _ in range(500)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"CREATE TABLE spans (id INTEGER PRIMARY KEY, {', '.join(f'c{n}' for n in range(16))})")
    connection.execute("CREATE UNIQUE INDEX one ON spans (c0, c1)")
    details = json.dumps({"attributes": {f"name.{n}": "a short value" for n in range(8)}}).encode()
    fixed = (None, "ChatOpenAI", "model", "client", "unset", 1, 2, "", "", "", "gpt", 10, details)
    started = time.process_time()
    for first in range(0, spans, PER_REQUEST):
        rows = [
            (number // PER_TRACE, generator.randbytes(8), *fixed, generator.choice(words).encode())
            for number in range(first, first + PER_REQUEST)
        ]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO spans VALUES (NULL{', ?' * 16})", rows)
        connection.execute("COMMIT")
    used = time.process_time() - started
    connection.close()
    return spans / used


def _wait(port: int) -> None:
    async def asked() -> None:
        async with aiohttp.ClientSession() as session:
            for _ in range(200):
                try:
                    async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
            raise TimeoutError("interlock serve did not start")

    asyncio.run(asked())


def _cpu(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds, in and out of the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    sys.exit(main())
