"""Whoever traces an agent finds its tool calls in its trace: over MCP, over HTTP, and through a receiver that was away."""

import asyncio
import contextlib
import json
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from interlock.domain.ids import RunId
from interlock.domain.spans import Category, Span
from interlock.gateway.own_spans import read_run
from tests.kits.console import a_console
from tests.kits.door import Door, a_door
from tests.kits.gate import TENANT
from tests.kits.receivers import SpanReceiver, a_receiver

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'a' * 32}-{'b' * 16}-01"
SPOILT = (f"00-{TRACE}-{SPAN}", "ff" * 30, "é" * 55, f"00-{'0' * 32}-{SPAN}-01", "")


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as served:
        await served.kit.open()
        yield served


async def mcp_call(door: Door, meta: dict[str, Any], headers: dict[str, str]) -> RunId:
    """Call a tool over MCP; return the run that the call belongs to."""
    params = {"name": "notes.add", "arguments": {"text": "x"}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with (
        aiohttp.ClientSession() as http,
        http.post(door.mcp, json=body, headers={**door.headers, **headers}) as answer,
    ):
        said = await answer.json()
    assert said["result"]["_meta"]["interlock.dev/status"] == "succeeded", said
    return RunId(said["result"]["_meta"]["interlock.dev/run"])


async def tool_and_root(door: Door, run: RunId) -> tuple[Span, Span]:
    root, *others = await door.kit.store.read(lambda tx: read_run(tx, TENANT, run))
    (tool,) = [span for span in others if span.category is Category.TOOL]
    return tool, root


async def test_over_mcp_the_message_says_the_trace_before_the_header_around_it(door: Door) -> None:
    named = await mcp_call(door, {"interlock.dev/run": "r1", "traceparent": PARENT}, {"traceparent": OTHER})
    tool, root = await tool_and_root(door, named)
    assert (tool.trace_id, tool.parent_id) == (TRACE, SPAN)
    # The call had the run opened, so the run is in the caller's trace too.
    assert (root.trace_id, root.parent_id) == (TRACE, SPAN)

    headed = await mcp_call(door, {"interlock.dev/run": "r2"}, {"traceparent": PARENT})
    tool, _ = await tool_and_root(door, headed)
    assert (tool.trace_id, tool.parent_id) == (TRACE, SPAN)


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_a_spoilt_trace_harms_no_call(door: Door, spoilt: str) -> None:
    run = await mcp_call(door, {"interlock.dev/run": "r1", "traceparent": spoilt}, {"traceparent": spoilt})
    tool, root = await tool_and_root(door, run)
    assert tool.parent_id == root.span_id
    assert root.parent_id is None
    assert (await mcp_call(door, {"interlock.dev/run": "r2", "traceparent": 7}, {})) == "r2"


async def test_over_http_the_call_and_the_run_that_it_opens_are_in_the_callers_trace(door: Door) -> None:
    body = {"tool": "notes.add", "arguments": {"text": "x"}}
    headers = {**door.headers, "traceparent": PARENT, "tracestate": "congo=1"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{door.url}/v1/tool-calls", json=body, headers=headers) as answer,
    ):
        said = await answer.json()
    tool, root = await tool_and_root(door, RunId(said["run"]))
    assert (tool.trace_id, tool.parent_id) == (root.trace_id, root.parent_id) == (TRACE, SPAN)
    assert door.kit.shop.invocations[-1].traceparent.startswith(f"00-{TRACE}-")


async def test_a_receiver_that_is_away_through_a_crash_gets_every_span(tmp_path: Path) -> None:
    console = a_console(tmp_path)
    async with a_receiver() as receiver:
        url = receiver.url
    port = int(url.rpartition(":")[2].partition("/")[0])
    exporting = json.dumps({"traces": {"export": [{"url": url, "format": "json"}]}})
    with (tmp_path / "interlock.yaml").open("a") as file:
        file.write(exporting[1:-1] + "\n")
    key = await console.key("bot", "agent", "--agent", "refunds")

    async with console.served() as (served, process):
        run = await called(served, key, "before")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    # As if the time had passed after which another process takes over from a dead one.
    with contextlib.closing(sqlite3.connect(tmp_path / "gate-traces.db")) as kept, kept:
        kept.execute("UPDATE followers SET held_until = 0")

    async with a_receiver(port=port) as receiver, console.served() as (served, _):
        await called(served, key, "after")
        found = await everything_of(receiver, {"before", "after"})

    assert {span.name for span in found} >= {"execute_tool find_order", "decide find_order", "attempt find_order"}
    assert {span.attributes["interlock.run"] for span in found} >= {run}
    assert all(batch.resource["service.name"] == "interlock" for batch in receiver.batches)


async def called(url: str, key: str, name: str) -> str:
    """Make one call; return its run."""
    body = {"tool": "find_order", "arguments": {"order": "7"}, "call_id": name}
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as http,
        http.post(f"{url}/v1/tool-calls", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["run"])


async def everything_of(receiver: SpanReceiver, calls: set[str]) -> list[Any]:
    """Return what has arrived once spans of all `calls` have."""
    for _ in range(200):
        if {span.attributes.get("interlock.call") for span in receiver.spans} >= calls:
            return receiver.spans
        await asyncio.sleep(0.1)
    raise AssertionError(f"only {len(receiver.spans)} spans have arrived")
