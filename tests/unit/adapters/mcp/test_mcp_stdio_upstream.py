"""MCP servers as child processes: only those that the configuration allows, and what is known when they die."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from interlock.adapters.mcp.stdio import StdioServer
from interlock.domain.errors import ConfigurationError, ToolUnavailable
from interlock.gateway.ports import Delivery
from tests.kits.mcp import invocation

ROOT = Path(__file__).resolve().parents[4]
BENCH = (sys.executable, "-m", "tests.kits.mcp")
PATHS = {"PYTHONPATH": f"{ROOT}/src:{ROOT}", "PYTHONWARNINGS": "ignore"}


@asynccontextmanager
async def started(*argv: str) -> AsyncIterator[StdioServer]:
    server = StdioServer("local", argv, allowed=frozenset({argv}), environment=PATHS)
    try:
        yield server
    finally:
        await server.close()


async def test_a_program_lists_and_calls_its_tools() -> None:
    async with started(*BENCH) as server:
        assert [offer.name for offer in await server.offers()] == ["add", "crash", "echo", "fail", "slow"]
        added = await server.invoke(invocation("add", a=2, b=3))
        assert (added.delivery, added.content) == (Delivery.ANSWERED, {"sum": 5})
        failed = await server.invoke(invocation("fail"))
        assert (failed.delivery, failed.is_error) == (Delivery.ANSWERED, True)
        crashed = await server.invoke(invocation("crash"))
        assert crashed.delivery is Delivery.UNCERTAIN
        late = await server.invoke(invocation("slow", timeout_ms=200))
        assert late.delivery is Delivery.UNCERTAIN


@pytest.mark.parametrize("argv", [(), ("sh",), ("sh", "-c", "true; true"), ("sh", "-c")])
async def test_a_command_line_that_is_not_allowed_word_for_word_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="may not be started"):
        StdioServer("local", argv, allowed=frozenset({("sh", "-c", "true")}))


@pytest.mark.parametrize("argv", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(1)")])
async def test_a_program_that_does_not_start_was_sent_nothing(argv: tuple[str, ...]) -> None:
    async with started(*argv) as server:
        assert (await server.invoke(invocation("echo"))).delivery is Delivery.NOT_SENT
        with pytest.raises(ToolUnavailable):
            await server.offers()


async def test_a_program_that_dies_in_a_call_leaves_it_uncertain_and_is_started_again(tmp_path: Path) -> None:
    dying = (sys.executable, "-c", DIES_ON_FIRST_CALL, str(tmp_path / "died"))
    async with started(*dying) as server:
        first = await server.invoke(invocation("echo", text="x"))
        assert first.delivery is Delivery.UNCERTAIN
        second = await server.invoke(invocation("echo", text="again"))
        assert (second.delivery, second.content) == (Delivery.ANSWERED, "again")


async def test_a_program_that_died_between_calls_is_started_again_before_anything_is_sent() -> None:
    async with started(sys.executable, "-c", DIES_WHEN_IDLE) as server:
        first = await server.invoke(invocation("echo", text="x"))
        assert first.delivery is Delivery.ANSWERED
        await asyncio.sleep(1)
        second = await server.invoke(invocation("echo", text="again"))
        assert (second.delivery, second.content) == (Delivery.ANSWERED, "again")


DIES_WHEN_IDLE = """
import os, threading, anyio
from tests.kits import mcp
class Dying(mcp.Bench):
    async def _call(self, context, params):
        threading.Timer(0.3, os._exit, (1,)).start()
        return await super()._call(context, params)
mcp.Bench = Dying
anyio.run(mcp._serve_stdio)
"""
DIES_ON_FIRST_CALL = """
import os, sys, anyio
from pathlib import Path
from tests.kits import mcp
class Dying(mcp.Bench):
    async def _call(self, context, params):
        if not Path(sys.argv[1]).exists():
            Path(sys.argv[1]).touch()
            os._exit(1)
        return await super()._call(context, params)
mcp.Bench = Dying
anyio.run(mcp._serve_stdio)
"""
