"""The model surface on the wire: who comes in, what is refused and in whose words, and how streams end."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from interlock.domain.errors import (
    Braked,
    BudgetExceeded,
    CallInProgress,
    InterlockError,
    ModelOverloaded,
    ModelRefused,
    ModelUnavailable,
    OutcomeUnknown,
    SchemaUnmet,
    StoreUnavailable,
    Unpriced,
)
from interlock.gateway.models.requests import Caching, ModelAsk, Outlet
from tests.kits.model_surface import KEY, OPERATOR, RUN, TOKEN, ShortRoad, a_model_surface

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "Say hello"}]}
MESSAGE = {**HELLO, "max_tokens": 100}
BODIES: Mapping[str, Any] = {
    "/v1/chat/completions": HELLO,
    "/v1/responses": {"model": "scripted", "input": "Say hello"},
    "/v1/embeddings": {"model": "scripted", "input": "Say hello"},
    "/v1/messages": MESSAGE,
}
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BEARER = {"Authorization": f"Bearer {KEY}"}


class Surface:
    """A served surface and its road."""

    def __init__(self, url: str, road: ShortRoad, http: aiohttp.ClientSession) -> None:
        self.url, self.road, self.http = url, road, http

    async def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] = BEARER, method: str = "POST", data: Any = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        said = {"Content-Type": "application/json", **headers}
        raw = json.dumps(body).encode() if data is None and body is not None else data
        if isinstance(raw, bytes):
            raw = io.BytesIO(raw)
        async with self.http.request(method, self.url + path, data=raw, headers=said) as answer:
            text = await answer.text()
            parsed = json.loads(text) if "json" in answer.content_type else text
            return answer.status, parsed, answer.headers

    async def raw(self, text: bytes) -> bytes:
        """Send bytes, and return all that comes until the server closes the connection."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(text.replace(b"\n", b"\r\n"))
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    @property
    def last(self) -> ModelAsk:
        return self.road.asks[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Surface]:
    async with a_model_surface() as (url, road), aiohttp.ClientSession() as http:
        yield Surface(url, road, http)


@pytest.fixture
def surface(served: Surface) -> Surface:
    """One server for all tests; its road remembers nothing of earlier ones."""
    served.road.asks.clear()
    served.road.failure = None
    return served


def told(path: str, body: Any) -> str:
    """Return the code of an error, after checking that it is in the words of the clients of `path`."""
    assert isinstance(body["error"]["message"], str)
    assert body["error"]["message"]
    assert isinstance(body["error"]["type"], str)
    if path.startswith(MESSAGES):
        assert body["type"] == "error"
    else:
        assert "type" not in body
    return str(body["error"]["code"])


@pytest.mark.parametrize("path", BODIES)
async def test_each_path_answers(surface: Surface, path: str) -> None:
    status, body, headers = await surface.ask(path, BODIES[path])

    assert (status, headers["x-interlock-call"]) == (200, "mc_1")
    assert "Hello from the script." in json.dumps(body) or path == "/v1/embeddings"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": KEY, **BEARER}, 200),
        ({"x-api-key": TOKEN, **BEARER}, 400),
        ({"x-api-key": KEY, "Authorization": "Basic abc"}, 400),
        ({"x-api-key": f"{KEY} {KEY}"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": OPERATOR}, 403),
        ({}, 401),
    ],
)
async def test_the_bearer_comes_in_either_header_and_never_as_two(
    surface: Surface, headers: Mapping[str, str], status: int
) -> None:
    for path in (CHAT, MESSAGES):
        assert (await surface.ask(path, BODIES[path], headers))[0] == status


async def test_a_key_in_the_clients_own_header_opens_no_other_path(surface: Surface) -> None:
    for path in ("/v1/tool-calls", "/api/v1/runs", "/mcp", "/v1", "/v1/"):
        status, body, _ = await surface.ask(path, {}, {"x-api-key": KEY})
        assert (status, body["code"]) == (401, "unauthenticated")


