"""Bad input at the surfaces for agents: a typed error, nothing executed, no trace, no secret."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.kits.door import Door, a_door

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "notes.add", "arguments": {"text": "x"}}}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
SECRET = "sk-this-is-secret"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as opened:
        yield opened


async def post(door: Door, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**door.headers, "Content-Type": "application/json", **(headers or {})}
    async with aiohttp.ClientSession() as session, session.post(f"{door.url}{path}", data=data, headers=sent) as answer:
        text = await answer.text()
        assert "Traceback" not in text
        assert SECRET not in text
        return answer.status, json.loads(text) if text else None


RAW = {
    "nothing": (b"", 400, -32700),
    "not JSON": (f"{SECRET}".encode(), 400, -32700),
    "not UTF-8": (b'{"a":"\xff"}', 400, -32700),
    "duplicate keys": (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', 400, -32700),
    "NaN": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', 400, -32700),
    "infinity": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}', 400, -32700),
    "lone surrogate": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}', 400, -32700),
    "null character": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\u0000"}}', 400, -32700),
    "too deep": (b"[" * 100 + b"]" * 100, 413, -32600),
    "far too deep": (b"[" * 100_000 + b"]" * 100_000, 413, -32600),
    "batch": (json.dumps([CALL]).encode(), 400, -32600),
    "a text": (b'"ping"', 400, -32600),
    "no version": (b'{"id":1,"method":"ping"}', 400, -32600),
    "id is null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
    "id is a fraction": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
    "method is a number": (b'{"jsonrpc":"2.0","id":1,"method":5}', 400, -32600),
    "params are a list": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', 400, -32602),
}


@pytest.mark.parametrize("name", RAW)
async def test_a_message_that_is_none_gets_the_error_of_the_protocol(door: Door, name: str) -> None:
    body, status, code = RAW[name]
    found, answer = await post(door, "/mcp", body)
    assert (found, answer["error"]["code"]) == (status, code)


CALLS: dict[str, tuple[dict[str, Any], int]] = {
    "unknown method": ({"method": "tools/delete"}, -32601),
    "no name": ({"params": {"arguments": {}}}, -32602),
    "arguments are a list": ({"params": {"name": "notes.add", "arguments": []}}, -32602),
    "a state that is not ours": ({"params": {"name": "notes.add", "requestState": "{}"}}, -32602),
    "a cursor that is not ours": ({"method": "tools/list", "params": {"cursor": "!"}}, -32602),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_request_that_makes_no_sense_is_refused(door: Door, name: str) -> None:
    changes, code = CALLS[name]
    status, answer = await post(door, "/mcp", {**CALL, **changes})
    assert (status, answer["error"]["code"]) == (200, code)
    assert door.kit.shop.invocations == []


@pytest.mark.parametrize(
    "meta",
    [
        {"interlock.dev/run": 5},
        {"interlock.dev/run": "a b"},
        {"interlock.dev/run": "x" * 300},
        {"interlock.dev/call-id": "\n"},
        {"interlock.dev/requires_approval": True},
        {"interlock.dev/requires-approval": "yes"},
        {"interlock.dev/constraints": [1]},
        {"interlock.dev/constraints": {"max_amont": 5}},
        {"interlock.dev/instruction": {"text": "x"}},
    ],
)
async def test_a_control_in_meta_that_is_wrong_stops_the_call(door: Door, meta: dict[str, object]) -> None:
    params = {"name": "notes.add", "arguments": {"text": "x"}, "_meta": meta}
    _, answer = await post(door, "/mcp", {**CALL, "params": params})
    assert "error" in answer or answer["result"]["isError"]
    assert door.kit.shop.invocations == []


VERSION, METHOD, NAME = "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"
NEWEST = {VERSION: "2026-07-28"}
CALLING = {**NEWEST, METHOD: "tools/call"}
STATED = "io.modelcontextprotocol/protocolVersion"
HEADERS = {
    "unknown revision": ({VERSION: "2031-01-01"}, META, -32022),
    "nonsense revision": ({VERSION: "\u00e9" * 500}, META, -32022),
    "the body says another": (CALLING, {**META, STATED: "2025-06-18"}, -32020),
    "only the body says it": ({}, META, -32020),
    "no method header": (NEWEST, META, -32020),
    "another method": ({**NEWEST, METHOD: "tools/list"}, META, -32020),
    "another name": ({**CALLING, NAME: "orders.read"}, META, -32020),
    "broken wrapping": ({**CALLING, NAME: "=?base64?@@?="}, META, -32020),
    "no capabilities": (CALLING, {STATED: "2026-07-28"}, -32602),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_request_that_contradicts_its_headers_is_refused(door: Door, name: str) -> None:
    headers, meta, code = HEADERS[name]
    params = {"name": "notes.add", "arguments": {"text": "x"}, "_meta": meta}
    status, answer = await post(door, "/mcp", {**CALL, "params": params}, headers)
    assert (status, answer["error"]["code"]) == (400, code)
    if code == -32022:
        assert "2026-07-28" in answer["error"]["data"]["supported"]
    assert door.kit.shop.invocations == []


async def test_an_unknown_revision_in_the_handshake_is_answered_with_one_that_we_speak(door: Door) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "1999-01-01"}}
    status, answer = await post(door, "/mcp", hello)
    assert (status, answer["result"]["protocolVersion"]) == (200, "2025-11-25")


async def test_a_session_that_never_was_is_not_found(door: Door) -> None:
    for id in ("x", "s9n-" + "0" * 32, "s1n-" + "0" * 31):
        status, answer = await post(door, "/mcp", CALL, {"Mcp-Session-Id": id})
        assert (status, answer["code"]) == (404, "unknown_session")


async def test_a_stream_is_not_offered_and_another_content_type_not_taken(door: Door) -> None:
    async with aiohttp.ClientSession(headers=door.headers) as session, session.get(door.mcp) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "DELETE, POST"
    status, answer = await post(door, "/mcp", CALL, {"Content-Type": "text/plain"})
    assert (status, answer["code"]) == (415, "unsupported_content")


async def test_a_notification_and_a_stray_response_are_taken_in_silence(door: Door) -> None:
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    for body in (cancelled, {"jsonrpc": "2.0", "id": 1, "result": {}}):
        assert await post(door, "/mcp", body) == (202, None)


NOTE = {"tool": "notes.add", "arguments": {"text": "x"}}
REST = {
    "not JSON": (b"{", 400, "malformed_json"),
    "a list": ([], 400, "bad_input"),
    "no tool": ({"arguments": {}}, 400, "bad_input"),
    "misspelt control": ({"tool": "notes.add", "arguments": {}, "requires_aproval": True}, 400, "bad_input"),
    "control of a wrong type": ({"tool": "notes.add", "arguments": {}, "dry_run": 1}, 400, "bad_input"),
    "unknown run": ({"tool": "notes.add", "arguments": {"text": "x"}, "run": "run_none"}, 404, "unknown_run"),
    "unknown tool": ({"tool": "notes.ad", "arguments": {"text": "x"}}, 404, "unknown_tool"),
    "wrong arguments": ({"tool": "notes.add", "arguments": {"txt": "x"}}, 422, "invalid_arguments"),
    "unknown constraint": ({**NOTE, "constraints": {"max_txt": 1}}, 422, "invalid_arguments"),
}


@pytest.mark.parametrize("name", REST)
async def test_rest_says_what_is_wrong_with_a_stable_code(door: Door, name: str) -> None:
    body, status, code = REST[name]
    found, answer = await post(door, "/v1/tool-calls", body)
    assert (found, answer["code"]) == (status, code), answer
    assert answer["what"]
    assert door.kit.shop.invocations == []
