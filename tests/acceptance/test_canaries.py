"""Secrets that pass through a served deployment appear in no file, log, metric, span or export of it."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg
import pytest
from aiohttp import web

from interlock.domain.canonical import Json
from scripts.redaction_shapes import FORMS, keys
from tests.kits.console import Console
from tests.kits.receivers import SpanReceiver, a_receiver

_RNG = random.Random(7)
VENDORS = {
    shape.name: shape.make(_RNG)
    for shape in (*keys(), *FORMS)
    if shape.kind in ("api_key", "jwt", "own_key") and not shape.name.startswith(("discord", "slack_hook"))
}
OWN = {
    "PROVIDER_KEY": "canary-provider-7f3a/91+b",
    "TOOL_KEY": "canary-tool-c04d77e1",
    "EXPORT_KEY": "canary-export-55aa02",
    "EXTRA_SECRET": "canary plain words 8831",
}
"""Secrets of no known form, which the deployment itself uses."""
CANARIES = {**VENDORS, **OWN}
ALL_OF_THEM = "; ".join(f"{name} is {value}" for name, value in CANARIES.items())
SOME = " ".join((VENDORS["github"], VENDORS["anthropic"], OWN["TOOL_KEY"], OWN["EXTRA_SECRET"]))
TOOLS = f"""
from interlock import tool

SAID = {ALL_OF_THEM!r}

@tool()
def find_order(order: str) -> dict[str, str]:
    "Return an order."
    return {{"order": order, "note": SAID}}

@tool()
def fail_order(order: str) -> dict[str, str]:
    "Fail."
    raise RuntimeError("the upstream said " + SAID)

@tool()
def refund_order(order: str, reason: str) -> dict[str, str]:
    "Refund an order."
    return {{"order": order, "note": SAID}}
"""
STRING: Json = {"type": "string"}


def deployment(store: str, provider: str, receiver: str) -> Mapping[str, Json]:
    """Return the files: tools that tell secrets, a provider that repeats them, a receiver of spans."""
    tools: list[Json] = [
        {
            "name": "find_order",
            "kind": "read",
            "tier": 0,
            "arguments": {"/order": "plain"},
            "output": {"trust": "trusted"},
        },
        {"name": "fail_order", "kind": "read", "tier": 0, "arguments": {"/order": "plain"}},
        {
            "name": "refund_order",
            "kind": "write",
            "tier": 3,
            "arguments": {"/order": "plain", "/reason": "plain"},
            "credential": "env:TOOL_KEY",
        },
    ]
    model: Json = {"provider": "rude", "context_window": 200_000}
    return {
        "interlock.yaml": {
            "tenant": "acme",
            "store": store,
            "agents": ["agent.yaml"],
            "contracts": ["contracts.yaml"],
            "router": "router.yaml",
            "tools": {"desk": {"python": {"module": "desk_of_the_canaries"}}},
            "traces": {"export": [{"url": receiver, "credential": "env:EXPORT_KEY"}]},
            "redaction": {"secrets": ["env:EXTRA_SECRET"]},
        },
        "agent.yaml": {
            "agent": {"name": "refunds", "owner": "support"},
            "tools": {"allowlist": ["find_order", "fail_order", "refund_order"]},
        },
        "contracts.yaml": {"tools": tools},
        "router.yaml": {
            "version": 1,
            "providers": {
                "rude": {"type": "openai_compatible", "base_url": provider, "credential": "env:PROVIDER_KEY"},
            },
            "models": {"chatty": model, "rude": model},
            "defaults": {"use": "chatty"},
            "prices": "prices.yaml",
        },
        "prices.yaml": {"prices": [{"provider": "rude", "model": "*", "input": 1, "output": 2}]},
    }


@asynccontextmanager
async def a_rude_provider() -> AsyncIterator[str]:
    """Serve a provider that tells secrets in its answers, or refuses and repeats the key and the words that it was sent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked["model"] == "rude":
            key = request.headers.get("authorization", "")
            said = f"Incorrect API key provided: {key}. You said {json.dumps(asked)} and {ALL_OF_THEM}"
            error = {"error": {"message": said, "type": "invalid_request_error", "code": SOME}}
            return web.json_response(error, status=400)
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        told = {"role": "assistant", "content": f"I know that {ALL_OF_THEM}"}
        choice: Json = {"index": 0, "finish_reason": "stop"}
        whole: Json = {"id": VENDORS["github"], "created": 1, "model": SOME, "usage": usage}
        if not asked.get("stream"):
            return web.json_response({**whole, "object": "chat.completion", "choices": [{**choice, "message": told}]})
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        chunk = {**whole, "object": "chat.completion.chunk", "choices": [{**choice, "delta": told}]}
        await stream.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())
        return stream

    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()


def spellings(value: str) -> Iterator[bytes]:
    """Yield the forms in which `value` could lie in a file."""
    raw = value.encode()
    yield raw
    yield json.dumps(value)[1:-1].encode()
    yield quote(value, safe="").encode()
    yield raw.hex().encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        yield whole[4 if shift else 0 : -4]