REFUSALS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("no bearer", 401, "unauthenticated", {"headers": {}}),
    ("wrong bearer", 401, "unauthenticated", {"headers": {"Authorization": "Bearer ilk_x"}}),
    ("another role", 403, "forbidden", {"headers": {"Authorization": f"Bearer {OPERATOR}"}}),
    ("another host", 403, "untrusted_origin", {"headers": {**BEARER, "Host": "evil.example.com"}}),
    ("a web page", 403, "untrusted_origin", {"headers": {**BEARER, "Origin": "https://evil.example.com"}}),
    ("method", 405, "method_not_allowed", {"method": "PUT"}),
    ("headers", 431, "headers_too_large", {"headers": {**BEARER, **{f"x-{n}": "1" for n in range(120)}}}),
    ("kind", 415, "unsupported_content", {"headers": {**BEARER, "Content-Type": "text/plain"}}),
    ("empty", 400, "bad_input", {"data": b""}),
    ("not JSON", 400, "bad_input", {"data": b'{"model": "scripted", '}),
    ("NaN", 400, "bad_input", {"data": b'{"model": NaN}'}),
    ("half a character", 400, "bad_input", {"data": b'{"model": "\xc3"}'}),
    ("UTF-16", 400, "bad_input", {"data": '{"model": "scripted"}'.encode("utf-16")}),
    ("half a pair", 400, "bad_input", {"data": b'{"model": "\\ud800"}'}),
    ("a list", 400, "bad_input", {"data": b"[1]"}),
    ("text", 400, "bad_input", {"data": b'"scripted"'}),
    ("deep", 413, "too_large", {"data": b'{"a":' * 65 + b"1" + b"}" * 65}),
    ("deeper", 400, "bad_input", {"data": b"[" * 100_000}),
    ("many", 413, "too_large", {"data": b'{"a":[' + b"[]," * 600_000 + b"1]}"}),
    ("long", 413, "too_large", {"data": b" " * ((16 << 20) + 1)}),
]


@pytest.mark.parametrize(("status", "code", "how"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_what_is_refused_is_told_in_the_clients_own_words(
    surface: Surface, status: int, code: str, how: dict[str, Any]
) -> None:
    for path in (*BODIES, "/v1/messages/count_tokens"):
        answered, body, headers = await surface.ask(path, **{"body": HELLO, **how})
        assert (answered, told(path, body)) == (status, code), path
        assert headers["x-should-retry"] == "false"
        assert (status == 405) is ("allow" in headers)
        assert (status == 401) is ("www-authenticate" in headers)
    assert surface.road.asks == []


@pytest.mark.parametrize(
    "path", ["/v1/chat", "/v1/chat/x", "/v1/responses/resp_1/x", "/v1/completions", "/v1/messages/batches"]
)
async def test_a_path_that_is_not_served_is_told_so_in_the_clients_own_words(surface: Surface, path: str) -> None:
    status, body, _ = await surface.ask(path, HELLO)

    assert (status, told(path, body)) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/chatter", "/v1/modelsx", "/"])
async def test_every_other_path_keeps_to_problem_documents(surface: Surface, path: str) -> None:
    status, body, headers = await surface.ask(path, HELLO)

    assert (status, body["code"], headers["Content-Type"]) == (404, "not_found", "application/problem+json")


async def test_models_are_listed_in_the_shape_of_the_client_that_asks(surface: Surface) -> None:
    anthropic = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    _, plain, _ = await surface.ask("/v1/models", method="GET")
    _, first, _ = await surface.ask("/v1/models?limit=2", headers=anthropic, method="GET")
    _, rest, _ = await surface.ask(f"/v1/models?limit=3&after_id={first['last_id']}", headers=anthropic, method="GET")
    _, back, _ = await surface.ask(f"/v1/models?limit=1&before_id={first['last_id']}", headers=anthropic, method="GET")
    _, wrong, _ = await surface.ask("/v1/models/nothing", headers=anthropic, method="GET")
    _, wrong_plain, _ = await surface.ask("/v1/models/nothing", method="GET")
    _, nobody, _ = await surface.ask("/v1/models", headers={"anthropic-version": "2023-06-01"}, method="GET")

    assert [model["id"] for model in plain["data"]] == ["scripted", "broke", "claude-sonnet-4-5", "tier-small"]
    assert [model["owned_by"] for model in plain["data"]][2:] == ["script", "interlock"]
    assert ([model["id"] for model in first["data"]], first["has_more"]) == (["scripted", "broke"], True)
    assert ([model["id"] for model in rest["data"]], rest["has_more"]) == (["claude-sonnet-4-5", "tier-small"], False)
    assert ([model["id"] for model in back["data"]], back["has_more"]) == (["scripted"], False)
    assert (wrong["type"], wrong["error"]["type"], nobody["type"]) == ("error", "not_found_error", "error")
    assert told("/v1/models", wrong_plain) == "unknown_model"
    for query in ("limit=0", "limit=x", "limit=1001"):
        assert (await surface.ask(f"/v1/models?{query}", headers=anthropic, method="GET"))[0] == 400


async def test_a_doubled_key_has_one_meaning(surface: Surface) -> None:
    text = json.dumps(HELLO)[:-1] + ', "model": "tier-small", "stream": true, "stream": false}'
    status, _, _ = await surface.ask(CHAT, data=text.encode())

    assert (status, surface.last.body["model"], surface.last.body["stream"]) == (200, "tier-small", False)


async def test_the_run_is_the_tokens_or_the_one_that_is_named(surface: Surface) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    for headers, run in (
        (token, RUN),
        ({**token, "x-interlock-run": RUN}, RUN),
        (BEARER, None),
        ({**BEARER, "X-Interlock-Run": "mine"}, "mine"),
    ):
        assert (await surface.ask(CHAT, HELLO, headers))[0] == 200
        assert surface.last.run == run
    for headers, status in (
        ({**token, "x-interlock-run": "another"}, 403),
        ({**BEARER, "x-interlock-run": "no run"}, 400),
        ({**BEARER, "x-interlock-run": ""}, 400),
    ):
        assert (await surface.ask(CHAT, HELLO, headers))[0] == status
    assert len(surface.road.asks) == 4


async def test_step_labels_and_the_vendors_own_headers_travel_with_the_request(surface: Surface) -> None:
    headers = {
        **BEARER,
        "x-interlock-step": "triage",
        "x-interlock-label-Team": "Zürich",
        "x-interlock-label-tier.1": "a b",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "one,two",
        "OpenAI-Organization": "org-1",
    }
    await surface.ask(MESSAGES, MESSAGE, headers)
    anthropic = surface.last
    await surface.ask(CHAT, HELLO, headers)

    assert (anthropic.step, dict(anthropic.labels)) == ("triage", {"team": "Zürich", "tier.1": "a b"})
    assert dict(anthropic.headers) == {"anthropic-version": "2023-06-01", "anthropic-beta": "one,two"}
    assert (surface.last.headers, surface.last.size) == ({}, len(json.dumps(HELLO)))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (None, Caching.USUAL),
        ("private, max-age=60", Caching.USUAL),
        ("No-Cache", Caching.REFRESH),
        ("max-age=0", Caching.REFRESH),
        ("no-cache, no-store", Caching.NONE),
    ],
)
async def test_a_client_may_keep_the_cache_out_of_it(surface: Surface, said: str | None, meant: Caching) -> None:
    await surface.ask(CHAT, HELLO, {**BEARER, **({"Cache-Control": said} if said else {})})

    assert surface.last.caching is meant


