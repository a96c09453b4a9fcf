"""The ways of a call to its tool: straight to the upstream, or through a running Interlock."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, cast

import aiohttp
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, RequestParamsMeta, TextContent

from benchmarks.corpus.records import Json, Record, RecordedCall


class RoadFailed(Exception):
    """The other side answered something that this program does not understand."""


class Status(StrEnum):
    """What became of a proposed call, as the agent is told."""

    EXECUTED = "executed"
    """The tool was reached, whatever it answered."""
    HELD = "held"
    """A person is to decide."""
    STOPPED = "stopped"
    """Denied, escalated or simulated; nobody will be asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer to a proposal."""

    status: Status
    why: str = ""


class Way(Protocol):
    """A run in progress on a road."""

    async def instruct(self, text: str) -> None:
        """Pass on what the user says next."""

    async def propose(self, call: RecordedCall) -> Told:
        """Propose `call` and say what became of it."""

    async def answer(self, call: RecordedCall, *, approve: bool) -> None:
        """Let the people whom the question about `call` is for answer it."""


class Road(Protocol):
    """Somewhere to open runs."""

    def run(self, record: Record, identity: dict[str, Any]) -> AbstractAsyncContextManager[Way]:
        """Open a run for `record` while the block lasts."""


class Ungated:
    """Every call goes straight to the upstream server: the yardstick."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    @asynccontextmanager
    async def run(self, record: Record, identity: dict[str, Any]) -> AsyncIterator[Way]:  # noqa: ARG002
        async with Client(self._upstream) as tools:
            yield _UngatedWay(tools)


@dataclass(frozen=True, slots=True)
class _UngatedWay:
    tools: Client

    async def instruct(self, text: str) -> None:
        """Nobody listens."""

    async def propose(self, call: RecordedCall) -> Told:
        await self.tools.call_tool(call.tool, call.arguments)
        return Told(Status.EXECUTED)

    async def answer(self, call: RecordedCall, *, approve: bool) -> None:
        raise RoadFailed(f"Nobody asked about {call.tool} ({approve=}).")


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of the people and the service that take part."""

    opener: str
    """Opens runs and passes on the user's words."""
    approvers: tuple[str, ...]
    """Different people, for calls that need more than one."""


_OURS = "interlock.dev/"
_STATUSES = {
    "succeeded": Status.EXECUTED,
    "failed": Status.EXECUTED,
    "withheld": Status.EXECUTED,
    "unknown": Status.EXECUTED,
    "pending": Status.HELD,
    "denied": Status.STOPPED,
    "escalated": Status.STOPPED,
    "simulated": Status.STOPPED,
}


@dataclass(frozen=True, slots=True)
class Gated:
    """Runs are opened and approvals answered over REST; tools are called over MCP, or over REST as well."""

    url: str
    keys: Keys
    agent: str
    client: aiohttp.ClientSession = field(repr=False)
    over_rest: bool = False
    """Propose calls over REST in place of MCP."""

    @asynccontextmanager
    async def run(self, record: Record, identity: dict[str, Any]) -> AsyncIterator[Way]:
        opened = await self.rest(
            "POST",
            "/api/v1/runs",
            self.keys.opener,
            {
                "agent": self.agent,
                "user": identity,
                "system": record.system,
                "instruction": record.instruction,
                "labels": {"corpus": f"{record.model} {record.task} {record.attack or 'benign'}"},
            },
        )
        if self.over_rest:
            yield _RestWay(self, opened["run"], opened["token"])
        else:
            headers = {"Authorization": f"Bearer {opened['token']}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=60, verify=False) as http,
                Client(streamable_http_client(f"{self.url}/mcp", http_client=http)) as tools,
            ):
                yield _McpWay(self, opened["run"], tools)
        await self.rest("POST", f"/api/v1/runs/{opened['run']}/close", self.keys.opener, {})

    async def rest(
        self, method: str, path: str, key: str, body: dict[str, Any] | None = None, *, refusable: bool = False
    ) -> Json:
        """Call a route and return its answer. Raises RoadFailed with the problem's own words, unless `refusable`."""
        headers = {"Authorization": f"Bearer {key}"}
        async with self.client.request(method, f"{self.url}{path}", json=body, headers=headers) as response:
            text = await response.text()
            if response.status >= 400 and not (refusable and response.status < 500):
                raise RoadFailed(f"{method} {path} answered {response.status}: {text[:500]}")
            return await response.json() if text else None


@dataclass(frozen=True, slots=True)
class _GatedWay:
    road: Gated
    run: str

    async def instruct(self, text: str) -> None:
        await self.road.rest("POST", f"/api/v1/runs/{self.run}/instructions", self.road.keys.opener, {"text": text})

    async def answer(self, call: RecordedCall, *, approve: bool) -> None:
        verb, reason = (
            ("approve", "This is what the user asked for.") if approve else ("deny", "Nobody asked for this.")
        )
        question = await self._question(call)
        for key in self.road.keys.approvers[: question["needed"] if approve else 1]:
            await self.road.rest("POST", f"/api/v1/approvals/{question['id']}/{verb}", key, {"reason": reason})

    async def _question(self, call: RecordedCall) -> dict[str, Any]:
        listed = await self.road.rest(
            "GET", f"/api/v1/approvals?state=open&run={self.run}", self.road.keys.approvers[0]
        )
        for question in listed["approvals"]:
            if question["call_id"] == call.id:
                found: dict[str, Any] = question
                return found
        raise RoadFailed(f"{call.tool} is pending and no approval is open for it.")


@dataclass(frozen=True, slots=True)
class _McpWay(_GatedWay):
    tools: Client

    async def propose(self, call: RecordedCall) -> Told:
        meta = cast("RequestParamsMeta", {f"{_OURS}call-id": call.id})
        result = await self.tools.call_tool(call.tool, call.arguments, meta=meta)
        status = (result.meta or {}).get(f"{_OURS}status")
        if status is None and result.is_error:
            return Told(Status.STOPPED, _why(result))  # refused before there was a call to record
        try:
            return Told(_STATUSES[str(status)], _why(result))
        except KeyError as error:
            raise RoadFailed(f"{call.tool} has an unknown status {status!r}: {_why(result)}") from error


@dataclass(frozen=True, slots=True)
class _RestWay(_GatedWay):
    token: str

    async def propose(self, call: RecordedCall) -> Told:
        body = {"run": self.run, "call_id": call.id, "tool": call.tool, "arguments": call.arguments}
        told = await self.road.rest("POST", "/v1/tool-calls", self.token, body, refusable=True)
        status = told.get("call_status", told.get("status"))
        if status not in _STATUSES:
            return Told(Status.STOPPED, str(told.get("detail", told)))  # refused before there was a call to record
        return Told(_STATUSES[status], " ".join(map(str, told.get("reasons") or [told.get("detail", "")])))


def _why(result: CallToolResult) -> str:
    told = result.structured_content or {}
    if reasons := told.get("reasons"):
        return " ".join(map(str, reasons))
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))