LOOKED_FOR = [(name, form) for name, value in CANARIES.items() for form in set(spellings(value)) if len(form) > 8]


def told(data: bytes) -> list[str]:
    """Return the canaries that stand in `data`."""
    return sorted({name for name, form in LOOKED_FOR if form in data})


class Talk:
    """Says every canary over every surface."""

    def __init__(self, http: aiohttp.ClientSession, url: str, keys_of: Mapping[str, str]) -> None:
        self.http, self.url, self.keys = http, url, keys_of
        self.kept: dict[str, bytes] = {}
        """What the surfaces tell that anybody may keep: errors, spans, metrics, the audit log."""

    async def ask(self, who: str, method: str, path: str, body: Json = None, **headers: str) -> tuple[int, bytes]:
        """Make one request; return status and body."""
        said = {"authorization": f"Bearer {self.keys[who]}", **headers}
        async with self.http.request(method, self.url + path, json=body, headers=said) as answer:
            return answer.status, await answer.read()

    async def keep(self, name: str, who: str, path: str) -> None:
        """Keep what a surface tells."""
        status, body = await self.ask(who, "GET", path)
        assert status == 200, (path, body[:300])
        assert body, path
        self.kept[name] = body

    async def models(self) -> None:
        """Talk to models that answer, and to one that refuses."""
        words = [{"role": "system", "content": ALL_OF_THEM}, {"role": "user", "content": f"hello {ALL_OF_THEM}"}]
        label = quote(SOME, safe=" ")[:190]
        headers = {
            "x-interlock-label-team": label,
            "user-agent": SOME,
            "tracestate": f"vendor={VENDORS['github']}",
            "traceparent": f"00-{'4b' * 16}-{'0f' * 8}-01",
            "x-interlock-run": "canaries",
        }
        for model in ("chatty", "rude"):
            for extra in ({}, {"stream": True}):
                body = {
                    "model": model,
                    "messages": words,
                    "user": VENDORS["github"],
                    "metadata": {"a": SOME[:100]},
                    **extra,
                }
                status, answer = await self.ask("agent", "POST", "/v1/chat/completions", body, **headers)
                assert status == 200 or model == "rude", answer[:500]
            status, _ = await self.ask(
                "agent", "POST", "/v1/messages", {"model": model, "max_tokens": 50, "messages": words[1:]}, **headers
            )
            assert status == 200 or model == "rude"

    async def calls(self) -> None:
        """Call tools over HTTP and MCP, with a person between."""
        for tool in ("find_order", "fail_order"):
            body = {"run": "canaries", "tool": tool, "arguments": {"order": ALL_OF_THEM}, "reason": ALL_OF_THEM[:500]}
            status, answer = await self.ask("agent", "POST", "/v1/tool-calls", body)
            assert status == (502 if tool == "fail_order" else 200), answer[:500]
            self.kept[f"failure of {tool}"] = answer if status == 502 else b""
        refund: Json = {
            "run": "canaries",
            "call_id": "r1",
            "tool": "refund_order",
            "arguments": {"order": "7", "reason": ALL_OF_THEM},
            "reason": SOME,
        }
        status, answer = await self.ask("agent", "POST", "/v1/tool-calls", refund)
        assert status == 202, answer[:500]
        _, listed = await self.ask("approver", "GET", "/api/v1/approvals")
        (waiting,) = json.loads(listed)["approvals"]
        status, answer = await self.ask(
            "approver", "POST", f"/api/v1/approvals/{waiting['id']}/approve", {"reason": SOME}
        )
        assert status == 200, answer
        status, answer = await self.ask("agent", "POST", "/v1/tool-calls", refund)
        assert status == 200, answer[:300]
        for tool in ("find_order", "fail_order", VENDORS["github"]):
            params: Json = {
                "name": tool,
                "arguments": {"order": ALL_OF_THEM},
                "_meta": {
                    "interlock.dev/run": "canaries",
                    "progressToken": VENDORS["github"],
                    "tracestate": f"v={SOME}",
                },
            }
            body = {"jsonrpc": "2.0", "id": VENDORS["gitlab"], "method": "tools/call", "params": params}
            accept = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
            status, answer = await self.ask("agent", "POST", "/mcp", body, **accept)
            assert status < 500, answer[:300]

    async def spans(self) -> None:
        """Send spans from outside that hold them everywhere."""
        value: Json = {"stringValue": ALL_OF_THEM}
        span: Json = {
            "traceId": "4b" * 16,
            "spanId": "ab" * 8,
            "name": f"chat {SOME}",
            "startTimeUnixNano": "1763625600000000000",
            "endTimeUnixNano": "1763625601000000000",
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                {"key": "gen_ai.prompt.0.content", "value": value},
                {"key": "short", "value": {"stringValue": VENDORS["github"]}},
                {"key": VENDORS["gitlab"], "value": {"stringValue": "a name"}},
                {"key": "list", "value": {"arrayValue": {"values": [value]}}},
                {"key": "bytes", "value": {"bytesValue": base64.b64encode(ALL_OF_THEM.encode()).decode()}},
            ],
            "events": [
                {
                    "name": SOME,
                    "timeUnixNano": "1763625600500000000",
                    "attributes": [{"key": "exception.message", "value": value}],
                }
            ],
            "status": {"code": 2, "message": ALL_OF_THEM},
        }
        resource: Json = {"attributes": [{"key": "service.name", "value": {"stringValue": SOME}}]}
        scope: Json = {"name": SOME, "version": VENDORS["github"]}
        body: Json = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span]}]}]}
        status, answer = await self.ask("agent", "POST", "/v1/traces", body)
        assert status == 200, answer[:300]
        assert b"ejected" not in answer, answer