@pytest.mark.parametrize(
    "headers",
    [
        {"x-interlock-step": "two words"},
        {"x-interlock-label-": "x"},
        {"x-interlock-label-a": ""},
        {"x-interlock-label-a": "x" * 201},
        {"x-interlock-label-" + "a" * 65: "x"},
        {f"x-interlock-label-{n}": "x" for n in range(21)},
    ],
)
async def test_a_label_that_says_nothing_usable_is_refused(surface: Surface, headers: Mapping[str, str]) -> None:
    status, body, _ = await surface.ask(CHAT, HELLO, {**BEARER, **headers})

    assert (status, told(CHAT, body), surface.road.asks) == (400, "bad_input", [])


async def test_what_may_be_said_once_is_not_said_twice(surface: Surface) -> None:
    for name in ("x-interlock-run", "x-interlock-label-a", "x-api-key", "content-type"):
        head = f"POST {CHAT} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\nContent-Length: 2\n"
        lines = f"{name}: {KEY}\n{name}: {KEY}\n\n"
        assert b"stands twice" in await surface.raw(f"{head}{lines}".encode() + b"{}")


async def test_a_picture_of_many_megabytes_is_taken(surface: Surface) -> None:
    url = "data:image/png;base64," + "A" * (10 << 20)
    parts = [{"type": "text", "text": "Look at this."}, {"type": "image_url", "image_url": {"url": url}}]
    status, _, _ = await surface.ask(CHAT, {"model": "scripted", "messages": [{"role": "user", "content": parts}]})

    assert (status, surface.last.size > 10 << 20) == (200, True)


