"""Closed days stand in Parquet, each row once; queries see one tenant's files and nothing else; what is erased is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock.adapters.memory import MemoryStore
from interlock.adapters.sql.traces.opening import open_span_store
from interlock.adapters.sql.traces.store import SqlSpanStore
from interlock.domain.errors import BadInput, StoreUnavailable
from interlock.domain.ids import RunId, TenantId
from interlock.gateway.span_archive import Archiver
from tests.contracts.samples import a_record, a_run
from tests.contracts.test_run_sums import ACME, NOW, OTHER, TRACE, a_change, a_span
from tests.kits.gate import StillClock

pytest.importorskip("duckdb", reason="needs the extra `analytics`")
from interlock.adapters.parquet import ParquetArchive

DAY_MS = 86_400_000
NEXT_DAY = (NOW // DAY_MS + 1) * DAY_MS + 3_600_000
BEYOND = (
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('https://example.com/x.parquet')",
    "COPY (SELECT 1) TO 'x.csv'",
    "COPY spans TO '/tmp/x.csv'",
    "ATTACH 'x.db'",
    "INSTALL httpfs",
    "SET memory_limit = '100GB'",
    "PRAGMA database_list",
    "CREATE TABLE x AS SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT nothing FROM spans",
    "",
)
"""Queries that would reach beyond the archive, or write."""
MARKER = "zoe-who-wants-to-be-forgotten"


@pytest.fixture
async def spans(database_url: str) -> AsyncIterator[SqlSpanStore]:
    """An empty span store."""
    store = await open_span_store(database_url)
    yield store
    await store.close()


@pytest.fixture
def archiver(spans: SqlSpanStore, tmp_path: Path) -> Archiver:
    """An archive of `spans` in an empty folder; it is the next day."""
    files = ParquetArchive(tmp_path / "archive")
    return Archiver(MemoryStore(), spans, spans, files, "gw", StillClock(NEXT_DAY), lambda text: text)


async def rows(archiver: Archiver, sql: str, tenant: TenantId = ACME) -> list[tuple[Any, ...]]:
    return list((await archiver.query(tenant, sql, 100)).rows)


async def test_a_closed_day_is_archived_once_and_what_comes_late_goes_to_a_part_of_its_own(
    spans: SqlSpanStore, archiver: Archiver
) -> None:
    await spans.add(ACME, [a_span(1), a_span(2)])
    await spans.add(OTHER, [a_span(1)])
    await spans.add(ACME, [a_span(1, trace=b"\x07" * 16, start_ns=NEXT_DAY * 10**6, end_ns=NEXT_DAY * 10**6)])

    first = await archiver.write()
    assert [(one.tenant, one.number, one.runs, one.spans) for one in first] == [(ACME, 1, 1, 2), (OTHER, 1, 1, 1)]
    assert await archiver.write() == ()

    await spans.add(ACME, [a_span(2), a_span(3, model="late")])
    assert [(one.number, one.spans) for one in await archiver.write()] == [(2, 1)]

    found = await rows(archiver, "SELECT span_id, attributes->>'$.\"input.value\"' FROM spans ORDER BY 1")
    assert found == [(f"{number:016x}", "what the model was told") for number in (1, 2, 3)]
    assert await rows(archiver, "SELECT spans, trace_id FROM runs") == [(3, TRACE.hex())]


async def test_a_day_is_closed_an_hour_after_midnight(spans: SqlSpanStore, archiver: Archiver) -> None:
    await spans.add(ACME, [a_span(1)])
    archiver.clock.time = NEXT_DAY - 1  # type: ignore[attr-defined]
    assert await archiver.write() == ()
    archiver.clock.time = NEXT_DAY  # type: ignore[attr-defined]
    assert len(await archiver.write()) == 1


async def test_our_own_spans_of_a_run_are_archived_when_it_has_ended(spans: SqlSpanStore, archiver: Archiver) -> None:
    run = a_run(opened_at=NOW)
    await archiver.store.transact(lambda tx: tx.runs.open(run))
    await archiver.store.transact(lambda tx: tx.calls.insert(a_record()))
    change = a_change(run.id, trace=bytes.fromhex(run.trace) if run.trace else b"")
    await spans.follow("sums", 0, 1, [change])
    assert await archiver.write() == ()

    await spans.follow("sums", 1, 2, [change._replace(state="closed", ended_at=NOW + 5, outcome="succeeded")])
    (part,) = await archiver.write()

    assert part.spans >= 2
    found = await rows(archiver, "SELECT source, category FROM spans WHERE category IN ('agent', 'tool') ORDER BY 2")
    assert found == [("interlock", "agent"), ("interlock", "tool")]
    assert await rows(archiver, "SELECT outcome, workflow FROM runs") == [("succeeded", "refunds")]


async def test_a_part_that_was_not_noted_is_written_again_in_its_place(spans: SqlSpanStore, archiver: Archiver) -> None:
    await spans.add(ACME, [a_span(1)])
    ((tenant, day),) = await spans.due(NEXT_DAY // DAY_MS, NEXT_DAY)
    number, due = await spans.begin(tenant, day, NEXT_DAY, 10)
    part = archiver.files.part(tenant, day, number)
    (fresh,) = await spans.fresh_spans(tenant, due)
    part.spans(due[0].sums, fresh.spans, fresh.users)
    part.sums(due[0].sums)
    part.finish()

    await spans.add(ACME, [a_span(2)])
    assert [(one.number, one.spans) for one in await archiver.write()] == [(1, 2)]
    assert await rows(archiver, "SELECT count(*) FROM spans") == [(2,)]


async def test_a_query_reads_the_archive_and_nothing_else(spans: SqlSpanStore, archiver: Archiver) -> None:
    await spans.add(ACME, [a_span(1)])
    await archiver.write()
    for sql in BEYOND:
        with pytest.raises(BadInput):
            await archiver.query(ACME, sql, 10)
    assert await rows(archiver, "SELECT count(*) FROM spans") == [(1,)]


async def test_a_tenant_sees_no_other_tenants_files(spans: SqlSpanStore, archiver: Archiver, tmp_path: Path) -> None:
    await spans.add(ACME, [a_span(1)])
    await spans.add(OTHER, [a_span(1), a_span(2)])
    await archiver.write()

    assert await rows(archiver, "SELECT count(*) FROM spans") == [(1,)]
    others = next((tmp_path / "archive" / "other").glob("*/spans-1.parquet"))
    with pytest.raises(BadInput):
        await archiver.query(ACME, f"SELECT * FROM read_parquet('{others}')", 10)
    with pytest.raises(BadInput):
        await archiver.query(TenantId("../acme"), "SELECT 1 FROM spans", 10)


async def test_of_an_erased_user_no_byte_is_left_in_the_files(
    spans: SqlSpanStore, archiver: Archiver, tmp_path: Path
) -> None:
    await spans.add(ACME, [a_span(1), a_span(2, user=MARKER, name=MARKER)])
    await spans.add(ACME, [a_span(1, trace=b"\x07" * 16, user=MARKER, run=MARKER)])
    await spans.add(ACME, [a_span(1, trace=b"\x08" * 16, user="uma")])
    await spans.follow("sums", 0, 1, [a_change("r9", trace=b"\x09" * 16, user="ben", state="closed", ended_at=NOW)])
    await spans.add(ACME, [a_span(1, trace=b"\x09" * 16, user="")])
    await archiver.write()

    erased = await archiver.erase(ACME, user=MARKER)
    by_run = await archiver.erase(ACME, runs=(RunId("r9"),))

    assert (erased, by_run) == (3, 1)
    names = await rows(archiver, "SELECT user_id, count(*) FROM runs GROUP BY 1 ORDER BY 1")
    assert MARKER not in str(names)
    assert await rows(archiver, "SELECT count(*) FROM spans WHERE trace_id = '" + "08" * 16 + "'") == [(1,)]
    held = [
        file for file in (tmp_path / "archive").rglob("*") if file.is_file() and MARKER.encode() in file.read_bytes()
    ]
    assert held == []
    assert await archiver.erase(ACME, user=MARKER) == 0


async def test_old_days_go_but_for_what_is_held(spans: SqlSpanStore, archiver: Archiver, tmp_path: Path) -> None:
    await spans.add(ACME, [a_span(1)])
    await spans.follow("sums", 0, 1, [a_change("held", trace=b"\x09" * 16, state="closed", ended_at=NOW)])
    await spans.add(ACME, [a_span(1, trace=b"\x09" * 16)])
    await archiver.write()

    assert await archiver.expire(ACME, (NOW // DAY_MS + 1) * DAY_MS - 1) == 0
    assert await archiver.expire(ACME, NEXT_DAY, frozenset({"held"})) == 0
    assert await rows(archiver, "SELECT DISTINCT run FROM spans") == [("held",)]
    assert await archiver.expire(ACME, NEXT_DAY) == 2
    assert list((tmp_path / "archive" / "acme").iterdir()) == []


async def test_a_file_that_was_damaged_is_told_in_words_and_ends_nothing(
    spans: SqlSpanStore, archiver: Archiver, tmp_path: Path
) -> None:
    await spans.add(ACME, [a_span(1, user=MARKER)])
    await archiver.write()
    for file in (tmp_path / "archive").rglob("*.parquet"):
        file.write_bytes(b"PAR1 is what it was")
    for wanted in (archiver.erase(ACME, user=MARKER), archiver.query(ACME, "SELECT * FROM spans", 1)):
        with pytest.raises(StoreUnavailable, match="archive cannot be read"):
            await wanted


async def test_a_query_that_takes_too_long_is_ended(
    spans: SqlSpanStore, archiver: Archiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.adapters.parquet.archive.QUERY_S", 0.2)
    await spans.add(ACME, [a_span(1)])
    await archiver.write()
    with pytest.raises(BadInput, match="takes too long"):
        await archiver.query(ACME, "SELECT count(*) FROM range(10000000000) a WHERE hash(a.range) = 1", 1)
