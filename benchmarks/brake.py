"""How soon after an operator pulls the brake the last call is admitted, on two servers that share one PostgreSQL.

    python -m benchmarks.brake [--json] [--rounds N] [--rate N]

Two `interlock serve` processes, calls at a steady rate to both in turn. Each round pulls the brake on all writes through
one server and notes, for every call, when it was sent and how it ended. `pull_ms` is how long the operator waits for the
answer; `last_admitted_ms` is from pulling to the end of the last call that was still admitted, and so an upper bound. A
call sent after the operator has the answer must not be admitted: `admitted_after` counts them, and any is a failure.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "INTERLOCK_TEST_POSTGRES_DSN"
FILES = {
    "interlock.yaml": """
tenant: acme
store: ${BENCH_STORE}
agents: [agent.yaml]
contracts: [contracts.yaml]
tools:
  desk: {python: {module: brake_desk}}
""",
    "agent.yaml": """
agent: {name: clerk}
tools: {allowlist: [jot]}
""",
    "contracts.yaml": """
tools:
  - name: jot
    kind: write
    tier: 1
    arguments: {/text: plain}
""",
    "brake_desk.py": '''
"""One tool that costs nothing."""
from interlock import tool


@tool()
async def jot(text: str) -> str:
    """Note something."""
    return "noted"
''',
}


@dataclass(frozen=True, slots=True)
class Round:
    """One pull of the brake."""

    pull_ms: float
    last_admitted_ms: float
    """0 when nothing was admitted after the pull began."""
    admitted_after: int
    calls: int


@dataclass(frozen=True, slots=True)
class _Ended:
    sent: float
    ended: float
    admitted: bool


def measure(store: str, rounds: int, rate: int) -> list[Round]:
    """Return `rounds` rounds at `rate` calls a second on the PostgreSQL database that `store` names."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, text in FILES.items():
            (folder / name).write_text(text)
        variables = {**os.environ, "BENCH_STORE": store}
        first = stack.enter_context(_server(folder, variables))
        second = stack.enter_context(_server(folder, variables))
        agent = _key(folder, variables, "bot", "--role", "agent", "--agent", "clerk")
        operator = _key(folder, variables, "olga", "--role", "operator")
        return asyncio.run(_rounds((first, second), agent, operator, rounds, rate))


@contextmanager
def _server(folder: Path, variables: dict[str, str]) -> "Iterator[str]":
    command = [sys.executable, "-m", "interlock", "serve", "-c", str(folder), "--port", "0", "--json"]
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("interlock serve did not start")
        yield json.loads(line)["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _key(folder: Path, variables: dict[str, str], name: str, *options: str) -> str:
    command = [sys.executable, "-m", "interlock", "keys", "create", name, *options, "-c", str(folder), "--json"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    secret: str = json.loads(done.stdout)["secret"]
    return secret


async def _rounds(servers: tuple[str, str], agent: str, operator: str, rounds: int, rate: int) -> list[Round]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {agent}"}) as bot,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {operator}"}) as olga,
    ):
        opened = await _json(bot.post(f"{servers[0]}/api/v1/runs", json={"instruction": "Jot things down."}))
        return [await _round(servers, bot, olga, opened["run"], number, rate) for number in range(rounds)]


async def _round(
    servers: tuple[str, str], bot: aiohttp.ClientSession, olga: aiohttp.ClientSession, run: str, number: int, rate: int
) -> Round:
    ended: list[_Ended] = []
    going = asyncio.create_task(_load(servers, bot, run, number, rate, ended))
    await asyncio.sleep(0.5 + (number % 7) * 0.013)
    order = {"target": "writes", "reason": "drill", "for_seconds": 60}
    pulled = time.monotonic()
    brake = await _json(olga.post(f"{servers[number % 2]}/api/v1/brakes", json=order))
    known = time.monotonic()
    await asyncio.sleep(0.5)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    async with olga.delete(f"{servers[0]}/api/v1/brakes/{brake['id']}") as lifted:
        lifted.raise_for_status()
    late = [one for one in ended if one.admitted and one.ended > pulled]
    last = max((one.ended for one in late), default=pulled)
    after = sum(one.admitted and one.sent > known for one in ended)
    return Round((known - pulled) * 1000, (last - pulled) * 1000, after, len(ended))


async def _load(
    servers: tuple[str, str], bot: aiohttp.ClientSession, run: str, number: int, rate: int, ended: list[_Ended]
) -> None:
    async with asyncio.TaskGroup() as group:
        due = time.monotonic()
        for count in range(1_000_000):
            name = f"r{number}-{count}"
            group.create_task(_call(servers[count % 2], bot, run, name, ended))
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _call(server: str, bot: aiohttp.ClientSession, run: str, name: str, ended: list[_Ended]) -> None:
    sent = time.monotonic()
    body = {"run": run, "call_id": name, "tool": "jot", "arguments": {"text": name}}
    async with bot.post(f"{server}/v1/tool-calls", json=body) as response:
        said = await response.json(content_type=None)
    if response.status not in (200, 423):
        raise RuntimeError(f"a call ended with {response.status}: {said.get('detail')}")
    ended.append(_Ended(sent, time.monotonic(), said.get("status") == "succeeded"))


async def _json(request: "aiohttp.client._RequestContextManager") -> dict[str, str]:
    async with request as response:
        response.raise_for_status()
        said: dict[str, str] = await response.json()
        return said


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    """Measure and print; 1 when a call was admitted after a brake, 3 without PostgreSQL."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brake", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--rate", type=int, default=200, help="calls a second, over both servers")
    options = parser.parse_args()
    store = os.environ.get(VARIABLE)
    if not store:
        print(f"{VARIABLE} names no PostgreSQL server: run it through make bench", file=sys.stderr)
        return 3
    found = measure(store, options.rounds, options.rate)
    figures = {
        "rounds": len(found),
        "calls": sum(one.calls for one in found),
        "pull_p50_ms": round(_quantile([one.pull_ms for one in found], 0.5), 1),
        "last_admitted_p50_ms": round(_quantile([one.last_admitted_ms for one in found], 0.5), 1),
        "last_admitted_p99_ms": round(_quantile([one.last_admitted_ms for one in found], 0.99), 1),
        "admitted_after": sum(one.admitted_after for one in found),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{key:>22}  {value}" for key, value in figures.items()))
    return 1 if figures["admitted_after"] else 0


if __name__ == "__main__":
    sys.exit(main())
