"""Spans from outside are kept once, counted once, and said no louder than they may be."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.sql.seals import KEY_BYTES
from interlock.adapters.sql.traces.opening import beside, open_span_store
from interlock.domain.errors import ConfigurationError, Erased
from interlock.domain.ids import TenantId
from interlock.traces.ports import Receipt, RunSummary, Seal, SpanRow, SpanStore

ACME, OTHER = TenantId("acme"), TenantId("other")
TRACE = bytes(range(1, 17))
NS = 1_800_000_000_000_000_000
LONG = "what the model was told, at length. " * 20


@pytest.fixture
async def spans(address: str) -> AsyncIterator[SpanStore]:
    """An empty span store."""
    opened = MemorySpanStore() if address == "memory" else await open_span_store(address)
    yield opened
    await opened.close()


def a_row(number: int, trace: bytes = TRACE, *, text: str = LONG, **changes: object) -> SpanRow:
    """A call of a model, a second long, that began `number` seconds after the first."""
    words = text.encode()
    hash = hashlib.sha256(words)
    row = SpanRow(
        trace=trace,
        span=number.to_bytes(8, "big"),
        parent=(99).to_bytes(8, "big"),
        name="chat",
        category="model",
        kind="client",
        status="unset",
        start_ns=NS + number * 1_000_000_000,
        end_ns=NS + (number + 1) * 1_000_000_000,
        run="",
        workflow="",
        user="",
        model="small",
        input_tokens=10,
        output_tokens=2,
        cost_nano_usd=7,
        details=orjson.dumps({"attributes": {"number": number, "input.value": {"body": hash.hexdigest()}}}),
        bodies=(("input.value", hash.digest(), words),),
    )
    return row._replace(**changes)  # type: ignore[arg-type]


async def _sums(store: SpanStore, trace: bytes = TRACE, tenant: TenantId = ACME) -> RunSummary:
    (sums,) = await store.sums_of_trace(tenant, trace.hex())
    return sums


async def test_spans_come_back_with_their_long_texts_in_order_of_start(spans: SpanStore) -> None:
    assert await spans.add(ACME, [a_row(3), a_row(1), a_row(2, text="another " * 50)]) == Receipt(3, 0)
    found = await spans.trace(ACME, TRACE.hex())
    assert [span.attributes["number"] for span in found] == [1, 2, 3]
    assert [span.attributes["input.value"] for span in found] == [LONG, "another " * 50, LONG]
    assert await spans.trace(OTHER, TRACE.hex()) == ()


async def test_a_span_that_comes_again_is_kept_and_counted_once(spans: SpanStore) -> None:
    assert await spans.add(ACME, [a_row(1), a_row(2), a_row(1)]) == Receipt(2, 1)
    assert await spans.add(ACME, [a_row(2), a_row(3, status="error")]) == Receipt(1, 1)
    assert await spans.add(ACME, [a_row(3, status="error")]) == Receipt(0, 1)
    sums = await _sums(spans)
    assert (sums.spans, sums.errors, sums.reported_input_tokens, sums.reported_cost_nano_usd) == (3, 1, 30, 21)
    assert len(await spans.trace(ACME, TRACE.hex())) == 3


async def test_the_same_ids_in_another_tenant_are_other_spans(spans: SpanStore) -> None:
    assert await spans.add(ACME, [a_row(1)]) == Receipt(1, 0)
    assert await spans.add(OTHER, [a_row(1, text="theirs " * 60)]) == Receipt(1, 0)
    (mine,) = await spans.trace(ACME, TRACE.hex())
    assert mine.attributes["input.value"] == LONG


async def test_requests_at_the_same_time_count_every_span_once(spans: SpanStore) -> None:
    other = bytes(range(2, 18))
    batches = [
        [
            a_row(number, trace)
            for trace in ((TRACE, other) if turn % 2 else (other, TRACE))
            for number in range(turn, turn + 6)
        ]
        for turn in range(1, 9)
    ]
    receipts = await asyncio.gather(*(spans.add(ACME, batch) for batch in batches))
    assert sum(receipt.stored for receipt in receipts) == 2 * 13
    assert sum(receipt.stored + receipt.repeated for receipt in receipts) == 2 * 8 * 6
    for trace in (TRACE, other):
        assert (await _sums(spans, trace)).spans == 13
        assert len(await spans.trace(ACME, trace.hex())) == 13


async def test_sums_hold_the_first_start_the_last_end_and_the_workflow_of_the_root(spans: SpanStore) -> None:
    await spans.add(ACME, [a_row(5, workflow="helper", run="session-1", user="ann")])
    assert (await _sums(spans)).workflow == "helper"
    await spans.add(ACME, [a_row(1, parent=None, category="agent", workflow="support", end_ns=NS + 30_000_000_001)])
    await spans.add(ACME, [a_row(6, workflow="other helper", run="session-2", user="bob")])
    sums = await _sums(spans)
    assert (sums.workflow, sums.session, sums.user) == ("support", "session-1", "ann")
    assert (sums.started_at, sums.ended_at) == (NS // 1_000_000 + 1_000, NS // 1_000_000 + 30_001)
    # What an agent's span says of tokens is a total of what stands below it.
    assert sums.reported_input_tokens == 20


async def test_a_batch_of_hundreds_of_traces_is_kept_whole(spans: SpanStore) -> None:
    rows = [a_row(number % 3 + 1, (number // 3 + 1).to_bytes(16, "big")) for number in range(999)]
    assert await spans.add(ACME, rows) == Receipt(999, 0)
    assert await spans.add(ACME, rows) == Receipt(0, 999)
    assert (await _sums(spans, (333).to_bytes(16, "big"))).spans == 3
    assert await spans.add(ACME, []) == Receipt(0, 0)


class Reversed(Seal):
    """Makes words unreadable, bound to their place; `gone` when their key is."""

    def __init__(self) -> None:
        self.gone = False

    def seal(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        mark = hashlib.sha256(f"{tenant} {place}".encode()).digest()
        return mark + bytes(byte ^ 0x5A for byte in body)

    def open(self, tenant: TenantId, place: str, body: bytes) -> bytes:
        if self.gone:
            raise Erased("What was said is erased")
        assert body[:KEY_BYTES] == hashlib.sha256(f"{tenant} {place}".encode()).digest(), "sealed for another place"
        return bytes(byte ^ 0x5A for byte in body[KEY_BYTES:])


async def test_what_spans_say_is_sealed_at_rest_and_comes_back(tmp_path: Path) -> None:
    store = await open_span_store(f"sqlite:///{tmp_path / 'spans.db'}", Reversed())
    await store.add(ACME, [a_row(1), a_row(2), a_row(3, details=orjson.dumps({"attributes": {"a": "a short secret"}}))])
    assert [span.attributes for span in await store.trace(ACME, TRACE.hex())] == [
        {"number": 1, "input.value": LONG},
        {"number": 2, "input.value": LONG},
        {"a": "a short secret"},
    ]
    await store.close()
    written = _everything(tmp_path)
    assert b"chat" in written
    assert b"what the model was told" not in written
    assert b"a short secret" not in written


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        ("sqlite:////data/interlock.db", "sqlite:////data/interlock-traces.db"),
        ("sqlite:////data/journal", "sqlite:////data/journal-traces.db"),
        ("postgresql://ann:pw@db/interlock", "postgresql://ann:pw@db/interlock"),
    ],
)
def test_spans_are_kept_beside_the_journal(journal: str, expected: str) -> None:
    assert beside(journal) == expected


@pytest.mark.parametrize("url", ["mysql://db/x", "nonsense", ""])
async def test_an_address_of_another_kind_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await open_span_store(url)
    assert not url or url not in str(refused.value)
