"""Nobody comes in but who may: Host, Origin, bearer, role and size, on every route, also on this machine."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from interlock.domain.identity import Role
from interlock.server.guard import DoorRules, Guard
from interlock.server.routing import GuardedRoute, Routes
from tests.kits.door import Door, a_door
from tests.kits.mcp import serving

CALL = b'{"tool": "notes.add", "arguments": {"text": "x"}}'


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with a_door() as opened:
        yield opened


async def raw(door: Door, head: str, body: bytes = CALL) -> tuple[int, bytes]:
    """Send a request exactly as it is written; `{key}` in it is the agent's key."""
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    text = head.replace("{key}", door.key).replace("{port}", port).replace("\n", "\r\n")
    writer.write(f"{text}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b"Traceback" not in answer
    return int(answer.split(b" ", 2)[1]), answer


POST = "POST /v1/tool-calls HTTP/1.1\n"
GOOD = f"{POST}Host: 127.0.0.1:{{port}}\nAuthorization: Bearer {{key}}\nContent-Type: application/json"


async def test_a_good_request_is_served(door: Door) -> None:
    status, answer = await raw(door, GOOD)
    assert (status, b'"status":"succeeded"' in answer) == (200, True)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "127.0.0.1.evil.com",
        "127.0.0.1@evil.com",
        "127.0.0.1/x",
        "127.0.0.1#",
        "",
        "localhost:80:80",
    ],
)
async def test_a_host_that_is_not_ours_is_refused(door: Door, host: str) -> None:
    status, answer = await raw(door, GOOD.replace("127.0.0.1:{port}", host))
    assert status in (400, 403)
    assert status == 400 or b"untrusted_origin" in answer
    assert door.kit.shop.invocations == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", "http://127.0.0.1", "http://localhost:1", "file://"]
)
async def test_a_page_of_another_origin_is_refused(door: Door, origin: str) -> None:
    status, answer = await raw(door, f"{GOOD}\nOrigin: {origin}")
    assert (status, b"untrusted_origin" in answer) == (403, True)


async def test_a_page_of_our_own_is_served(door: Door) -> None:
    assert (await raw(door, f"{GOOD}\nOrigin: http://127.0.0.1:{{port}}"))[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer {key}x",
        "Basic {key}",
        "Bearer {key} {key}",
        "Bearer " + "a" * 600,
        "Bearer ' OR 1=1 --",
    ],
)
async def test_a_bearer_that_proves_nothing_is_turned_away(door: Door, authorization: str) -> None:
    status, answer = await raw(door, GOOD.replace("Bearer {key}", authorization))
    assert (
        status,
        b"unauthenticated" in answer,
        b"WWW-Authenticate" in answer.title() or b"www-authenticate" in answer,
    ) == (
        401,
        True,
        True,
    )


async def test_two_answers_to_who_is_calling_are_one_too_many(door: Door) -> None:
    for line in (
        "Authorization: Bearer {key}",
        "Host: 127.0.0.1:{port}",
        "Origin: http://127.0.0.1:{port}\nOrigin: null",
    ):
        status, _ = await raw(door, f"{GOOD}\n{line}")
        assert status == 400


async def test_what_is_too_large_is_refused_before_it_is_read(door: Door) -> None:
    status, answer = await raw(door, GOOD, b" " * (1 << 20) + CALL)
    assert (status, b"too_large" in answer) == (413, True)
    status, _ = await raw(door, f"{GOOD}\nX-Long: {'a' * 40_000}")
    assert status == 431
    many = "\n".join(f"X-{n}: 1" for n in range(200))
    assert (await raw(door, f"{GOOD}\n{many}"))[0] == 431


async def test_a_body_of_unstated_length_is_cut_off_at_the_limit(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * (1 << 16)

    async with (
        aiohttp.ClientSession(headers=door.headers) as session,
        session.post(f"{door.url}/v1/tool-calls", data=endless()) as answer,
    ):
        assert answer.status == 413
    assert door.kit.shop.invocations == []


@pytest.mark.parametrize(
    "path", ["/mcp", "/v1/tool-calls", "/v1/tool-calls/r/c", "/nothing", "/", "//healthz", "/healthz/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PUT"])
async def test_no_path_answers_an_anonymous_caller(door: Door, path: str, method: str) -> None:
    async with aiohttp.ClientSession() as session, session.request(method, f"{door.url}{path}") as answer:
        assert answer.status == 401


async def test_a_role_opens_only_its_own_routes(door: Door) -> None:
    headers = {"Authorization": f"Bearer {door.operator}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in ("/mcp", "/v1/tool-calls"):
            async with session.post(f"{door.url}{path}", data=CALL) as answer:
                assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")
        async with session.get(f"{door.url}/v1/tool-calls/r/c") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "unknown_run")
        async with session.get(f"{door.url}/nothing") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "not_found")


async def test_a_failure_inside_says_nothing_of_the_inside(door: Door) -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("password=hunter2")

    routes = Routes((GuardedRoute("/broken", frozenset({"GET"}), frozenset({Role.AGENT}), broken),))
    app = Guard(routes, DoorRules(), door.kit.access.authenticate)
    async with (
        serving(app) as url,
        aiohttp.ClientSession(headers=door.headers) as session,
        session.get(f"{url}/broken") as answer,
    ):
        text = await answer.text()
    assert (answer.status, "internal_error" in text, "hunter2" in text) == (500, True, False)


@pytest.mark.parametrize("path", ["/mcp", "/healthz/"])
def test_a_route_without_roles_cannot_be_made(path: str) -> None:
    async def open_to_all(scope: object, receive: object, send: object) -> None: ...

    with pytest.raises(ValueError, match="open to everyone"):
        Routes((GuardedRoute(path, frozenset({"GET"}), None, open_to_all),))
