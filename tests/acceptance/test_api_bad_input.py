"""Whatever is sent: a typed problem, nothing done, no trace of the inside, nothing secret echoed."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interlock.domain.canonical import Json
from tests.kits.api import Answer, Api, an_api

JSON = {"Content-Type": "application/json"}
SECRET = "hunter2-do-not-echo"
DEEP = b'{"text": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
HUGE = b'{"text": "' + b"x" * (1 << 20) + b'"}'
INSIDE = re.compile(r"Traceback|File \"|\.py\b|sqlalchemy|sqlite|starlette|0x[0-9a-f]{6,}", re.IGNORECASE)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with an_api(tmp_path) as served:
        await served.open()
        yield served


async def _events(api: Api) -> int:
    return len((await api.ask("auditor", "GET", "/api/v1/audit?limit=1000")).body["events"])


def _is_problem(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code, answer.kind) == (status, code, "application/problem+json"), answer
    told = json.dumps(answer.body)
    assert answer.body["what"]
    assert answer.body["type"] == f"urn:interlock:error:{code}"
    assert not INSIDE.search(told), told
    assert SECRET not in told


MALFORMED: dict[str, tuple[bytes, int, str]] = {
    "nothing at all": (b"", 400, "malformed_json"),
    "half an object": (b'{"text": "' + SECRET.encode(), 400, "malformed_json"),
    "two documents": (b"{}{}", 400, "malformed_json"),
    "a key twice": (b'{"text": "a", "text": "b"}', 400, "malformed_json"),
    "NaN": (b'{"text": NaN}', 400, "malformed_json"),
    "infinity": (b'{"text": -Infinity}', 400, "malformed_json"),
    "a number beyond doubles": (b'{"text": 123456789012345678901234567890}', 400, "malformed_json"),
    "an infinite exponent": (b'{"text": 1e999}', 400, "malformed_json"),
    "half a surrogate pair": (b'{"text": "\\ud800"}', 400, "malformed_json"),
    "a null character": (b'{"text": "a\\u0000b"}', 400, "malformed_json"),
    "not UTF-8": (b'{"text": "\xff\xfe"}', 400, "malformed_json"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), 400, "malformed_json"),
    "nested too deeply": (DEEP, 413, "too_large"),
    "over one MiB": (HUGE, 413, "too_large"),
    "a list": (b"[]", 400, "bad_input"),
    "a text": (b'"text"', 400, "bad_input"),
    "null": (b"null", 400, "bad_input"),
}


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("path", ["instructions", "runs", "brakes", "keys", "tool-calls"])
async def test_a_malformed_body_is_refused_and_does_nothing(api: Api, kind: str, path: str) -> None:
    body, status, code = MALFORMED[kind]
    who, where = {
        "instructions": ("operator", f"/api/v1/runs/{api.run}/instructions"),
        "runs": ("operator", "/api/v1/runs"),
        "brakes": ("operator", "/api/v1/brakes"),
        "keys": ("admin", "/api/v1/keys"),
        "tool-calls": ("token", "/v1/tool-calls"),
    }[path]
    before = await _events(api)

    _is_problem(await api.ask(who, "POST", where, data=io.BytesIO(body), headers=JSON), status, code)

    assert await _events(api) == before
    assert api.kit.shop.invocations == []


WRONG: list[tuple[str, str, str, Json]] = [
    ("operator", "POST", "/api/v1/runs", {"agent": 7}),
    ("operator", "POST", "/api/v1/runs", {"agnet": "refunds"}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "user": "ann"}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "user": {"id": 7}}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "labels": {"a": 1}}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "tools": "orders.read"}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "tools": [1]}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "run": "../../etc/passwd"}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "run": "x" * 201}),
    ("operator", "POST", "/api/v1/runs", {"agent": "refunds", "system": None}),
    ("operator", "POST", "/api/v1/runs", {}),
    ("operator", "POST", "/api/v1/runs/{run}/instructions", {"text": ""}),
    ("operator", "POST", "/api/v1/runs/{run}/instructions", {"text": ["a"]}),
    ("operator", "POST", "/api/v1/runs/{run}/instructions", {}),
    ("operator", "POST", "/api/v1/runs/{run}/calls/c/resolve", {"happened": "yes", "note": "n"}),
    ("operator", "POST", "/api/v1/runs/{run}/calls/c/resolve", {"happened": 1, "note": "n"}),
    ("operator", "POST", "/api/v1/runs/{run}/close", {"surprise": 1}),
    ("operator", "POST", "/api/v1/brakes", {"target": "tol", "name": "x", "reason": "r", "for_seconds": 1}),
    ("operator", "POST", "/api/v1/brakes", {"target": "tool", "reason": "r", "for_seconds": 1}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "name": "x", "reason": "r", "for_seconds": 1}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "reason": " ", "for_seconds": 1}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "reason": "r", "for_seconds": 0}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "reason": "r", "for_seconds": 1.5}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "reason": "r", "for_seconds": True}),
    ("operator", "POST", "/api/v1/brakes", {"target": "all", "reason": "r"}),
    ("admin", "POST", "/api/v1/keys", {"name": "x", "roles": ["operater"]}),
    ("admin", "POST", "/api/v1/keys", {"name": "x", "roles": []}),
    ("admin", "POST", "/api/v1/keys", {"name": "x", "roles": ["agent"]}),
    ("admin", "POST", "/api/v1/keys", {"name": "x", "roles": ["agent", "approver"], "agent": "refunds"}),
    ("admin", "POST", "/api/v1/keys", {"name": "a b", "roles": ["auditor"]}),
    ("admin", "POST", "/api/v1/keys", {"name": "x", "roles": ["auditor"], "expires_in_seconds": -1}),
    ("operator", "GET", "/api/v1/runs?limit=0", None),
    ("operator", "GET", "/api/v1/runs?limit=1001", None),
    ("operator", "GET", "/api/v1/runs?limit=-1", None),
    ("operator", "GET", "/api/v1/runs?limit=ten", None),
    ("operator", "GET", "/api/v1/runs?limit=1&limit=2", None),
    ("operator", "GET", "/api/v1/runs?lmit=1", None),
    ("operator", "GET", "/api/v1/calls?status=unknwon", None),
    ("operator", "GET", "/api/v1/approvals?state=%00", None),
    ("operator", "GET", "/api/v1/calls?run=%ff", None),
    ("operator", "GET", "/api/v1/runs/%2e%2e%2fsecret", None),
    ("operator", "GET", "/api/v1/runs/a%00b", None),
    ("operator", "GET", "/api/v1/tools/%ff", None),
]


@pytest.mark.parametrize(("who", "method", "path", "body"), WRONG, ids=lambda value: str(value)[:60])
async def test_a_body_or_query_of_the_wrong_shape_is_refused_and_does_nothing(
    api: Api, who: str, method: str, path: str, body: Json
) -> None:
    before = await _events(api)

    answer = await api.ask(who, method, path.replace("{run}", api.run), body)

    _is_problem(answer, 400, "bad_input")
    assert await _events(api) == before


async def test_a_misspelt_key_or_word_is_answered_with_the_nearest_one(api: Api) -> None:
    key = await api.ask("operator", "POST", "/api/v1/runs", {"agnet": "refunds"})
    brake = {"target": "wirtes", "reason": "r", "for_seconds": 60}
    word = await api.ask("operator", "POST", "/api/v1/brakes", brake)
    state = await api.ask("operator", "GET", "/api/v1/calls?status=unknwon")

    assert key.body["do"] == "Did you mean 'agent'?"
    assert word.body["do"] == "Did you mean 'writes'?"
    assert state.body["do"] == "Did you mean 'unknown'?"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(api: Api, kind: str) -> None:
    answer = await api.ask(
        "operator", "POST", "/api/v1/runs", data=b'{"agent": "refunds"}', headers={"Content-Type": kind}
    )

    _is_problem(answer, 415, "unsupported_content")


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "localhost:80:80", "a b", ""])
async def test_a_foreign_host_is_refused_also_on_this_machine(api: Api, host: str) -> None:
    for path in ("/api/v1/runs", "/healthz"):
        _is_problem(await api.ask("operator", "GET", path, headers={"Host": host}), 403, "untrusted_origin")


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://127.0.0.1:1", "file://"])
async def test_a_foreign_origin_is_refused(api: Api, origin: str) -> None:
    _is_problem(await api.ask("operator", "GET", "/api/v1/runs", headers={"Origin": origin}), 403, "untrusted_origin")


async def test_its_own_origin_is_let_in(api: Api) -> None:
    assert (await api.ask("operator", "GET", "/api/v1/runs", headers={"Origin": api.url})).status == 200


async def test_oversized_headers_are_refused(api: Api) -> None:
    large = {f"X-Header-{number}": "x" * 6_000 for number in range(8)}
    many = {f"X-Header-{number}": "x" for number in range(120)}
    for headers in (large, many):
        answer = await api.ask("operator", "GET", "/api/v1/runs", headers=headers)
        _is_problem(answer, 431, "headers_too_large")


async def test_a_path_or_method_that_does_not_exist_is_a_problem_too(api: Api) -> None:
    _is_problem(await api.ask("operator", "GET", "/api/v1/nothing"), 404, "not_found")
    _is_problem(await api.ask("operator", "GET", "/api/v1/runs/"), 404, "not_found")
    wrong = await api.ask("operator", "PUT", "/api/v1/runs", {})
    _is_problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}",
        b"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\nContent-Length: 2\r\n\r\n{}",
        b"GET http://evil.example.com/api/v1/runs HTTP/1.1\r\nHost: evil.example.com\r\n\r\n",
        b"GET /api/v1/runs HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    ],
)
async def test_garbage_on_the_socket_is_refused_and_the_server_lives(api: Api, raw: bytes) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    writer.write_eof()
    said = await asyncio.wait_for(reader.read(65_536), 5)
    writer.close()

    assert not said or re.match(rb"HTTP/1\.[01] 4\d\d ", said), said
    assert not INSIDE.search(said.decode("latin-1"))
    assert (await api.ask(None, "GET", "/healthz")).status == 200
