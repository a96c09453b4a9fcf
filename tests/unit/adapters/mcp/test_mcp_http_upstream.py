"""Calls to MCP servers over HTTP: every revision and framing, and what is known when something breaks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.types import Receive, Scope, Send

from interlock.adapters.mcp.http import HttpServer
from interlock.domain.contracts import Idempotency
from interlock.domain.errors import ToolUnavailable
from interlock.gateway.ports import Delivery, Invocation
from tests.kits.mcp import Bench, contract, invocation, serving

FORMS = {
    "session-less": {},
    "session-less, plain JSON": {"json_response": True},
    "session, event stream": {"old": True},
    "session, plain JSON": {"old": True, "json_response": True},
    "handshake without session": {"old": True, "stateless": True},
}


class OneSecret:
    async def resolve(self, reference: str) -> str:
        return f"value of {reference}"


@asynccontextmanager
async def connected(url: str, credential: str | None = None) -> AsyncIterator[HttpServer]:
    server = HttpServer("bench", f"{url}/mcp", OneSecret(), credential)
    try:
        yield server
    finally:
        await server.close()


@pytest.mark.parametrize("form", FORMS)
async def test_every_revision_and_framing_lists_and_calls_the_same_tools(form: str) -> None:
    bench = Bench()
    async with serving(bench.app(**FORMS[form])) as url, connected(url) as server:
        offers = await server.offers()
        assert [offer.name for offer in offers] == ["add", "crash", "echo", "fail", "slow"]
        assert offers[0].output_schema is not None
        added = await server.invoke(invocation("add", a=2, b=3))
        assert (added.delivery, added.content, added.is_error) == (Delivery.ANSWERED, {"sum": 5}, False)
        failed = await server.invoke(invocation("fail"))
        assert (failed.delivery, failed.content, failed.is_error) == (Delivery.ANSWERED, "It failed.", True)
        listed = await server.invoke(invocation("echo", text='{"k": [1, 2]}'))
        assert listed.content == {"k": [1, 2]}
        plain = await server.invoke(invocation("echo", text="007"))
        assert plain.content == "007"


@pytest.mark.parametrize("form", FORMS)
async def test_a_tool_that_raises_inside_its_server_leaves_the_outcome_unknown(form: str) -> None:
    async with serving(Bench().app(**FORMS[form])) as url, connected(url) as server:
        answer = await server.invoke(invocation("crash"))
        assert answer.delivery is Delivery.UNCERTAIN
        assert "secret detail" not in answer.detail


@pytest.mark.parametrize("form", FORMS)
async def test_an_expired_session_is_begun_anew_and_the_call_runs_once(form: str) -> None:
    bench = Bench()
    apps = [bench.app(**FORMS[form])]

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[0](scope, receive, send)

    async with serving(either) as url, connected(url) as server:
        await server.invoke(invocation("echo", text="first"))
        async with serving(restarted := bench.app(**FORMS[form])):
            apps[0] = restarted
            answer = await server.invoke(invocation("echo", text="second"))
        assert answer.content == "second"
        assert [arguments["text"] for _, arguments, _ in bench.calls] == ["first", "second"]


async def test_the_idempotency_key_goes_where_the_contract_says() -> None:
    bench = Bench()
    async with serving(bench.app()) as url, connected(url) as server:
        keyed = contract("echo", idempotency=Idempotency.HEADER, idempotency_name="shop.example/key")
        await server.invoke(Invocation(keyed, {}, "ilk-1", None, 5_000))
        await server.invoke(invocation("echo"))
    assert bench.calls[0][2]["shop.example/key"] == "ilk-1"
    assert "shop.example/key" not in bench.calls[1][2]


async def test_the_server_hears_of_the_trace_in_the_message_and_around_it() -> None:
    bench = Bench()
    said = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with serving(bench.app()) as url, connected(url) as server:
        await server.invoke(replace(invocation("echo"), traceparent=said))
        assert bench.headers[-1]["traceparent"] == said
        await server.invoke(invocation("echo"))
        assert "traceparent" not in bench.headers[-1]
    assert bench.calls[0][2]["traceparent"] == said
    assert "traceparent" not in bench.calls[1][2]


async def test_the_credential_of_the_contract_comes_before_that_of_the_connection() -> None:
    bench = Bench()
    async with serving(bench.app()) as url, connected(url, "env:OURS") as server:
        await server.invoke(invocation("echo"))
        assert bench.headers[-1]["authorization"] == "Bearer value of env:OURS"
        await server.invoke(invocation("echo", secret="theirs"))
        assert bench.headers[-1]["authorization"] == "Bearer theirs"


async def test_nothing_was_sent_when_no_connection_comes_about() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://no-such-host.invalid", f"https://127.0.0.1:{port}"):
        async with connected(url) as server:
            answer = await server.invoke(invocation("echo"))
            assert answer.delivery is Delivery.NOT_SENT, url
            assert str(port) not in answer.detail
            with pytest.raises(ToolUnavailable):
                await server.offers()


async def test_a_call_that_takes_too_long_is_uncertain() -> None:
    async with serving(Bench().app()) as url, connected(url) as server:
        answer = await server.invoke(invocation("slow", timeout_ms=200))
        assert answer.delivery is Delivery.UNCERTAIN


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(answer: bytes, *, greet: bool = True) -> AsyncIterator[str]:
    """A server that greets properly and then answers every call with these very bytes, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                if b"server/discover" in body and greet:
                    told = b'{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"]}}'
                    writer.write(_json(told))
                    await writer.drain()
                    continue
                writer.write(answer)
                await writer.drain()
                break
        except (asyncio.IncompleteReadError, ConnectionError, StopIteration):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def _json(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _stream(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body


def _reply(result: str) -> bytes:
    return b'{"jsonrpc":"2.0","id":2,"result":' + result.encode() + b"}"


GOOD = '{"content":[{"type":"text","text":"ok"}]}'
GARBAGE = {
    "cut in the middle": _json(_reply(GOOD))[:-5],
    "nothing": b"",
    "not HTTP": b"hello\r\n\r\n",
    "not JSON": _json(b"<html>"),
    "two keys alike": _json(b'{"jsonrpc":"2.0","id":2,"id":2,"result":{}}'),
    "another id": _json(_reply(GOOD).replace(b'"id":2', b'"id":3')),
    "the id as text": _json(_reply(GOOD).replace(b'"id":2', b'"id":"2"')),
    "the id as true": _json(_reply(GOOD).replace(b'"id":2', b'"id":true')),
    "NaN": _json(_reply('{"content":[],"structuredContent":{"a":NaN}}')),
    "lone surrogate": _json(_reply('{"content":[{"type":"text","text":"\\ud800"}]}')),
    "result and error": _json(b'{"jsonrpc":"2.0","id":2,"result":{},"error":{"code":1,"message":"m"}}'),
    "no tool result": _json(_reply("{}")),
    "content is text": _json(_reply('{"content":"ok"}')),
    "isError is text": _json(_reply('{"content":[],"isError":"no"}')),
    "unknown kind of result": _json(_reply('{"resultType":"later","content":[]}')),
    "HTML with 200": _json(b"<html>", kind="text/html"),
    "accepted without an answer": b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "server error": _json(b"oops", "500 Internal Server Error", "text/plain"),
    "gateway time-out": _json(b"oops", "504 Gateway Timeout", "text/plain"),
    "redirect": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "compressed": _json(b"x").replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1),
    "too long": _json(_reply('{"content":[{"type":"text","text":"' + "a" * (2 << 20) + '"}]}')),
    "a stream without an answer": _stream(b"event: message\ndata: \n\n"),
    "a stream of another answer": _stream(b"data: " + _reply(GOOD).replace(b'"id":2', b'"id":9') + b"\n\n"),
    "a stream cut in the middle": _stream(b"data: " + _reply(GOOD)),
    "internal error": _json(b'{"jsonrpc":"2.0","id":2,"error":{"code":-32603,"message":"secret"}}'),
    "an error of the SDK's own": _json(b'{"jsonrpc":"2.0","id":2,"error":{"code":0,"message":"secret"}}'),
    "nested too deeply": _json(_reply("[" * 200 + "]" * 200)),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_anything_but_a_complete_matching_answer_is_uncertain(name: str) -> None:
    async with scripted(GARBAGE[name]) as url, connected(url) as server:
        answer = await server.invoke(invocation("echo", timeout_ms=2_000))
        assert answer.delivery is Delivery.UNCERTAIN, answer
        assert "secret" not in answer.detail
        assert answer.content is None


REFUSALS = {
    "unauthorised": _json(b"no", "401 Unauthorized", "text/plain"),
    "forbidden": _json(b"no", "403 Forbidden", "text/plain"),
    "not here": _json(b"no", "404 Not Found", "text/plain"),
    "too large": _json(b"no", "413 Content Too Large", "text/plain"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_request_that_was_refused_unread_did_not_reach_the_tool(name: str) -> None:
    async with scripted(REFUSALS[name]) as url, connected(url) as server:
        assert (await server.invoke(invocation("echo"))).delivery is Delivery.NOT_SENT


@pytest.mark.parametrize("code", [-32601, -32602, -32020])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "404 Not Found"])
async def test_an_error_that_is_said_before_a_tool_runs_is_an_answer(code: int, status: str) -> None:
    error = f'{{"jsonrpc":"2.0","id":2,"error":{{"code":{code},"message":"Unknown tool"}}}}'
    async with scripted(_json(error.encode(), status)) as url, connected(url) as server:
        answer = await server.invoke(invocation("echo"))
        assert (answer.delivery, answer.is_error, answer.retryable) == (Delivery.ANSWERED, True, False)
        assert "Unknown tool" in answer.content


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_a_busy_server_says_that_trying_again_makes_sense(status: str) -> None:
    async with scripted(_json(b"later", status, "text/plain")) as url, connected(url) as server:
        answer = await server.invoke(invocation("echo"))
        assert (answer.delivery, answer.is_error, answer.retryable) == (Delivery.ANSWERED, True, True)


async def test_a_result_may_be_as_long_as_its_contract_says_and_no_longer() -> None:
    async with scripted(_json(_reply('{"content":[{"type":"text","text":"' + "a" * 200_000 + '"}]}'))) as url:
        for limit, delivery in ((300_000, Delivery.ANSWERED), (1_000, Delivery.UNCERTAIN)):
            async with connected(url) as server:
                asked = replace(invocation("echo"), contract=contract("echo", max_result_bytes=limit))
                assert (await server.invoke(asked)).delivery is delivery


async def test_a_change_that_is_announced_among_the_answers_is_noticed() -> None:
    told: list[None] = []
    events = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\r\n\r\n'
    async with scripted(_stream(events + b"data: " + _reply(GOOD) + b"\n\n")) as url:
        server = HttpServer("bench", url, OneSecret(), on_change=lambda: told.append(None))
        answer = await server.invoke(invocation("echo"))
        await server.close()
    assert (answer.content, len(told)) == ("ok", 1)


@pytest.mark.parametrize(
    "listed",
    [
        '{"tools":{}}',
        '{"tools":[{"name":"a"}]}',
        '{"tools":[{"name":"","inputSchema":{}}]}',
        '{"tools":[{"name":"a","inputSchema":{}},{"name":"a","inputSchema":{}}]}',
        '{"tools":[{"name":"a","inputSchema":{},"outputSchema":3}]}',
        '{"tools":[{"name":"a","inputSchema":{},"description":["x"]}]}',
    ],
)
async def test_a_list_of_tools_that_makes_no_sense_is_refused_whole(listed: str) -> None:
    async with scripted(_json(_reply(listed))) as url, connected(url) as server:
        with pytest.raises(ToolUnavailable):
            await server.offers()


async def test_many_calls_at_once_get_each_its_own_answer() -> None:
    async with serving(Bench().app(json_response=True)) as url, connected(url) as server:
        answers = await asyncio.gather(*(server.invoke(invocation("add", a=n, b=n)) for n in range(100)))
        assert [answer.content for answer in answers] == [{"sum": 2 * n} for n in range(100)]
