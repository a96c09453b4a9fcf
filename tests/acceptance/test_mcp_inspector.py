"""The command line of the official MCP inspector (npm) lists and calls tools through the gate."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.kits.door import Door, a_door


async def inspect(inspector: Path, door: Door, *asked: str) -> Any:
    command = ("--cli", door.mcp, "--transport", "http", "--header", f"Authorization: Bearer {door.key}", *asked)
    process = await asyncio.create_subprocess_exec(
        str(inspector), *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_the_inspector_lists_calls_and_is_refused(inspector: Path) -> None:
    async with a_door() as door:
        listed = await inspect(inspector, door, "--method", "tools/list")
        assert "orders.read" in [tool["name"] for tool in listed["tools"]]
        call = ("--method", "tools/call", "--tool-name")
        read = await inspect(inspector, door, *call, "orders.read", "--tool-arg", "order_id=o1")
        assert read["structuredContent"] == {"ok": True, "operation": "orders.read"}
        waits = await inspect(inspector, door, *call, "accounts.delete", "--tool-arg", "account_id=a1")
        assert waits["structuredContent"]["status"] == "pending"
        assert door.kit.shop.effects == []
