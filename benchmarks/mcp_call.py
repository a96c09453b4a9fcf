"""One MCP tool call: direct, through Interlock, and through fastmcp's proxy, in turns: `python -m benchmarks.mcp_call`."""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import httpx2
import orjson
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from benchmarks.mcp_servers import TOOL, free_port

ROUNDS, WARM_UP = 5, 20
CALLS, PROXY_CALLS = 200, 30
MAX_RATIO, MIN_PROXY_RATIO, MAX_ADDED_MS = 2.5, 15.0, 4.0
_INTERLOCK = ("-m", "interlock")
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": TOOL,
}
_DEPLOYMENT = """\
tenant: bench
store: sqlite:///bench.db
agents: [agent.yaml]
contracts: [contracts.yaml]
tools: {{upstream: {{mcp: {{url: "{url}"}}}}}}
limits: [{{at_most: 100000000, of: calls, per: tenant, every: day, id: calls_per_day}}]
"""
_AGENT = """\
agent: {name: bot}
tools: {allowlist: [add_note]}
budgets: {max_tool_calls: 1000000}
limits: [{at_most: 100000000, of: calls, per: agent, every: hour}]
policy:
  engine: cel
  rules:
    - {id: small, tool: add_note, condition: input.amount <= 50.0, on_fail: deny}
    - {id: named, tool: add_note, condition: "input.order.startsWith('ord-')", on_fail: require_approval}
"""
_CONTRACTS = """\
tools:
  - name: add_note
    kind: write
    tier: 1
    idempotency: none
    arguments: {/order: id, /text: plain, /amount: plain}
"""


@dataclass(slots=True)
class Way:
    """One way to make the call, and what it cost, by round."""

    url: str
    pid: int
    """The server process whose CPU time is measured."""
    calls: int
    headers: dict[str, str] = field(default_factory=dict)
    meta: dict[str, object] = field(default_factory=dict)
    sdk: bool = False
    """Whether the client is the SDK's rather than pooled aiohttp."""
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)


