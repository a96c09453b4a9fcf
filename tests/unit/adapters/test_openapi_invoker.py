"""The HTTP invoker against a real server on this machine: what it sends, and what it makes of what comes back."""

import asyncio
import base64
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from interlock.adapters.openapi.egress import checked_base, reachable
from interlock.adapters.openapi.invoker import OpenApiInvoker, parse_auth
from interlock.domain.contracts import Idempotency, Kind, Tier, ToolContract, Upstream
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.gateway.ports import Delivery, Invocation, RawAnswer

SECRET = "sk_live_canary"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """A server on a free local port that answers every request through `handler` and keeps what it was sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.handler: Handler = self.fine
        self.port = 0

    async def fine(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True})

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return await self.handler(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    known = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", known.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    known.port = runner.addresses[0][1]
    yield known
    await runner.cleanup()


def contract(
    method: str = "POST",
    path: str = "/v1/refunds/{id}",
    *,
    parameters: list[Any] | None = None,
    body: dict[str, Any] | None = None,
    idempotency: Idempotency = Idempotency.NONE,
    output: dict[str, Any] | None = None,
    max_result_bytes: int = 1 << 20,
) -> ToolContract:
    stated = [{"name": "id", "in": "path", "argument": "id", "style": "simple"}] if parameters is None else parameters
    details = {
        "method": method,
        "path": path,
        "parameters": stated,
        "body": body or {},
        "credential": {"in": "bearer"},
    }
    return ToolContract(
        name=ToolName("refund"),
        description="",
        input_schema={"type": "object"},
        output_schema=output,
        kind=Kind.READ if method == "GET" else Kind.WRITE,
        tier=Tier.HIGH_IMPACT,
        upstream=Upstream("openapi", "shop", f"{method} {path}", details),
        idempotency=idempotency,
        idempotency_name="Idempotency-Key" if idempotency is Idempotency.HEADER else "",
        max_result_bytes=max_result_bytes,
    )


async def call(
    server: Server, tool: ToolContract, arguments: dict[str, Any], *, timeout_ms: int = 2_000, auth: str = ""
) -> RawAnswer:
    invoker = OpenApiInvoker("shop", f"http://127.0.0.1:{server.port}/base", auth=auth)
    try:
        return await invoker.invoke(Invocation(tool, arguments, "key-1", SECRET, timeout_ms))
    finally:
        await invoker.close()
        # Sockets of connections that the other side cut are only noticed here, inside the test that made them.
        await asyncio.sleep(0)
        gc.collect()


async def test_a_form_is_written_in_brackets_with_credential_and_idempotency_key(server: Server) -> None:
    body = {
        "media_type": "application/x-www-form-urlencoded",
        "fields": [
            {"name": "amount", "argument": "amount"},
            {"name": "metadata", "argument": "metadata", "style": "deepObject", "explode": True},
            {"name": "expand", "argument": "expand", "style": "deepObject", "explode": True},
        ],
    }
    arguments = {"id": "a/b?c", "amount": 49, "metadata": {"a b": "x&y"}, "expand": ["charge", "customer"]}
    answer = await call(server, contract(body=body, idempotency=Idempotency.HEADER), arguments)
    assert answer == RawAnswer(Delivery.ANSWERED, content={"ok": True})
    method, path, headers, sent = server.seen[0]
    assert (method, path) == ("POST", "/base/v1/refunds/a%2Fb%3Fc")
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["Idempotency-Key"] == "key-1"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent == b"amount=49&metadata%5Ba+b%5D=x%26y&expand%5B0%5D=charge&expand%5B1%5D=customer"


async def test_json_multipart_query_header_and_cookie_arrive_where_they_should(server: Server) -> None:
    places = [
        {"name": "q", "in": "query", "argument": "q", "style": "form", "explode": True},
        {"name": "X-Trace", "in": "header", "argument": "trace", "style": "simple"},
        {"name": "session", "in": "cookie", "argument": "session", "style": "form"},
    ]
    body = {"media_type": "application/json", "fields": [{"name": "note", "argument": "body_note"}], "required": True}
    arguments = {"q": ["a", "b"], "trace": "t1", "session": "s;1", "body_note": {"x": [1, None]}}
    await call(server, contract(path="/x", parameters=places, body=body), arguments, auth="query:api_key")
    _, path, headers, sent = server.seen[0]
    assert path == f"/base/x?q=a&q=b&api_key={SECRET}"
    assert (headers["X-Trace"], headers["Cookie"]) == ("t1", "session=s%3B1")
    assert sent == b'{"note":{"x":[1,null]}}'

    upload = {"media_type": "multipart/form-data", "fields": [{"name": "file", "argument": "file", "binary": True}]}
    content = base64.b64encode(b"\x00\xffdata").decode()
    await call(server, contract(path="/y", parameters=[], body=upload), {"file": content}, auth="basic")
    _, _, headers, sent = server.seen[1]
    assert b"\x00\xffdata" in sent
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert headers["Authorization"] == "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
async def test_keys_of_an_object_cannot_speak_for_another_argument(server: Server, media_type: str) -> None:
    fields = [{"name": "amount", "argument": "amount"}, {"name": "more", "argument": "more"}]
    tool = contract(path="/x", parameters=[], body={"media_type": media_type, "fields": fields})
    answer = await call(server, tool, {"amount": 1, "more": {"amount": 9_000}})
    assert answer.delivery is Delivery.NOT_SENT
    places = [{"name": name, "in": "query", "argument": name, "style": "form"} for name in ("amount", "more")]
    answer = await call(server, contract(path="/x", parameters=places), {"more": {"amount": 9_000}})
    assert answer.delivery is Delivery.NOT_SENT
    assert server.seen == []
    await call(server, tool, {"amount": 1, "more": {"colour": "red"}})
    assert len(server.seen) == 1


async def test_an_argument_cannot_stand_in_for_credential_or_idempotency_key(server: Server) -> None:
    places = [
        {"name": "idempotency-key", "in": "header", "argument": "a", "style": "simple"},
        {"name": "x-api-key", "in": "header", "argument": "b", "style": "simple"},
        {"name": "api_key", "in": "query", "argument": "c", "style": "form"},
    ]
    tool = contract(path="/x", parameters=places, idempotency=Idempotency.HEADER)
    arguments = {"a": "mine", "b": "mine", "c": "mine"}
    await call(server, tool, arguments, auth="header:X-Api-Key")
    await call(server, tool, arguments, auth="query:api_key")
    _, _, headers, _ = server.seen[0]
    assert [value for name, value in headers.items() if name.lower() == "idempotency-key"] == ["key-1"]
    assert [value for name, value in headers.items() if name.lower() == "x-api-key"] == [SECRET]
    assert server.seen[1][1] == f"/base/x?api_key={SECRET}"


@pytest.mark.parametrize("value", ["..", ".", "", None])
async def test_a_value_that_climbs_out_of_the_path_is_not_sent(server: Server, value: object) -> None:
    answer = await call(server, contract(), {"id": value})
    assert answer.delivery is Delivery.NOT_SENT
    assert server.seen == []


async def test_a_path_of_the_document_cannot_lead_to_another_host(server: Server) -> None:
    invoker = OpenApiInvoker("shop", f"http://127.0.0.1:{server.port}")
    tool = contract(path="@evil.example/x", parameters=[])
    answer = await invoker.invoke(Invocation(tool, {}, "k", SECRET, 500))
    assert answer.delivery is Delivery.NOT_SENT


async def test_a_header_value_with_a_line_break_is_not_sent(server: Server) -> None:
    places = [{"name": "X-Note", "in": "header", "argument": "note", "style": "simple"}]
    answer = await call(server, contract(path="/x", parameters=places), {"note": "a\r\nX-Evil: 1"})
    assert answer.delivery is Delivery.NOT_SENT
    assert server.seen == []


async def test_nobody_listening_means_not_sent() -> None:
    silent = Server()
    silent.port = unused_port()
    answer = await call(silent, contract(), {"id": "1"})
    assert answer.delivery is Delivery.NOT_SENT


async def test_an_unknown_host_means_not_sent() -> None:
    unknown = OpenApiInvoker("shop", "http://does-not-exist.invalid")
    answer = await unknown.invoke(Invocation(contract(), {"id": "1"}, "k", None, 3_000))
    assert answer.delivery is Delivery.NOT_SENT
    await unknown.close()


async def test_a_name_that_means_an_address_inside_the_own_network_is_not_connected_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_: object) -> list[Any]:
        info = {"hostname": "api.example.com", "host": "127.0.0.1", "port": server.port, "family": socket.AF_INET}
        return [{**info, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    for private in (False, True):
        invoker = OpenApiInvoker("shop", f"http://api.example.com:{server.port}", private=private)
        answer = await invoker.invoke(Invocation(contract(), {"id": "1"}, "k", None, 2_000))
        await invoker.close()
        assert answer.delivery is (Delivery.ANSWERED if private else Delivery.NOT_SENT)
        assert private or "private" in answer.detail
    assert len(server.seen) == 1


async def test_a_slow_tool_leaves_the_outcome_open(server: Server) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.json_response({})

    server.handler = slow
    answer = await call(server, contract(), {"id": "1"}, timeout_ms=200)
    assert answer.delivery is Delivery.UNCERTAIN
    assert SECRET not in answer.detail


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_a_cut_connection_leaves_the_outcome_open_and_is_never_repeated_here(server: Server, method: str) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    server.handler = cut
    answer = await call(server, contract(method), {"id": "1"})
    assert answer.delivery is Delivery.UNCERTAIN
    assert len(server.seen) == 1


async def test_an_answer_cut_in_the_middle_leaves_the_outcome_open(server: Server) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"half":')
        assert request.transport is not None
        request.transport.close()
        return response

    server.handler = half
    answer = await call(server, contract(), {"id": "1"})
    assert answer.delivery is Delivery.UNCERTAIN


@pytest.mark.parametrize("stated", [True, False])
async def test_a_huge_answer_is_not_read_to_its_end(server: Server, stated: bool) -> None:
    written = 0

    async def huge(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if stated:
            response.content_length = 1 << 30
        await response.prepare(request)
        for _ in range(1 << 10):
            await response.write(b" " * (1 << 20))
            written += 1
        return response

    server.handler = huge
    write = await call(server, contract(max_result_bytes=10_000), {"id": "1"})
    read = await call(server, contract("GET", max_result_bytes=10_000), {"id": "1"})
    assert write.delivery is Delivery.UNCERTAIN
    assert (read.delivery, read.is_error) == (Delivery.ANSWERED, True)
    assert written < 100


@pytest.mark.parametrize(
    "garbage",
    [b"{", b'{"a":1,"a":2}', b"[NaN]", b"\xff\xfe", b'"\\ud800"', b"[" * 10_000, b"<html>", b'{"n":1e999}'],
)
async def test_a_garbage_answer_is_never_a_result(server: Server, garbage: bytes) -> None:
    async def answer_garbage(request: web.Request) -> web.StreamResponse:
        return web.Response(body=garbage, content_type="application/json")

    server.handler = answer_garbage
    write = await call(server, contract(), {"id": "1"})
    read = await call(server, contract("GET"), {"id": "1"})
    assert write.delivery is Delivery.UNCERTAIN
    assert read.is_error


async def test_something_that_does_not_speak_http_leaves_the_outcome_open() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"\x00\x01 no http \r\n\r\n" * 50)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(babble, "127.0.0.1", 0)
    known = Server()
    known.port = listening.sockets[0].getsockname()[1]
    answer = await call(known, contract(), {"id": "1"})
    listening.close()
    await listening.wait_closed()
    assert answer.delivery is Delivery.UNCERTAIN


@pytest.mark.parametrize(
    ("status", "method", "delivery", "is_error", "retryable"),
    [
        (200, "POST", Delivery.ANSWERED, False, False),
        (204, "DELETE", Delivery.ANSWERED, False, False),
        (400, "POST", Delivery.ANSWERED, True, False),
        (404, "DELETE", Delivery.ANSWERED, True, False),
        (429, "POST", Delivery.ANSWERED, True, True),
        (503, "POST", Delivery.ANSWERED, True, True),
        (500, "POST", Delivery.UNCERTAIN, False, False),
        (504, "POST", Delivery.UNCERTAIN, False, False),
        (502, "GET", Delivery.ANSWERED, True, True),
        (302, "POST", Delivery.UNCERTAIN, False, False),
        (307, "POST", Delivery.ANSWERED, True, False),
        (302, "GET", Delivery.ANSWERED, True, False),
    ],
)
async def test_each_status_says_what_is_known(
    server: Server, status: int, method: str, delivery: Delivery, is_error: bool, retryable: bool
) -> None:
    async def say(request: web.Request) -> web.StreamResponse:
        body = b"" if status == 204 else b'{"message": "x"}'
        headers = {"Location": "http://127.0.0.1:1/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    server.handler = say
    answer = await call(server, contract(method), {"id": "1"})
    assert (answer.delivery, answer.is_error, answer.retryable) == (delivery, is_error, retryable)
    assert len(server.seen) == 1


async def test_a_redirect_is_never_followed_with_the_credential(server: Server) -> None:
    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{server.port}/stolen"})

    server.handler = away
    await call(server, contract("GET"), {"id": "1"})
    assert [path for _, path, _, _ in server.seen] == ["/base/v1/refunds/1"]


async def test_a_credential_without_a_place_is_not_sent(server: Server) -> None:
    tool = contract()
    details = {**tool.upstream.details, "credential": None}
    bare = ToolContract(
        **{
            **{name: getattr(tool, name) for name in tool.__dataclass_fields__},
            "upstream": Upstream("openapi", "shop", "x", details),
        }
    )
    answer = await call(server, bare, {"id": "1"})
    assert answer.delivery is Delivery.NOT_SENT
    assert server.seen == []


@pytest.mark.parametrize(
    ("address", "from_outside", "from_inside"),
    [
        ("93.184.216.34", True, True),
        ("10.0.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:10.0.0.1", False, True),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("100.64.0.1", False, True),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("nonsense", False, False),
    ],
)
def test_a_named_host_never_reaches_metadata_and_the_own_network_only_if_configured(
    address: str, from_outside: bool, from_inside: bool
) -> None:
    assert reachable(address, private=False) is from_outside
    assert reachable(address, private=True) is from_inside


@pytest.mark.parametrize("url", ["ftp://x", "api.example.com", "http://u:p@x/", "http://x/?a=b", "", "http://", "::"])
def test_an_odd_base_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        checked_base(url, "shop")


@pytest.mark.parametrize("text", ["", "Bearer", "header", "header:", "header:A\nB", "cookie:x", "basic:x"])
def test_an_odd_auth_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_auth(text)
