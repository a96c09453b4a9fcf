"""Traces and figures over the API: who sees what, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema_rs
import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.domain.canonical import Json
from tests.contracts.test_run_sums import a_span
from tests.kits.api import Answer, Api, an_api
from tests.kits.gate import TENANT

ROOT = Path(__file__).resolve().parent.parent.parent
REFERENCE = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text())
CLIENT = bytes.fromhex("5b8efff798038103d269b633813fc60c")
TRACEPARENT = f"00-{CLIENT.hex()}-{1:016x}-01"


@pytest.fixture
async def spans() -> MemorySpanStore:
    return MemorySpanStore()


@pytest.fixture
async def api(tmp_path: Path, spans: MemorySpanStore) -> AsyncIterator[Api]:
    async with an_api(tmp_path, spans) as served:
        yield served


def _fits(answer: Answer, name: str) -> Json:
    """Return the body after holding it against the published schema."""
    assert answer.status == 200, answer.body
    schema = {"$ref": f"#/components/schemas/{name}", "components": REFERENCE["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate(answer.body)
    return answer.body


async def a_run(api: Api) -> str:
    """Open a run in a client's trace, have one call denied and one made, and close it."""
    body = {"run": "ticket-7", "agent": "refunds", "user": {"id": "uma"}}
    opened = await api.ask("operator", "POST", "/api/v1/runs", body, headers={"traceparent": TRACEPARENT})
    assert opened.status == 201
    api.run, api.keys["token"] = "ticket-7", opened.body["token"]
    assert (await api.call("orders.read", "c1", order_id="7")).body["status"] == "succeeded"
    assert (await api.call("nothing.there", "c2")).status == 404
    await api.ask("operator", "POST", "/api/v1/runs/ticket-7/close", {"outcome": "succeeded"})
    await api.desks.traces.refresh()
    return CLIENT.hex()


async def test_the_clients_spans_and_our_own_stand_in_one_tree(api: Api, spans: MemorySpanStore) -> None:
    trace = await a_run(api)
    began = api.kit.clock.now() * 1_000_000
    named = {"start_ns": began - 1, "end_ns": began + 1}
    client = a_span(1, CLIENT, name="client", category="agent", **named)
    await spans.add(TENANT, [client, a_span(2, CLIENT, name="search", category="retrieval", **named)])

    by_trace = _fits(await api.ask("auditor", "GET", f"/api/v1/traces/{trace}"), "TraceDocument")
    by_run = _fits(await api.ask("auditor", "GET", "/api/v1/traces/ticket-7"), "TraceDocument")

    assert by_trace == by_run
    first = by_run["spans"][0]
    assert (first["name"], first["depth"], first["source"]) == ("client", 0, "outside")
    own = next(span for span in by_run["spans"] if span["name"] == "invoke_agent refunds")
    assert (own["depth"], own["parent_id"], own["source"]) == (1, f"{1:016x}", "interlock")
    assert {span["category"] for span in by_run["spans"]} >= {"agent", "retrieval", "tool", "decision", "evaluation"}
    assert not any(span["orphan"] for span in by_run["spans"])


async def test_runs_are_listed_with_their_sums(api: Api) -> None:
    trace = await a_run(api)
    listed = _fits(await api.ask("operator", "GET", "/api/v1/traces?workflow=refunds&order=dearest"), "TracesDocument")
    (one,) = listed["traces"]
    assert (one["trace_id"], one["run"], one["user"], one["outcome"]) == (trace, "ticket-7", "uma", "succeeded")
    assert (one["tool_calls"], one["denied"]) == (2, 1)
    assert (await api.ask("operator", "GET", "/api/v1/traces?workflow=other")).body == {"traces": []}
    assert (await api.ask("operator", "GET", "/api/v1/traces?order=nicest")).code == "bad_input"


async def test_figures_tell_how_a_workflow_did(api: Api) -> None:
    await a_run(api)
    until = api.kit.clock.now() + 1
    report = _fits(await api.ask("auditor", "GET", f"/api/v1/figures?until={until}"), "FiguresReportDocument")
    (one,) = report["figures"]
    now = one["now"]
    assert (now["workflow"], now["runs"], now["success_rate"], now["violations_per_1000_runs"]) == (
        "refunds",
        1,
        1,
        1_000,
    )
    assert one["before"] is None
    assert now["reasons"][0]["kind"] == "denied"
    whole = (await api.ask("auditor", "GET", f"/api/v1/figures?by=tenant&until={until}")).body
    assert whole["figures"][0]["now"]["workflow"] == ""
    assert (await api.ask("auditor", "GET", "/api/v1/figures?since=5&until=5")).code == "bad_input"


async def test_an_agent_sees_the_trace_of_its_run_and_no_lists(api: Api, spans: MemorySpanStore) -> None:
    trace = await a_run(api)
    await spans.add(TENANT, [a_span(9, b"\x07" * 16)])
    assert (await api.ask("agent", "GET", "/api/v1/traces/ticket-7")).status == 200
    assert (await api.ask("agent", "GET", f"/api/v1/traces/{trace}")).code == "unknown_run"
    assert (await api.ask("agent", "GET", "/api/v1/traces/" + "07" * 16)).code == "unknown_run"
    assert (await api.ask("agent", "GET", "/api/v1/traces")).code == "forbidden"
    assert (await api.ask("agent", "GET", "/api/v1/figures")).code == "forbidden"
    assert (await api.ask("auditor", "GET", "/api/v1/traces/" + "0a" * 16)).code == "unknown_record"
