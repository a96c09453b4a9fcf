"""Whoever traces an agent finds its model calls in its trace: over HTTP from the header to the span."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from interlock.domain.identity import Role
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.models.spans import MEANINGS
from tests.kits.model_deployment import ServedModels, served_models

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BODY = {"model": "tier-small", "messages": [{"role": "user", "content": "Hi"}]}


async def told(served: ServedModels, http: aiohttp.ClientSession, **headers: str) -> Any:
    """Ask the model, and return the call as the API shows it."""
    said = {"Authorization": f"Bearer {served.key}", **headers}
    async with http.post(f"{served.url}/v1/chat/completions", json=BODY, headers=said) as answer:
        assert answer.status == 200, await answer.text()
        call = answer.headers["x-interlock-call"]
    for _ in range(200):
        async with http.get(f"{served.url}/api/v1/model-calls/{call}", headers=said) as answer:
            if answer.status == 200:
                return await answer.json()
        await asyncio.sleep(0.02)
    raise AssertionError("the call was not written down")


async def test_a_traced_call_is_found_in_the_callers_trace_and_a_spoilt_header_harms_nobody(tmp_path: Path) -> None:
    async with served_models(tmp_path) as served, aiohttp.ClientSession() as http:
        call = await told(served, http, traceparent=f"00-{TRACE}-{SPAN}-01", tracestate="congo=1")
        span = call["span"]
        assert (span["trace_id"], span["parent_id"], span["span_id"]) == (TRACE, SPAN, call["id"][-16:])
        assert (span["name"], span["status"]) == ("chat tier-small", "unset")
        assert span["start_ns"] == f"{call['started_at']}000000"
        assert span["attributes"]["gen_ai.usage.input_tokens"] == call["usage"]["input"] > 0
        assert set(span["attributes"]) < set(MEANINGS)
        (attempt,) = span["children"]
        assert (attempt["parent_id"], attempt["name"]) == (span["span_id"], "attempt script")
        assert attempt["attributes"]["interlock.attempt.outcome"] == "served"

        for spoilt in (f"00-{TRACE}-{SPAN}", "ff" * 30, "\u00e9" * 55, f"00-{'0' * 32}-{SPAN}-01"):
            span = (await told(served, http, traceparent=spoilt))["span"]
            assert span["parent_id"] is None
            assert span["trace_id"] != TRACE

        twice = [("traceparent", f"00-{TRACE}-{SPAN}-01")] * 2
        said = [("Authorization", f"Bearer {served.key}"), *twice]
        async with http.post(f"{served.url}/v1/chat/completions", json=BODY, headers=said) as answer:
            assert answer.status == 200


async def test_an_auditor_reads_the_span_of_a_call(tmp_path: Path) -> None:
    async with served_models(tmp_path) as served, aiohttp.ClientSession() as http:
        call = await told(served, http)
        admin = operator_at_the_machine(served.interlock.deployment.tenant, "test")
        key, _ = await served.interlock.desks.access.create_key(admin, "auditor", frozenset({Role.AUDITOR}), None)
        said = {"Authorization": f"Bearer {key}"}
        async with http.get(f"{served.url}/api/v1/model-calls/{call['id']}", headers=said) as answer:
            assert (await answer.json())["span"] == call["span"]
