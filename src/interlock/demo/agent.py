"""The support agent: an ordinary loop that asks a model, makes the calls that it proposes, and tells it what became of them."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import ToolContract
from interlock.embedded import Run

Call = Callable[[str, JsonObject, str, str], Awaitable[JsonObject]]
"""Makes a call of a tool with arguments, for a reason, under the id of its proposal; returns what the model is told."""

_MOST_REPLIES = 60
"""Far beyond what the gate permits: it is the gate that ends loops here."""


async def work(run: Run, system: str, wish: str, call: Call) -> None:
    """Do what `wish` says, until the model proposes nothing more. Raises an InterlockError when it may not be asked."""
    messages: list[JsonObject] = [{"role": "system", "content": system}, {"role": "user", "content": wish}]
    tools = [_function(contract) for contract in run.tools()]
    for number in range(_MOST_REPLIES):
        step = "act" if number else "look"
        reply: Any = await run.ask({"messages": messages, "tools": tools}, step=step)
        message = reply["choices"][0]["message"]
        messages.append(message)
        proposed = message.get("tool_calls") or ()
        if not proposed:
            return
        for each in proposed:
            function = each["function"]
            arguments = orjson.loads(function["arguments"])
            told = await call(function["name"], arguments, message.get("content") or "", each["id"])
            messages.append({"role": "tool", "tool_call_id": each["id"], "content": orjson.dumps(told).decode()})


def _function(contract: ToolContract) -> JsonObject:
    about = {"name": contract.name, "description": contract.description, "parameters": contract.input_schema}
    return {"type": "function", "function": about}
