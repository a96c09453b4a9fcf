"""Play recorded runs as a client would: the model's turns come from Interlock, all others from the record."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.retail.deployment import Served
from benchmarks.retail.records import RetailRun, Stage, Tally

_AT_ONCE = 8


class PlayFailed(Exception):
    """Interlock did not do what a client may expect of it."""


@dataclass(frozen=True, slots=True)
class Played:
    """One run, as its client saw it."""

    run: RetailRun
    streamed: bool
    told: Tally
    """Usage as the replies told it; streamed replies are not asked to tell. Clients hear nothing of money."""


async def play_all(runs: Sequence[RetailRun], stage: Stage, served: Served) -> tuple[Played, ...]:
    """Play every run, a few at a time, every second one streamed. Raises PlayFailed."""
    turn = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(served.url) as http:

        async def one(place: int, run: RetailRun) -> Played:
            async with turn:
                return await Player(http, served.agent_key, stage, streamed=place % 2 == 1).play(run)

        return tuple(await asyncio.gather(*(one(place, run) for place, run in enumerate(runs))))


@dataclass(frozen=True, slots=True)
class Player:
    """The client loop of an agent, in OpenAI's chat format."""

    http: aiohttp.ClientSession
    key: str
    stage: Stage
    streamed: bool

    async def play(self, run: RetailRun) -> Played:
        """Open the run, talk to its end, and close it with what the record says came of it. Raises PlayFailed."""
        opened = await self._post("/api/v1/runs", self.key, {"run": run.id, "system": self.stage.policy})
        token, told = opened["token"], Tally()
        said: list[dict[str, Any]] = [{"role": "system", "content": self.stage.policy}]
        for message in run.messages:
            if message["role"] != "assistant" or not message.get("usage"):
                said.append({key: message[key] for key in ("role", "content", "tool_call_id") if key in message})
                continue
            body = {
                "model": run.model,
                "messages": said,
                "tools": list(self.stage.tools),
                "metadata": {"recording": run.label},
            }
            reply, usage = await self._ask(token, body)
            if spoken(reply) != spoken(message):
                raise PlayFailed(f"{run.id}: the model said {spoken(reply)}, the record says {spoken(message)}.")
            said.append(reply)
            told += usage
        outcome = "succeeded" if run.success else "failed"
        await self._post(f"/api/v1/runs/{run.id}/close", self.key, {"outcome": outcome})
        return Played(run, self.streamed, told)

    async def _ask(self, token: str, body: dict[str, Any]) -> tuple[dict[str, Any], Tally]:
        if self.streamed:
            return await self._stream(token, body), Tally(1)
        answer = await self._post("/v1/chat/completions", token, body)
        used = answer["usage"]
        return answer["choices"][0]["message"], Tally(1, used["prompt_tokens"], used["completion_tokens"])

    async def _stream(self, token: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        asked = self.http.post("/v1/chat/completions", json=body | {"stream": True}, headers=headers)
        async with asked as answer:
            text = await answer.text()
            if answer.status != 200:
                raise PlayFailed(f"A stream was answered with {answer.status}: {text[:500]}")
        return assembled(text)

    async def _post(self, path: str, key: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - parsed JSON
        async with self.http.post(path, json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
            if answer.status not in (200, 201, 204):
                raise PlayFailed(f"{path} was answered with {answer.status}: {(await answer.text())[:500]}")
            return await answer.json() if answer.status != 204 else None


def spoken(message: dict[str, Any]) -> tuple[str, tuple[tuple[str, str, Any], ...]]:
    """Return the words and calls of a message, however its format writes their arguments."""
    calls = message.get("tool_calls") or ()
    return message.get("content") or "", tuple(
        (call["id"], call["function"]["name"], _arguments(call["function"]["arguments"])) for call in calls
    )


def assembled(stream: str) -> dict[str, Any]:
    """Return the message that a stream of chunks makes. Raises PlayFailed for one without its end."""
    if not stream.rstrip().endswith("data: [DONE]"):
        raise PlayFailed(f"A stream ended early: ...{stream[-300:]}")
    words = ""
    calls: dict[int, dict[str, Any]] = {}
    for delta in _deltas(stream):
        words += delta.get("content") or ""
        for part in delta.get("tool_calls") or ():
            call = calls.setdefault(part["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
            call["id"] = part.get("id") or call.get("id")
            for key, text in (part.get("function") or {}).items():
                call["function"][key] += text
    return {"role": "assistant", "content": words or None} | ({"tool_calls": list(calls.values())} if calls else {})


def _deltas(stream: str) -> Iterator[dict[str, Any]]:
    for line in stream.splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: "))["choices"]:
                yield choice["delta"]


def _arguments(written: Any) -> Any:  # noqa: ANN401 - parsed JSON
    return json.loads(written) if isinstance(written, str) else written
