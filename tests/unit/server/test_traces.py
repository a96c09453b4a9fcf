"""POST /v1/traces as senders see it: encodings, compression, answers, refusals."""

from __future__ import annotations

import asyncio
import gzip
import io
import threading
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.otlp.decoding import Protobuf
from interlock.adapters.otlp.decoding_json import Json
from interlock.domain.errors import StoreUnavailable, Unauthenticated
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import PrincipalId, TenantId
from interlock.gateway.ingest import LARGE, MOST_SPANS, Ingest
from interlock.gateway.ports import Clock
from interlock.server.guard import DoorRules, Guard
from interlock.server.routing import Routes
from interlock.server.traces import MAX_BODY, TraceIntake, trace_route, with_traces
from interlock.traces.ports import Receipt, SpanRow
from tests.kits.mcp import serving
from tests.unit.traces.kit import NOW_NS, Nothing

NOW = NOW_NS // 1_000_000
PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE = "ab" * 16


class Fixed(Clock):
    """Stands still."""

    def now(self) -> int:
        return NOW


class Store(MemorySpanStore):
    """A store in memory that can be away, or slow."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.kept: list[tuple[str, str]] = []

    async def add(self, tenant: TenantId, rows: Sequence[SpanRow]) -> Receipt:
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("The SQLite database did not take it", why="the disk is full", do="Free some space")
        self.kept += [(tenant, row.name) for row in rows]
        return await super().add(tenant, rows)


async def _authenticate(token: str) -> Principal:
    tenant, _, role = token.partition("-")
    if role not in {one.value for one in Role}:
        raise Unauthenticated("The key is not known")
    return Principal(PrincipalId("sender"), TenantId(tenant), frozenset({Role(role)}))


@dataclass(slots=True)
class Answer:
    """What a sender got."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def said(self) -> str:
        """The message of a refusal, in either encoding."""
        return self.body.decode("utf-8", "replace")


