"""A run of a real agent is one connected trace with every kind of work in it, here and at a second receiver."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from interlock.domain.canonical import Json
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.gateway.own_spans import MEANINGS
from interlock.wiring import open_interlock
from tests.conftest import ROOT
from tests.kits.console import Console
from tests.kits.phoenix import Phoenix, a_phoenix, ready

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
STRING = {"type": "string"}
SCRIPT: Json = [
    {"id": "look", "last": "refund order 7", "calls": [{"tool": "find_order", "arguments": {"order": "7"}}]},
    {
        "id": "refund",
        "after": ["find_order"],
        "calls": [{"tool": "refund_order", "arguments": {"order": "7", "amount_usd": 20}}],
    },
    {"id": "done", "after": ["refund_order"], "say": "Order 7 is refunded."},
]
SHOP: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/orders/{order}": {
            "get": {
                "operationId": "find_order",
                "parameters": [{"name": "order", "in": "path", "required": True, "schema": STRING}],
                "responses": {"200": {"description": "The order."}},
            }
        },
        "/refunds": {
            "post": {
                "operationId": "refund_order",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {"order": STRING, "amount_usd": {"type": "number"}},
                                "required": ["order", "amount_usd"],
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "Done."}},
            }
        },
    },
}
CONTRACTS: Json = {
    "tools": [
        {
            "name": "find_order",
            "kind": "read",
            "tier": 0,
            "arguments": {"/order": "plain"},
            "output": {"trust": "trusted"},
        },
        {"name": "refund_order", "kind": "write", "tier": 3, "arguments": {"/order": "plain", "/amount_usd": "plain"}},
    ]
}


def deployment(shop: str, phoenix: str) -> Mapping[str, Json]:
    return {
        "interlock.yaml": {
            "tenant": "acme",
            "store": "sqlite:///gate.db",
            "agents": ["agent.yaml"],
            "contracts": ["contracts.yaml"],
            "router": "router.yaml",
            "tools": {"shop": {"openapi": {"document": "shop.json", "base_url": shop, "private": True}}},
            "traces": {"export": [{"url": phoenix}]},
        },
        "agent.yaml": {
            "agent": {"name": "refunds", "owner": "support"},
            "tools": {"allowlist": ["find_order", "refund_order"]},
        },
        "contracts.yaml": CONTRACTS,
        "shop.json": SHOP,
        "router.yaml": {
            "version": 1,
            "providers": {"script": {"type": "scripted", "script": "script.yaml"}},
            "models": {"scripted": {"provider": "script", "context_window": 200_000}},
            "defaults": {"use": "scripted"},
            "prices": "prices.yaml",
        },
        "prices.yaml": {"prices": [{"provider": "script", "model": "*", "input": 1, "output": 2}]},
        "script.yaml": {"rules": SCRIPT},
    }


@asynccontextmanager
async def a_shop() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run the shop; yields its URL, and the process, which waits to be told where to send spans."""
    process = await program("traced_shop")
    assert process.stdout is not None
    try:
        port = await asyncio.wait_for(process.stdout.readline(), 60)
        yield f"http://127.0.0.1:{int(port)}", process
    finally:
        process.kill()
        await process.wait()


