"""One row of sums for each run: every event of the trail once, spans from outside beside it, figures exact."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.domain.ids import RunId, TenantId
from interlock.traces.ports import Order, RunChange, RunQuery, SpanRow, SpanStore

ACME, OTHER = TenantId("acme"), TenantId("other")
TRACE = bytes(range(16))
NOW = 1_790_000_000_000


@pytest.fixture
async def spans(address: str) -> AsyncIterator[SpanStore]:
    """An empty span store."""
    opened = MemorySpanStore() if address == "memory" else await open_span_store(address)
    yield opened
    await opened.close()


def a_span(number: int, trace: bytes = TRACE, **changes: Any) -> SpanRow:
    """A span of the model, a second long, that begins with its number in seconds."""
    body = b"what the model was told"
    row = SpanRow(
        trace=trace,
        span=number.to_bytes(8, "big"),
        parent=None if number == 1 else (1).to_bytes(8, "big"),
        name=f"chat {number}",
        category="model",
        kind="client",
        status="unset",
        start_ns=(NOW + number * 1_000) * 1_000_000,
        end_ns=(NOW + number * 1_000 + 1_000) * 1_000_000,
        run="session-1",
        workflow="helper",
        user="uma",
        model="gpt",
        input_tokens=10,
        output_tokens=2,
        cost_nano_usd=500,
        details=orjson.dumps({"attributes": {"a": 1, "input.value": {"body": "ab" * 32}}}),
        bodies=(("input.value", b"\xab" * 32, body),),
    )
    return row._replace(**changes)


def a_change(run: str = "r1", **changes: Any) -> RunChange:
    return RunChange(ACME, run, TRACE, NOW, workflow="refunds", user="uma", state="open")._replace(**changes)


async def test_each_part_of_the_trail_is_added_once(spans: SpanStore) -> None:
    first = a_change(model_calls=1, cost_nano_usd=7, notable=(("denied", "tier.4", 1),))
    again = RunChange(ACME, "r1", b"", NOW, tool_calls=2, cost_nano_usd=3, notable=(("denied", "tier.4", 2),))

    assert await spans.follow("sums", 0, 5, [first])
    assert not await spans.follow("sums", 0, 5, [first])
    assert await spans.follow("sums", 5, 9, [again])

    found = await spans.summary(ACME, RunId("r1"))
    assert found is not None
    assert (found.model_calls, found.tool_calls, found.cost_nano_usd) == (1, 2, 10)
    assert (found.workflow, found.user, found.state, found.trace_id) == ("refunds", "uma", "open", TRACE.hex())
    assert await spans.position("sums") == 9
    assert (await spans.counts(ACME, 0, NOW + 1))[0].notable == (("denied", "tier.4", 3),)


async def test_a_run_that_has_ended_stays_ended_and_is_judged_later(spans: SpanStore) -> None:
    await spans.follow("sums", 0, 1, [a_change(state="stopped", ended_at=NOW + 50)])
    await spans.follow("sums", 1, 2, [a_change(state="closed", ended_at=NOW + 90, outcome="succeeded")])

    found = await spans.summary(ACME, RunId("r1"))
    assert found is not None
    assert (found.state, found.ended_at, found.outcome, found.duration_ms) == ("stopped", NOW + 50, "succeeded", 50)


@pytest.mark.parametrize("spans_first", [True, False])
async def test_a_run_and_the_spans_of_its_trace_share_one_row(spans: SpanStore, spans_first: bool) -> None:
    rows = [a_span(1), a_span(2, status="error")]
    if spans_first:
        await spans.add(ACME, rows)
    await spans.follow("sums", 0, 1, [a_change(at=NOW + 1_500, cost_nano_usd=9)])
    if not spans_first:
        await spans.add(ACME, rows)
    await spans.add(ACME, rows)

    (found,) = await spans.sums_of_trace(ACME, TRACE.hex())
    assert (found.run, found.session, found.workflow) == ("r1", "session-1", "refunds")
    assert (found.spans, found.errors, found.reported_cost_nano_usd, found.cost_nano_usd) == (2, 1, 1_000, 9)
    assert (found.started_at, found.ended_at) == (NOW + 1_500, None)


async def test_no_span_makes_a_run_longer_than_the_gate_knows_it_to_be(spans: SpanStore) -> None:
    await spans.follow("sums", 0, 1, [a_change(state="closed", ended_at=NOW + 50)])
    await spans.add(ACME, [a_span(1, start_ns=10**6, end_ns=(NOW + 10**9) * 10**6)])
    (found,) = await spans.sums_of_trace(ACME, TRACE.hex())
    assert (found.started_at, found.ended_at, found.spans) == (NOW, NOW + 50, 1)


async def test_two_runs_of_one_trace_have_a_row_each(spans: SpanStore) -> None:
    await spans.follow("sums", 0, 1, [a_change("r1"), a_change("r2", model_calls=4)])
    await spans.add(ACME, [a_span(1)])

    assert [(one.run, one.spans) for one in await spans.sums_of_trace(ACME, TRACE.hex())] == [("r1", 1), ("r2", 0)]
    assert await spans.sums_of_trace(OTHER, TRACE.hex()) == ()


async def test_spans_come_back_as_they_came_with_their_bodies(spans: SpanStore) -> None:
    await spans.add(ACME, [a_span(2), a_span(1)])

    first, second = await spans.trace(ACME, TRACE.hex())
    assert (first.name, first.parent_id, second.parent_id) == ("chat 1", None, first.span_id)
    assert first.attributes == {"a": 1, "input.value": "what the model was told"}
    assert await spans.trace(OTHER, TRACE.hex()) == ()


async def test_one_process_at_a_time_is_a_follower(spans: SpanStore) -> None:
    assert await spans.lease("sums", "one", now=100, until=200)
    assert not await spans.lease("sums", "two", now=199, until=300)
    assert await spans.lease("sums", "one", now=150, until=250)
    assert await spans.lease("export", "two", now=199, until=300)
    assert await spans.lease("sums", "two", now=250, until=350)


async def test_runs_are_found_by_what_is_known_of_them(spans: SpanStore) -> None:
    runs = [
        a_change("cheap", trace=b"", at=NOW + 1, cost_nano_usd=1, state="closed", ended_at=NOW + 9, outcome="failed"),
        a_change("dear", trace=b"", at=NOW + 2, cost_nano_usd=9, state="closed", ended_at=NOW + 4),
        a_change("open", trace=b"", at=NOW + 3, workflow="mail"),
    ]
    await spans.follow("sums", 0, 1, runs)
    await spans.add(ACME, [a_span(1, trace=b"\x07" * 16)])

    async def found(order: Order = Order.NEWEST, **wanted: Any) -> list[str]:
        return [one.run or one.session for one in await spans.runs(RunQuery(ACME, **wanted), order)]

    assert await found() == ["session-1", "open", "dear", "cheap"]
    assert await found(Order.DEAREST) == ["session-1", "dear", "cheap", "open"]
    assert await found(Order.LONGEST, limit=2) == ["session-1", "cheap"]
    assert await found(workflow="mail") == ["open"]
    assert await found(outcome="failed") == ["cheap"]
    assert await found(state="closed", user="uma") == ["dear", "cheap"]
    assert await found(since=NOW + 2, until=NOW + 3) == ["dear"]
    assert await found(runs=(RunId("open"), RunId("none"), RunId("cheap"))) == ["open", "cheap"]
    assert await spans.runs(RunQuery(OTHER)) == ()


async def test_percentiles_are_of_runs_that_there_were(spans: SpanStore) -> None:
    dice = random.Random(7)
    costs = [dice.randrange(10**12) for _ in range(250)]
    took = [dice.randrange(10**6) for _ in range(250)]
    changes = [
        a_change(
            f"r{n}", trace=b"", cost_nano_usd=cost, state="closed", ended_at=NOW + ms, outcome=("", "succeeded")[n % 2]
        )
        for n, (cost, ms) in enumerate(zip(costs, took, strict=True))
    ]
    await spans.follow("sums", 0, 1, [*changes, a_change("open", workflow="mail", escalated=1)])

    mail, refunds = await spans.workflows(ACME, NOW, NOW + 1)

    assert (refunds.runs, refunds.succeeded, refunds.judged, refunds.cost_nano_usd) == (250, 125, 125, sum(costs))
    assert (refunds.p50_cost_nano_usd, refunds.p95_cost_nano_usd) == (sorted(costs)[124], sorted(costs)[237])
    assert (refunds.p50_ms, refunds.p95_ms, refunds.p99_ms) == tuple(sorted(took)[n] for n in (124, 237, 247))
    assert (mail.workflow, mail.runs, mail.ended, mail.p95_ms, mail.escalated) == ("mail", 1, 0, 0, 1)
    (whole,) = await spans.workflows(ACME, NOW, NOW + 1, whole=True)
    assert (whole.workflow, whole.runs) == ("", 251)
    assert await spans.workflows(ACME, NOW + 1, NOW + 2) == ()


async def test_what_is_erased_is_gone_and_its_sums_stay(spans: SpanStore) -> None:
    await spans.add(ACME, [a_span(1), a_span(2, user="ben")])
    await spans.add(ACME, [a_span(1, trace=b"\x07" * 16, user="zoe")])
    await spans.follow("sums", 0, 1, [a_change("r2", trace=b"\x08" * 16, user="zoe")])
    await spans.add(ACME, [a_span(1, trace=b"\x08" * 16, user="")])

    assert await spans.erase(ACME, user="ben") == 2
    assert await spans.erase(ACME, runs=(RunId("r2"),)) == 1

    assert await spans.trace(ACME, TRACE.hex()) == ()
    assert await spans.trace(ACME, (b"\x08" * 16).hex()) == ()
    assert len(await spans.trace(ACME, (b"\x07" * 16).hex())) == 1
    (sums,) = await spans.sums_of_trace(ACME, TRACE.hex())
    assert (sums.user, sums.session, sums.spans) == ("", "", 2)


async def test_old_spans_go_in_small_steps_but_for_held_runs(spans: SpanStore) -> None:
    await spans.add(ACME, [a_span(number) for number in (1, 2, 3)])
    await spans.follow("sums", 0, 1, [a_change("held", trace=b"\x08" * 16)])
    await spans.add(ACME, [a_span(1, trace=b"\x08" * 16)])

    assert await spans.expire(ACME, NOW, frozenset(), 10) == 0
    assert await spans.expire(ACME, NOW + 9_999, frozenset({"held"}), 2) == 2
    assert await spans.expire(ACME, NOW + 9_999, frozenset({"held"}), 2) == 1
    assert await spans.expire(ACME, NOW + 9_999, frozenset({"held"}), 2) == 0

    assert await spans.trace(ACME, TRACE.hex()) == ()
    assert len(await spans.trace(ACME, (b"\x08" * 16).hex())) == 1


async def test_a_trace_in_which_a_run_is_held_is_kept_whole_and_its_runs_are_told(spans: SpanStore) -> None:
    both = [a_change("first", state="closed", ended_at=NOW), a_change("held", user="ben", state="closed", ended_at=NOW)]
    await spans.follow("sums", 0, 1, both)
    await spans.add(ACME, [a_span(1), a_span(2, run="elsewhere")])

    assert await spans.expire(ACME, NOW + 9_999, frozenset({"held"}), 10) == 0
    everything = frozenset({RunId("first"), RunId("held")})
    assert await spans.beside(ACME, runs=(RunId("held"),)) == everything
    assert await spans.beside(ACME, user="uma") == everything
    assert await spans.beside(OTHER, user="uma") == frozenset()
    assert await spans.expire(ACME, NOW + 9_999, frozenset(), 10) == 2


async def test_spans_that_name_an_erased_run_go_in_whatever_trace_they_stand(spans: SpanStore) -> None:
    await spans.add(ACME, [a_span(1, user="", run="r7"), a_span(2, trace=b"\x07" * 16, user="", run="r8")])
    assert await spans.erase(ACME, runs=(RunId("r7"),)) == 1
    assert await spans.trace(ACME, TRACE.hex()) == ()
    assert len(await spans.trace(ACME, "07" * 16)) == 1
