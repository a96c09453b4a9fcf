"""The official SDK's client lists and calls tools through the gate, in every revision that it speaks."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from interlock.adapters.mcp.http import HttpServer
from interlock.domain.approvals import Verdict
from interlock.domain.contracts import Kind, Tier
from interlock.domain.ids import ApprovalId, ToolName
from interlock.domain.overlays import Overlay
from tests.kits.door import APPROVALS, Door, a_door
from tests.kits.gate import ANNA, NoSecrets, a_kit, a_policy
from tests.kits.mcp import Bench, serving

MODES = ("legacy", "auto", "2026-07-28")


@asynccontextmanager
async def client_of(door: Door, mode: str, **more: Any) -> AsyncIterator[Any]:
    async with httpx2.AsyncClient(headers=door.headers) as http:
        transport = streamable_http_client(door.mcp, http_client=http)
        async with Client(transport, mode=mode, **more) as client:
            yield client


@pytest.mark.parametrize("mode", MODES)
async def test_the_client_lists_calls_and_is_refused(mode: str) -> None:
    policy = a_policy(tools=frozenset({ToolName("orders.read"), ToolName("notes.add")}))
    async with a_door(await a_kit(policy)) as door, client_of(door, mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == ["notes.add", "orders.read"]
        read = await client.call_tool("orders.read", {"order_id": "o1"})
        assert (read.is_error, read.structured_content) == (False, {"ok": True, "operation": "orders.read"})
        refused = await client.call_tool("accounts.delete", {"account_id": "a1"})
        assert refused.is_error
        assert refused.structured_content["status"] == "denied"
        wrong = await client.call_tool("orders.read", {"order": "o1"})
        assert wrong.structured_content["error"]["code"] == "invalid_arguments"
        assert door.kit.shop.effects == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_waits_says_so_and_the_same_call_again_brings_the_result(mode: str) -> None:
    async with a_door() as door, client_of(door, mode) as client:
        asked = {"to": ["a@example.com"], "body": "hello"}
        waits = await client.call_tool("mail.send", asked)
        assert not waits.is_error
        assert waits.structured_content["status"] == "pending"
        approval = ApprovalId(waits.structured_content["approval"])
        again = await client.call_tool("mail.send", asked)
        assert again.structured_content["approval"] == approval
        await door.kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "fine")
        done = await client.call_tool("mail.send", asked)
        assert done.structured_content == {"ok": True, "operation": "mail.send"}
        assert len(door.kit.shop.effects) == 1


async def test_the_newest_revision_is_shown_the_page_where_the_call_is_decided() -> None:
    shown: list[str] = []

    async with a_door(approvals_url=APPROVALS) as door:

        async def show(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
            shown.append(params.url)  # type: ignore[union-attr]
            approval = ApprovalId(shown[-1].rsplit("/", 1)[1])
            await door.kit.approvals.answer(ANNA, approval, Verdict.APPROVE, "fine")
            return types.ElicitResult(action="accept")

        async with client_of(door, "auto", elicitation_callback=show) as client:
            done = await client.call_tool("mail.send", {"to": ["a@example.com"], "body": "hello"})
    assert shown[0].startswith(f"{APPROVALS}/")
    assert done.structured_content == {"ok": True, "operation": "mail.send"}


async def test_a_client_that_declines_the_page_gets_the_pending_result() -> None:
    async def decline(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(action="decline")

    async with (
        a_door(approvals_url=APPROVALS) as door,
        client_of(door, "auto", elicitation_callback=decline) as client,
    ):
        waits = await client.call_tool("mail.send", {"to": ["a@example.com"], "body": "hello"})
    assert waits.structured_content["status"] == "pending"


async def test_the_older_revision_is_told_of_the_page_by_its_own_error() -> None:
    async def show(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(action="accept")

    async with a_door(approvals_url=APPROVALS) as door, client_of(door, "legacy", elicitation_callback=show) as client:
        with pytest.raises(Exception, match="approve") as raised:
            await client.call_tool("mail.send", {"to": ["a@example.com"], "body": "hello"})
    assert raised.value.error.code == types.URL_ELICITATION_REQUIRED  # type: ignore[attr-defined]
    assert raised.value.error.data["elicitations"][0]["url"].startswith(APPROVALS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_client_says_in_meta_reaches_the_gate(mode: str) -> None:
    async with a_door() as door, client_of(door, mode) as client:
        meta = {
            "interlock.dev/run": "ticket-7",
            "interlock.dev/instruction": "Tell me about order o1.",
            "interlock.dev/call-id": "c1",
            "interlock.dev/reason": "the user asked",
        }
        first = await client.call_tool("notes.add", {"text": "x"}, meta=meta)
        again = await client.call_tool("notes.add", {"text": "x"}, meta=meta)
        assert first.structured_content == again.structured_content
        assert len(door.kit.shop.effects) == 1
        assert first.meta["interlock.dev/run"] == "ticket-7"
        unknown = await client.call_tool("notes.add", {"text": "x"}, meta={"interlock.dev/runn": "typo"})
        assert unknown.is_error
        assert "interlock.dev/run" in unknown.structured_content["error"]["do"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("old", [True, False])
async def test_tools_of_an_mcp_server_behind_the_gate_are_called_through_it(mode: str, old: bool) -> None:
    bench = Bench()
    async with serving(bench.app(old=old)) as upstream:
        server = HttpServer("shop", f"{upstream}/mcp", NoSecrets())
        overlay = Overlay("add", kind=Kind.READ, tier=Tier.READ_ONLY)
        policy = a_policy(tools=frozenset({ToolName("add")}))
        kit = await a_kit(policy, shop=server, overlays=(overlay,))  # type: ignore[arg-type]
        async with a_door(kit) as door, client_of(door, mode) as client:
            listed = (await client.list_tools()).tools
            assert listed[0].output_schema["anyOf"][0]["required"] == ["sum"]
            added = await client.call_tool("add", {"a": 2, "b": 3})
            assert added.structured_content == {"sum": 5}
            assert json.loads(added.content[0].text) == {"sum": 5}
        assert bench.headers[-1].get("authorization") != door.headers["Authorization"]
        await server.close()


async def test_each_session_has_a_run_of_its_own_and_ends_with_it() -> None:
    async with a_door() as door:
        runs = set()
        for _ in range(2):
            async with client_of(door, "legacy") as client:
                called = await client.call_tool("orders.read", {"order_id": "o1"})
                runs.add(called.meta["interlock.dev/run"])
        assert len(runs) == 2
        states = {run.id: run.state.value for run in await door.kit.runs.runs(replace(ANNA), 10)}
        assert {states[run] for run in runs} == {"closed"}