async def program(name: str, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"}
    return await asyncio.create_subprocess_exec(
        *(str(PYTHON), "-m", f"tests.acceptance.clients.{name}", *arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=None,
        env=environment,
        cwd=ROOT,
    )


async def keys_of(folder: Path) -> dict[Role, str]:
    """Return a key for each role that the test needs."""
    made = {}
    async with open_interlock(folder, discover=False) as built:
        admin = operator_at_the_machine(built.deployment.tenant, "test")
        for role in (Role.AGENT, Role.APPROVER, Role.AUDITOR):
            agent = AgentId("refunds") if role is Role.AGENT else None
            made[role], _ = await built.desks.access.create_key(admin, role.value, frozenset({role}), agent)
    return made


async def run_agent(name: str, url: str, keys: Mapping[Role, str], receivers: Mapping[str, str]) -> Any:
    """Run the agent until it has answered, and return what it says; a person approves whatever it has to wait for."""
    agent = await program(name, url, keys[Role.AGENT], json.dumps(receivers))
    answering = asyncio.create_task(agent.communicate())
    approver = {"authorization": f"Bearer {keys[Role.APPROVER]}"}
    async with aiohttp.ClientSession(headers=approver) as http:
        while not answering.done():
            async with http.get(f"{url}/api/v1/approvals", params={"state": "open"}) as found:
                waiting = (await found.json())["approvals"]
            for one in waiting:
                async with http.post(f"{url}/api/v1/approvals/{one['id']}/approve", json={"reason": "Fine."}) as given:
                    assert given.status == 200, await given.text()
            await asyncio.sleep(0.1)
    out, _ = await answering
    assert agent.returncode == 0
    return json.loads(out)


@pytest.mark.xdist_group("phoenix")
@pytest.mark.skipif(not PYTHON.exists(), reason="no clients to try; `make .venv-clients/.ready` installs them")
async def test_runs_of_real_agents_are_one_trace_each_here_and_at_phoenix(tmp_path: Path) -> None:
    home = tmp_path / "phoenix"
    home.mkdir()
    async with a_phoenix(home) as phoenix, a_shop() as (shop, shopkeeper):
        for name, content in deployment(shop, phoenix.receives).items():
            # JSON is YAML.
            (tmp_path / name).write_text(json.dumps(content))
        keys = await keys_of(tmp_path)
        async with Console(tmp_path).served() as (url, _):
            receivers = {f"{url}/v1/traces": keys[Role.AGENT], phoenix.receives: ""}
            assert shopkeeper.stdin is not None
            await ready(phoenix)
            shopkeeper.stdin.write(json.dumps(receivers).encode() + b"\n")
            for agent in ("traced_langgraph", "traced_agents"):
                said = await run_agent(agent, url, keys, receivers)
                assert said["answer"] == "Order 7 is refunded."
                shown = await trace_of(url, keys[Role.AUDITOR], said["trace"])
                expected = [one for one in shown if not is_made_of_an_event(one)]
                there = await arrived(phoenix, said["trace"], expected)
                is_one_tree(shown)
                has_every_kind_of_work(shown)
                stands_around_the_clients_spans(shown)
                speaks_the_conventions(shown)
                is_the_same_at(there, shown)


async def trace_of(url: str, key: str, trace: str) -> list[Any]:
    """Return the spans of a trace as the API shows them."""
    reader = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=reader) as http, http.get(f"{url}/api/v1/traces/{trace}") as answer:
        assert answer.status == 200, await answer.text()
        spans: list[Any] = (await answer.json())["spans"]
        return spans


async def arrived(phoenix: Phoenix, trace: str, expected: list[Any]) -> list[Any]:
    """Return the spans of a trace at Phoenix once as many as `expected` are there."""
    found: list[Any] = []
    for _ in range(100):
        found = await phoenix.spans(trace)
        if len(found) >= len(expected):
            break
        await asyncio.sleep(0.2)
    return found


def is_one_tree(spans: list[Any]) -> None:
    ids = {span["span_id"] for span in spans}
    assert len(ids) == len(spans)
    assert [span["name"] for span in spans if span["parent_id"] is None] == ["POST /tickets"]
    assert [span["name"] for span in spans if span["parent_id"] not in ids] == ["POST /tickets"]
    assert not any(span["orphan"] for span in spans)


def has_every_kind_of_work(spans: list[Any]) -> None:
    ours = Counter(span["category"] for span in spans if span["source"] == "interlock")
    theirs = {span["category"] for span in spans if span["source"] == "outside"}
    assert ours == {"agent": 1, "model": 3, "tool": 2, "decision": 3, "approval": 1, "evaluation": 2, "attempt": 5}
    assert theirs >= {"model", "tool", "retrieval", "evaluation"}
    (root,) = [span for span in spans if span["category"] == "agent" and span["source"] == "interlock"]
    said = root["attributes"]
    assert (said["interlock.run.outcome"], said["gen_ai.agent.name"]) == ("succeeded", "refunds")
    named = {version.partition("=")[0] for version in said["interlock.versions"]}
    assert named >= {"agent", "policy", "contract:find_order", "contract:refund_order", "prices", "router"}


def stands_around_the_clients_spans(spans: list[Any]) -> None:
    """The client's span is above ours, and above what the shop did for us stands our attempt."""
    by_id = {span["span_id"]: span for span in spans}

    def above(name: str) -> Any:
        (found,) = [span for span in spans if span["name"] == name]
        return by_id[found["parent_id"]]

    assert above("invoke_agent refunds")["name"] == "POST /tickets"
    assert above("execute_tool refund_order")["source"] == "outside"
    assert (above("GET /orders/7")["name"], above("POST /refunds")["name"]) == (
        "attempt find_order",
        "attempt refund_order",
    )
    (refund,) = [span for span in spans if span["name"] == "execute_tool refund_order"]
    assert [by_id[link["span_id"]]["name"] for link in refund["links"]] == ["chat scripted"]


def speaks_the_conventions(spans: list[Any]) -> None:
    known = json.loads((ROOT / "tests" / "kits" / "genai_conventions.json").read_text())
    published = {name for source in known["sources"] for name in source["attributes"]}
    ours = [span for span in spans if span["source"] == "interlock"]
    names = {name for span in ours for name in span["attributes"]}
    assert {name for name in names if not name.startswith("interlock.")} <= published
    assert names <= set(MEANINGS)
    for span in ours:
        operation = span["attributes"].get("gen_ai.operation.name")
        assert operation is None or operation in known["operations"]
        assert operation is None or span["name"].startswith(f"{operation} ")
        assert {event["name"] for event in span["events"]} <= set(known["events"])


def is_the_same_at(there: list[Any], spans: list[Any]) -> None:
    """What Phoenix has is what Interlock shows: our spans by its own export, the client's by theirs."""
    shown = {span["span_id"]: span for span in spans if not is_made_of_an_event(span)}
    found = {span["context"]["span_id"]: span for span in there}
    assert set(found) == set(shown)
    for id, span in found.items():
        assert (span["name"], span["parent_id"]) == (shown[id]["name"], shown[id]["parent_id"])
    kinds = {
        shown[id]["category"]: span["span_kind"] for id, span in found.items() if shown[id]["source"] == "interlock"
    }
    assert kinds == {
        "agent": "AGENT",
        "model": "LLM",
        "attempt": "CHAIN",
        "tool": "TOOL",
        "decision": "GUARDRAIL",
        "approval": "CHAIN",
        "evaluation": "EVALUATOR",
    }
    effects = [
        span["attributes"]["interlock.decision.effect"] for span in there if span["name"] == "decide refund_order"
    ]
    assert sorted(effects) == ["allow", "require_approval"]


def is_made_of_an_event(span: Any) -> bool:
    """Whether Interlock made the span of what another one says: an evaluation that came as an event."""
    return bool(span["source"] == "outside" and span["category"] == "evaluation")