@dataclass(slots=True)
class Place:
    """A served /v1/traces."""

    url: str
    store: Store
    session: aiohttp.ClientSession
    token: str = "acme-agent"
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, body: bytes, kind: str = JSON, **headers: str) -> Answer:
        """Send one request."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": kind} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.session.post(f"{self.url}/v1/traces", data=io.BytesIO(body), headers=sent) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, await answer.read(), found)


@pytest.fixture
async def store() -> Store:
    """An empty store."""
    return Store()


@pytest.fixture
async def place(store: Store) -> AsyncIterator[Place]:
    """A server that takes both encodings."""
    async with _served(
        store, TraceIntake(_ingest(store), {b"application/json": Json(), PROTOBUF.encode(): Protobuf()})
    ) as one:
        yield one


def _ingest(store: Store) -> Ingest:
    return Ingest(store, Nothing(), Fixed(), lambda _: 86_400_000)


class _served:  # noqa: N801
    """Serves an intake behind the real door."""

    def __init__(self, store: Store, intake: TraceIntake) -> None:
        door = Guard(
            Routes((trace_route(intake),), frozenset()), DoorRules(), _authenticate, with_traces(lambda _: None)
        )
        self._serving = serving(door)
        self._store = store

    async def __aenter__(self) -> Place:
        url = await self._serving.__aenter__()
        self._session = aiohttp.ClientSession(auto_decompress=False)
        return Place(url, self._store, self._session)

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()
        await self._serving.__aexit__(None, None, None)


def _span(number: int = 1, **changes: object) -> dict[str, object]:
    whole = {"traceId": TRACE, "spanId": f"{number:016x}", "name": f"span {number}"}
    return whole | {"startTimeUnixNano": str(NOW_NS), "endTimeUnixNano": str(NOW_NS + 1)} | changes


def _json(*spans: dict[str, object]) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def _protobuf(*numbers: int, name: str = "span") -> bytes:
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in numbers:
        spans.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=number.to_bytes(8, "big"),
            name=f"{name} {number}",
            start_time_unix_nano=NOW_NS,
            end_time_unix_nano=NOW_NS + 1,
        )
    whole: bytes = message.SerializeToString()
    return whole


async def test_both_encodings_are_taken_and_answered_in_kind(place: Place) -> None:
    one = await place.send(_json(_span(1)))
    other = await place.send(_protobuf(2), PROTOBUF)
    assert (one.status, one.body, one.headers["content-type"]) == (200, b"{}", JSON)
    assert (other.status, other.body, other.headers["content-type"]) == (200, b"", PROTOBUF)
    assert place.store.kept == [("acme", "span 1"), ("acme", "span 2")]


async def test_spans_belong_to_the_tenant_of_the_key_whatever_they_say(place: Place) -> None:
    claimed = _span(attributes=[{"key": "interlock.tenant", "value": {"stringValue": "acme"}}])
    place.token = "other-agent"
    assert (await place.send(_json(claimed))).status == 200
    assert place.store.kept == [("other", "span 1")]
    assert await place.store.trace(TenantId("acme"), TRACE) == ()


@pytest.mark.parametrize("role", ["auditor", "approver"])
async def test_only_agents_and_operators_may_send(place: Place, role: str) -> None:
    place.token = f"acme-{role}"
    answer = await place.send(_protobuf(1), PROTOBUF)
    assert (answer.status, answer.headers["content-type"]) == (403, PROTOBUF)
    place.token = "acme-nobody"
    assert (await place.send(_json(_span()))).status == 401
    assert not place.store.kept


async def test_rejected_spans_are_counted_with_their_reasons_and_the_others_kept(place: Place) -> None:
    bad = _span(2, traceId="00" * 16)
    backwards = _span(3, endTimeUnixNano="1")
    answer = orjson.loads((await place.send(_json(_span(1), bad, backwards))).body)
    assert answer["partialSuccess"]["rejectedSpans"] == "2"
    assert "trace id" in answer["partialSuccess"]["errorMessage"]
    assert "ends before" in answer["partialSuccess"]["errorMessage"]
    assert place.store.kept == [("acme", "span 1")]
    message = ExportTraceServiceResponse.FromString((await place.send(_protobuf(0, 4), PROTOBUF)).body)
    assert message.partial_success.rejected_spans == 1
    assert "span id" in message.partial_success.error_message


async def test_what_is_left_out_of_spans_is_told_without_rejecting_them(place: Place) -> None:
    many = [{"key": f"a{number}", "value": {"intValue": "1"}} for number in range(300)]
    answer = orjson.loads((await place.send(_json(_span(attributes=many)))).body)
    assert answer["partialSuccess"]["rejectedSpans"] == "0"
    assert "44 attributes" in answer["partialSuccess"]["errorMessage"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
async def test_compressed_bodies_are_taken(place: Place, encoding: str, compress: object) -> None:
    assert callable(compress)
    answer = await place.send(compress(_json(_span())), Content_Encoding=encoding)
    assert (answer.status, len(place.store.kept)) == (200, 1)


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), "gzip", 400),
        (gzip.compress(b" " * (MAX_BODY + 1), mtime=0), "gzip", 413),
        (b"{}", "zstd", 415),
    ],
)
async def test_what_does_not_inflate_to_a_request_is_refused(
    place: Place, body: bytes, encoding: str, status: int
) -> None:
    answer = await place.send(body, Content_Encoding=encoding)
    assert (answer.status, answer.headers["content-type"]) == (status, JSON)
    said = orjson.loads(answer.body)
    assert isinstance(said["code"], int)
    assert said["message"]


async def test_refusals_in_protobuf_are_a_status_in_protobuf(place: Place) -> None:
    answer = await place.send(b"\xff", PROTOBUF)
    assert (answer.status, answer.headers["content-type"]) == (400, PROTOBUF)
    # google.rpc.Status: field 1 the code (3, invalid argument), field 2 the message.
    assert answer.body[:3] == b"\x08\x03\x12"
    assert "no" in answer.said


async def test_other_kinds_of_bodies_are_refused(place: Place) -> None:
    answer = await place.send(b"a=b", "application/x-www-form-urlencoded")
    assert answer.status == 415
    assert "protobuf" in answer.said


async def test_without_the_extra_senders_in_protobuf_are_told_what_to_install_and_that_json_works(store: Store) -> None:
    intake = TraceIntake(_ingest(store), {b"application/json": Json()}, "pip install 'interlock[otlp]', or send JSON")
    async with _served(store, intake) as place:
        answer = await place.send(_protobuf(1), PROTOBUF)
        assert answer.status == 415
        assert "pip install 'interlock[otlp]'" in answer.said
        assert "JSON" in answer.said
        assert (await place.send(_json(_span()))).status == 200


async def test_a_store_that_is_away_has_senders_try_again(place: Place) -> None:
    place.store.away = True
    answer = await place.send(_protobuf(1), PROTOBUF)
    assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True)
    place.store.away = False
    assert (await place.send(_protobuf(1), PROTOBUF)).status == 200


async def test_nothing_is_acknowledged_before_it_is_stored(place: Place) -> None:
    place.store.gate.clear()
    sending = asyncio.create_task(place.send(_json(_span())))
    done, _ = await asyncio.wait([sending], timeout=0.2)
    assert not done
    place.store.gate.set()
    assert (await sending).status == 200


async def test_more_than_can_be_stored_is_refused_until_the_store_has_caught_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.gateway.ingest.MOST_WAITING", 1000)
    place.store.gate.clear()
    sending = asyncio.create_task(place.send(_json(_span(name="x" * 900))))
    await asyncio.sleep(0.1)
    answer = await place.send(_json(_span(2)))
    assert (answer.status, "retry-after" in answer.headers) == (429, True)
    place.store.gate.set()
    assert (await sending).status == 200
    assert (await place.send(_json(_span(2)))).status == 200


async def test_a_request_of_too_many_spans_is_refused_whole(place: Place) -> None:
    answer = await place.send(_json(*[_span(number + 1) for number in range(MOST_SPANS + 1)]))
    assert answer.status == 413
    assert "smaller batches" in answer.said
    assert not place.store.kept


async def test_a_long_request_does_not_keep_the_loop_from_others(store: Store) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await _ingest(store).take(TenantId("acme"), _protobuf(*range(1, 1001)), Protobuf())
    counting.cancel()
    assert turns >= 1000 // 64


async def test_a_large_span_whose_words_take_long_to_look_at_does_not_keep_the_loop_from_others(store: Store) -> None:
    looked = threading.Event()

    class Waiting(Nothing):
        def gate(self, data: bytes) -> bool:
            return looked.wait(10)

    ingest = Ingest(store, Waiting(), Fixed(), lambda tenant: 86_400_000)
    body = _json(_span(attributes=[{"key": "a", "value": {"stringValue": "x" * LARGE}}]))
    taking = asyncio.create_task(ingest.take(TenantId("acme"), body, Json()))
    await asyncio.sleep(0.05)
    assert not taking.done()
    looked.set()
    assert (await taking).stored == 0