async def _started(console: Console) -> tuple[str, asyncio.subprocess.Process]:
    process = await console.start("serve", "--port", "0", "--json")
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert b'"url"' in line, (line, await process.communicate())
    return json.loads(line)["url"], process


async def _all_exported(receiver: SpanReceiver) -> None:
    """Wait until nothing more comes."""
    seen, quiet = -1, 0
    while quiet < 5 or not receiver.spans:
        await asyncio.sleep(0.3)
        quiet = quiet + 1 if len(receiver.spans) == seen else 0
        seen = len(receiver.spans)


async def _traffic(folder: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Say every canary everywhere, and return what is kept of it, by where."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    async with a_rude_provider() as provider, a_receiver() as receiver:
        for name, content in deployment(store, provider, receiver.url).items():
            (folder / name).write_text(json.dumps(content))
        (folder / "desk_of_the_canaries.py").write_text(TOOLS)
        console = Console(folder)
        await console.key("agent", "agent", "--agent", "refunds")
        for role in ("approver", "auditor", "operator"):
            await console.key(role, role)
        url, process = await _started(console)
        try:
            async with aiohttp.ClientSession() as http:
                talk = Talk(http, url, console.keys)
                opening: Json = {
                    "agent": "refunds",
                    "run": "canaries",
                    "instruction": ALL_OF_THEM,
                    "system": ALL_OF_THEM,
                    "labels": {"team": SOME[:150]},
                }
                status, answer = await talk.ask("agent", "POST", "/api/v1/runs", opening)
                assert status == 201, answer[:300]
                await talk.ask("agent", "POST", "/api/v1/runs/canaries/instructions", {"text": ALL_OF_THEM})
                await talk.models()
                await talk.calls()
                await talk.spans()
                await talk.ask("agent", "POST", "/api/v1/runs/canaries/close", {"outcome": "succeeded"})
                await _all_exported(receiver)
                await talk.keep("metrics", "operator", "/metrics")
                await talk.keep("traces", "operator", "/api/v1/traces")
                await talk.keep("own trace", "operator", "/api/v1/traces/canaries")
                await talk.keep("foreign trace", "operator", f"/api/v1/traces/{'4b' * 16}")
                await talk.keep("audit", "auditor", "/api/v1/audit?limit=500")
                await talk.keep("audit export", "auditor", "/api/v1/audit/export")
                kept = talk.kept
            kept["spans exported"] = repr([receiver.batches, receiver.headers[0].keys()]).encode()
            assert len(receiver.spans) > 5
            # The files are looked at as a crash would leave them, write-ahead log and all.
            process.kill()
        finally:
            if process.returncode is None:
                process.kill()
            out, err = await asyncio.wait_for(process.communicate(), 60)
    return {**kept, "standard output": out, "standard error": err}


_WRITTEN_BY_THE_TEST = {"desk_of_the_canaries.py"}


def _files(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` that Interlock wrote."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _WRITTEN_BY_THE_TEST and path.suffix != ".pyc":
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def _leaks(places: Mapping[str, bytes]) -> dict[str, list[str]]:
    return {place: names for place, data in places.items() if (names := told(data))}


def test_the_scan_finds_what_is_there() -> None:
    assert set(told(ALL_OF_THEM.encode())) == set(CANARIES)
    assert set(told(base64.b64encode(b"x" + ALL_OF_THEM.encode()))) >= set(OWN)


async def test_no_canary_is_in_any_file_log_metric_span_or_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await _traffic(tmp_path, "sqlite:///gate.db", monkeypatch)
    files = _files(tmp_path)
    assert {"gate.db", "gate.db-wal"} <= set(files)
    assert any("traces" in name and name.endswith(".db") for name in files), sorted(files)
    assert _leaks({**files, **kept}) == {}


@pytest.mark.postgres
async def test_no_canary_is_in_any_table(postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = await _traffic(tmp_path, postgres_dsn, monkeypatch)
    rows: dict[str, Any] = {}
    with psycopg.connect(postgres_dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            with (
                connection.cursor() as cursor,
                cursor.copy(f'COPY "{schema}"."{table}" TO STDOUT (FORMAT BINARY)') as copy,
            ):
                rows[f"{schema}.{table}"] = b"".join(bytes(block) for block in copy)
    assert len(rows) > 10
    assert any(rows[name] for name in rows if "spans" in name)
    assert _leaks({**rows, **_files(tmp_path), **kept}) == {}