async def test_a_body_of_unstated_length_ends_at_the_limit(surface: Surface) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 19)

    status, body, _ = await surface.ask(CHAT, data=endless())

    assert (status, told(CHAT, body)) == (413, "too_large")


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_a_client_that_sends_all_before_it_reads_still_sees_why_it_was_refused(http: str) -> None:
    async with a_model_surface(http=http) as (url, road), aiohttp.ClientSession() as session:
        body = {**HELLO, "user": "x" * (17 << 20)}
        answer = await Surface(url, road, session).raw(post(CHAT, body))

    assert b"too_large" in answer


def overloaded(seconds: float | None) -> InterlockError:
    error = ModelOverloaded("The provider limits how much it serves")
    error.retry_after_s = seconds
    return error


@pytest.mark.parametrize(
    ("error", "wait", "retry"),
    [
        (overloaded(2.3), "3", None),
        (overloaded(None), None, None),
        (ModelUnavailable("Away"), None, None),
        (StoreUnavailable("Away"), None, None),
        (CallInProgress("Wait"), None, None),
        (BudgetExceeded("Spent"), None, "false"),
        (Unpriced("No price"), None, "false"),
        (Braked("Stopped"), None, "false"),
        (ModelRefused("No"), None, "false"),
        (SchemaUnmet("Not so"), None, "false"),
        (OutcomeUnknown("Who knows"), None, "false"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_clients_are_told_whether_and_when_to_try_again(
    surface: Surface, error: InterlockError, wait: str | None, retry: str | None
) -> None:
    surface.road.failure = error
    for path in (CHAT, MESSAGES):
        for stream in (False, True):
            status, body, headers = await surface.ask(path, {**MESSAGE, "stream": stream})
            assert (status, told(path, body)) == (error.status, error.code)
            assert (headers.get("retry-after"), headers.get("x-should-retry")) == (wait, retry)


async def test_a_failure_inside_says_nothing_of_the_inside(surface: Surface) -> None:
    surface.road.failure = RuntimeError("password=hunter2")
    for path in (CHAT, MESSAGES):
        status, body, _ = await surface.ask(path, BODIES[path])
        assert (status, told(path, body), "hunter2" in json.dumps(body)) == (500, "internal_error", False)


def post(path: str, body: Any, version: str = "1.1") -> bytes:
    raw = json.dumps(body).encode()
    lines = ["Host: 127.0.0.1", f"Authorization: Bearer {KEY}", "Content-Type: application/json"]
    lines += ["Connection: close", f"Content-Length: {len(raw)}"]
    return "\n".join([f"POST {path} HTTP/{version}", *lines, "\n"]).encode() + raw


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_only_a_whole_reply_ends_as_a_whole_reply(http: str, path: str) -> None:
    async with a_model_surface(http=http) as (url, road), aiohttp.ClientSession() as session:
        surface = Surface(url, road, session)
        whole = await surface.raw(post(path, {**MESSAGE, "stream": True}))
        cut = {**MESSAGE, "stream": True, "messages": [{"role": "user", "content": "Break off."}]}
        broken = await surface.raw(post(path, cut))

    assert whole.lower().split(b"\r\n\r\n")[0].count(b"text/event-stream") == 1
    assert whole.endswith(b"\r\n0\r\n\r\n")
    assert b"These" in broken
    assert not broken.endswith(b"0\r\n\r\n")


async def test_a_stream_is_not_sent_where_its_end_would_say_nothing(surface: Surface) -> None:
    answer = await surface.raw(post(CHAT, {**HELLO, "stream": True}, "1.0"))
    whole = await surface.raw(post(CHAT, HELLO, "1.0"))

    assert (answer.split(b" ", 2)[1], b"Streams need HTTP/1.1" in answer) == (b"400", True)
    assert b"Hello from the script." in whole


async def test_the_road_learns_that_the_client_has_gone() -> None:
    learnt = asyncio.Event()

    class Endless(ShortRoad):
        async def stream(self, ask: ModelAsk, outlet: Outlet) -> None:
            await outlet.start(())
            await outlet.send(b"data: {}\n\n")
            await outlet.gone()
            learnt.set()

    async with a_model_surface(Endless()) as (url, _):
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(post(CHAT, {**HELLO, "stream": True}).replace(b"\n", b"\r\n"))
        assert await asyncio.wait_for(reader.readuntil(b"data: {}"), 5)
        assert not learnt.is_set()
        writer.close()
        await asyncio.wait_for(learnt.wait(), 5)