def main() -> int:
    """Measure all ways in turn, again and again, so that all of them meet the same weather."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mcp_call", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        figures = asyncio.run(_measure(_ways(Path(folder), stack)))
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, figure in figures.items():
            print(f"{name:<52} {figure}")
    missed = [name for name, figure in figures.items() if figure is False]
    for name in missed:
        print(f"Missed: {name.replace('_', ' ')}", file=sys.stderr)
    return int(bool(missed))


def _ways(folder: Path, stack: contextlib.ExitStack) -> dict[str, Way]:
    upstream, proxy, gate = free_port(), free_port(), free_port()
    direct = stack.enter_context(_process(upstream, "-m", "benchmarks.mcp_servers", "upstream", str(upstream)))
    url = f"http://127.0.0.1:{upstream}/mcp"
    key = _deploy(folder, url)
    serve = (*_INTERLOCK, "serve", "--config", str(folder), "--port", str(gate))
    interlock = stack.enter_context(_process(gate, *serve))
    ways = {
        "direct, aiohttp client": Way(url, direct, CALLS),
        "direct, SDK client": Way(url, direct, CALLS, sdk=True),
        "interlock": Way(
            f"http://127.0.0.1:{gate}/mcp",
            interlock,
            CALLS,
            {"Authorization": f"Bearer {key}"},
            {"interlock.dev/instruction": "Add notes to order ord-1001."},
        ),
    }
    with contextlib.suppress(FileNotFoundError):
        between = stack.enter_context(_process(proxy, "-m", "benchmarks.mcp_servers", "proxy", str(proxy), url))
        ways["fastmcp proxy"] = Way(f"http://127.0.0.1:{proxy}/mcp", between, PROXY_CALLS)
    return ways


def _deploy(folder: Path, url: str) -> str:
    """Write a deployment in front of the upstream and return a key of its agent."""
    (folder / "interlock.yaml").write_text(_DEPLOYMENT.format(url=url))
    (folder / "agent.yaml").write_text(_AGENT)
    (folder / "contracts.yaml").write_text(_CONTRACTS)
    make = ["keys", "create", "bot", "--role", "agent", "--agent", "bot", "--config", str(folder), "--json"]
    made = subprocess.run([sys.executable, *_INTERLOCK, *make], capture_output=True, check=False, text=True)
    if made.returncode:
        raise SystemExit(made.stderr or made.stdout)
    return str(json.loads(made.stdout)["secret"])


@contextlib.contextmanager
def _process(port: int, *command: str) -> Iterator[int]:
    """Run a server and yield its process id once it listens."""
    running = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The server did not start: {' '.join(command[:3])}")
            time.sleep(0.1)
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _listens(port: int) -> bool:
    found = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[3] == "0A" and int(row[1].split(":")[1], 16) == port for row in found)


async def _measure(ways: dict[str, Way]) -> dict[str, object]:
    for turn in range(ROUNDS):
        for way in ways.values():
            await _round(way, f"round-{turn}")
    return _figures(ways)


async def _round(way: Way, run: str) -> None:
    async with _sdk_caller(way) if way.sdk else _http_caller(way, run) as call:
        for _ in range(min(WARM_UP, way.calls)):
            await call()
        walls, before = [], _cpu_ms(way.pid)
        for _ in range(way.calls):
            started = time.perf_counter()
            await call()
            walls.append((time.perf_counter() - started) * 1000)
        way.cpu_ms.append((_cpu_ms(way.pid) - before) / way.calls)
        way.wall_ms.append(statistics.median(walls))


def _arguments() -> dict[str, object]:
    return {"order": "ord-1001", "text": "The customer called.", "amount": 12.5}


@contextlib.asynccontextmanager
async def _http_caller(way: Way, run: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    meta = {**_META, **way.meta, **({"interlock.dev/run": run} if way.meta else {})}
    params = {"name": TOOL, "arguments": _arguments(), "_meta": meta}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    async with aiohttp.ClientSession(headers={**_HEADERS, **way.headers}) as session:

        async def call() -> None:
            async with session.post(way.url, data=body) as response:
                _check(await response.read())

        yield call


@contextlib.asynccontextmanager
async def _sdk_caller(way: Way) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    async with (
        httpx2.AsyncClient(headers=way.headers) as http,
        Client(streamable_http_client(way.url, http_client=http)) as client,
    ):

        async def call() -> None:
            result = await client.call_tool(TOOL, _arguments())
            if result.is_error:
                raise SystemExit(f"The call failed: {result.content}")

        yield call


def _check(body: bytes) -> None:
    text = body[body.index(b"{") :] if body.startswith(b"event:") else body
    result = orjson.loads(text).get("result", {})
    if result.get("isError") or result.get("structuredContent") != {"ok": True, "order": "ord-1001"}:
        raise SystemExit(f"The call failed: {body[:500]!r}")


def _cpu_ms(pid: int) -> float:
    """CPU time of the process so far, in milliseconds: user and system, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _figures(ways: dict[str, Way]) -> dict[str, object]:
    figures: dict[str, object] = {}
    for name, way in ways.items():
        figures[f"{name}: server CPU, ms per call"] = round(statistics.median(way.cpu_ms), 3)
        figures[f"{name}: wall p50, ms"] = round(statistics.median(way.wall_ms), 3)
    gate, direct = ways["interlock"], ways["direct, aiohttp client"]
    base = statistics.median(ways["direct, SDK client"].cpu_ms)
    ratio = statistics.median(gate.cpu_ms) / base
    added = statistics.median(gate.wall_ms) - statistics.median(direct.wall_ms)
    figures["Interlock's CPU / the SDK server's"] = round(ratio, 2)
    figures["p50 added by Interlock, ms"] = round(added, 3)
    figures[f"CPU_within_{MAX_RATIO}_times_the_SDK_server"] = ratio <= MAX_RATIO
    figures[f"p50_added_within_{MAX_ADDED_MS:.0f}_ms"] = added <= MAX_ADDED_MS
    if "fastmcp proxy" in ways:
        share = statistics.median(ways["fastmcp proxy"].cpu_ms) / statistics.median(gate.cpu_ms)
        figures["fastmcp proxy's CPU / Interlock's"] = round(share, 1)
        figures[f"CPU_at_most_1/{MIN_PROXY_RATIO:.0f}_of_the_fastmcp_proxy"] = share >= MIN_PROXY_RATIO
    return figures


if __name__ == "__main__":
    sys.exit(main())
