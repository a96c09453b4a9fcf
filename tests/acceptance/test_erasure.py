"""What is erased is gone from every byte that is kept, and the log proves what it proved before."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from interlock.adapters.keys import GivenKey
from interlock.adapters.parquet.archive import ParquetArchive
from interlock.adapters.sql import open_store
from interlock.adapters.sql.opening import SealedStore
from interlock.adapters.sql.traces.opening import beside, open_span_store
from interlock.audit.notes import VerifierKey
from interlock.audit.verifying import Outcome, verify
from interlock.budgets.charges import budget_key, model_spender
from interlock.domain.approvals import Verdict
from interlock.domain.audit import AuditKind
from interlock.domain.budgets import Charge, Limit, Measure, Scope, Window
from interlock.domain.calls import CallStatus
from interlock.domain.errors import Erased
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import ModelCallId, PrincipalId, RunId, UserId
from interlock.domain.runs import RunOutcome
from interlock.gateway.audit_desk import AuditDesk
from interlock.gateway.erasure import Eraser, ErasureReport
from interlock.gateway.keeping_desk import KeepingDesk
from interlock.gateway.retention import Retention, Times
from interlock.gateway.run_desk import Opening
from interlock.gateway.span_archive import Archiver
from interlock.gateway.store import Tx
from interlock.gateway.trail import run_event
from interlock.models.ports import CachedReply
from interlock.runs.ports import CallFilter
from interlock.traces.ports import SpanRow, SpanStore
from tests.contracts.model_samples import a_model_record
from tests.kits.api import an_audit_desk
from tests.kits.gate import AGENT, ANNA, TENANT, Kit, a_kit

ADMIN = Principal(PrincipalId("ada"), TENANT, frozenset({Role.ADMIN}))
USER, WORDS, NEIGHBOUR = "zaphod-b-77", "Magrathea-rebuilds", "arthur-d-42"
DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Place:
    """A gate with everything that keeps: the journal, the log over it, the spans."""

    kit: Kit
    store: SealedStore
    spans: SpanStore
    archive: Archiver
    audit: AuditDesk
    keeping: KeepingDesk
    keys: tuple[VerifierKey, ...]


@asynccontextmanager
async def a_place(url: str, folder: Path) -> AsyncIterator[Place]:
    store = await open_store(url, GivenKey(b"k" * 32))
    assert isinstance(store, SealedStore)
    spans = await open_span_store(beside(url), store.vault, store.prepare)
    try:
        kit = await a_kit(store=store)
        audit = an_audit_desk(store, folder, kit.clock)
        times = {TENANT: Times(30 * DAY, 30 * DAY, 30 * DAY)}
        files = ParquetArchive(folder / "archive")
        archive = Archiver(store, spans, spans, files, "gw-1", kit.clock, lambda text: text)
        eraser = Eraser(store, kit.clock, spans, archive)
        retention = Retention(store, kit.clock, times, spans, archive)
        keeping = KeepingDesk(store, kit.clock, eraser, retention, store, spans)
        await audit.sign(ADMIN)
        yield Place(kit, store, spans, archive, audit, keeping, await audit.verifiers())
    finally:
        await spans.close()
        await store.close()


async def a_piece_of_work(place: Place, user: str, words: str) -> RunId:
    """Do everything that leaves words of a user somewhere, and end the run."""
    kit = place.kit
    opened = await kit.runs.open(
        AGENT,
        Opening(
            user=UserId(user),
            identity={"id": user, "mail": f"{words}@example.org"},
            instruction=f"Help me, {words}.",
            labels=(("case", words),),
        ),
    )
    kit.run = run = opened.run.id
    await kit.call("orders.read", "c1", order_id=words)
    await kit.call("notes.add", "c2", text=words * 4_000)
    held = await kit.call("mail.send", "c3", to=[f"{words}@example.com"], body=words)
    assert held.approval is not None, held
    await kit.approvals.answer(ANNA, held.approval, Verdict.DENY, f"no, {words}")
    record = a_model_record(f"mc-{run}", call={"tenant": TENANT, "run": run, "user": user, "labels": (("c", words),)})
    alone = replace(record.call, id=ModelCallId(f"alone-{run}"), run=None)
    limit = Limit("day", Measure.CALLS, Scope.USER, 9, Window.DAY)
    budget = budget_key(model_spender(record.call), "agent:refunds", limit, kit.clock.now())

    def work(tx: Tx) -> None:
        tx.models.add(record, replace(record, call=alone))
        tx.models.keep(TENANT, CachedReply(f"key-{run}", "", words.encode(), 1 << 50, b"", user, run))
        tx.budgets.reserve(f"{run}/m", (Charge(budget, limit, 2),), 1)
        tx.budgets.settle(f"{run}/m", lambda charge: charge.amount, 1)

    await place.store.transact(work)
    await place.spans.add(TENANT, [_span(run, user, words)])
    await kit.runs.close(AGENT, run, outcome=RunOutcome.SUCCEEDED)
    return run


_numbers = itertools.count(1)


def _span(run: RunId, user: str, words: str) -> SpanRow:
    number = next(_numbers)
    text = words.encode() * 100
    return SpanRow(
        number.to_bytes(16, "big"), number.to_bytes(8, "big"), None, "chat", "model", "client", "unset", 10**18, 10**18 + 9,
        run, "refunds", user, "gpt", 1, 1, 1, b'{"words":"' + words.encode() + b'"}', (("input", bytes(32), text),),
    )  # fmt: skip


def kept_bytes(url: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of the databases, byte for byte."""
    if url.startswith("sqlite"):
        for file in sorted(folder.glob("*.db*")):
            yield file.name, file.read_bytes()
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CHECKPOINT")
        relations = "SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relkind IN ('r', 'i', 't') AND relfilenode > 0"
        for name, path in server.execute(relations).fetchall():
            [(content,)] = server.execute("SELECT pg_read_binary_file(%s)", [path]).fetchall()
            yield name, bytes(content)


def found_in(url: str, folder: Path, *words: str) -> set[str]:
    return {name for name, content in kept_bytes(url, folder) for word in words if word.encode() in content}


async def archived(place: Place) -> str:
    """Return everything that the Parquet files hold."""
    told = [await place.archive.query(TENANT, f"SELECT * FROM {kind}", 10_000) for kind in ("spans", "runs")]
    return str([answer.rows for answer in told])


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kept.db'}"
    return str(request.getfixturevalue("postgres_dsn"))


async def test_nothing_of_an_erased_user_is_left_and_every_proof_verifies(url: str, tmp_path: Path) -> None:
    async with a_place(url, tmp_path) as place:
        run = await a_piece_of_work(place, USER, WORDS)
        other = await a_piece_of_work(place, NEIGHBOUR, "So-long")
        note = await place.audit.sign(ADMIN)
        proofs = [one.proof for one in await place.audit.prove(ADMIN, run)]
        assert len(proofs) > 4
        assert found_in(url, tmp_path, USER), "the test looks in the wrong place"
        assert not found_in(url, tmp_path, WORDS), "words stand in a database in the clear"

        await place.archive.write()
        assert USER in await archived(place)

        report = await place.keeping.erase(ADMIN, user=USER, because=f"{USER} asked")
        assert (report.runs, report.erased.spans, report.erased.approvals) == ((run,), 1, 1)
        assert report.erased.archived > 0
        await place.keeping.compact(ADMIN)

        assert not found_in(url, tmp_path, USER, WORDS)
        assert found_in(url, tmp_path, NEIGHBOUR)
        left = await archived(place)
        assert (USER in left, WORDS in left, NEIGHBOUR in left) == (False, False, True)
        await _the_log_is_whole(place, tmp_path, [note], report)
        for proof in proofs:
            assert proof.leaf is not None
            proof.verify(proof.leaf, list(place.keys))
        calls = await place.store.read(lambda tx: tx.calls.search(_of(other)))
        assert calls
        assert not any(call.erased for call in calls)
        assert not (await place.keeping.erase(ADMIN, user=USER)).runs


async def test_the_audit_log_outlives_the_keys_of_what_it_is_about(url: str, tmp_path: Path) -> None:
    async with a_place(url, tmp_path) as place:
        run = await a_piece_of_work(place, USER, WORDS)
        note = await place.audit.sign(ADMIN)
        assert await place.keeping.destroy(ADMIN, TENANT, "the contract has ended") == 1
        assert all(call.erased for call in await place.store.read(lambda tx: tx.calls.search(_of(run))))
        await _the_log_is_whole(place, tmp_path, [note], None)
        await a_piece_of_work(place, NEIGHBOUR, "So-long")


async def test_a_call_whose_outcome_is_gone_is_not_made_again_and_a_run_without_a_past_writes_nothing(
    url: str, tmp_path: Path
) -> None:
    async with a_place(url, tmp_path) as place:
        await place.kit.open("Tell ann@example.com.")
        await place.kit.call("notes.add", "c1", text=WORDS)
        effects = list(place.kit.shop.effects)
        await place.keeping.destroy(ADMIN, TENANT, "the contract has ended")
        fresh = await a_kit(store=place.store, shop=place.kit.shop, owner="gw-2", clock=place.kit.clock)
        fresh.run = place.kit.run
        for kit in (place.kit, fresh):
            with pytest.raises(Erased):
                await kit.call("notes.add", "c1", text=WORDS)
        with pytest.raises(Erased):
            await fresh.call("notes.add", "c2", text="more")
        assert place.kit.shop.effects == effects
        await fresh.open()
        assert (await fresh.call("notes.add", "c1", text="anew")).status is CallStatus.SUCCEEDED


async def test_what_has_expired_is_gone_and_proved(url: str, tmp_path: Path) -> None:
    async with a_place(url, tmp_path) as place:
        run = await a_piece_of_work(place, USER, WORDS)
        note = await place.audit.sign(ADMIN)
        place.kit.clock.time += 31 * DAY
        await place.keeping.sweep()
        calls = await place.store.read(lambda tx: tx.calls.search(_of(run)))
        assert calls
        assert all(call.erased for call in calls)
        assert await place.store.read(lambda tx: tx.keeping.runs_of(TENANT, USER)) == (run,)
        await _the_log_is_whole(place, tmp_path, [note], None)


def _of(run: RunId) -> CallFilter:
    return CallFilter(tenant=TENANT, run=run)


async def _the_log_is_whole(place: Place, folder: Path, kept: list[bytes], report: ErasureReport | None) -> None:
    """Verify the whole log and every record against it; nothing in it names who was erased."""
    await place.audit.sign(ADMIN)
    archive = folder / "audit.zip"
    archive.write_bytes(b"".join([chunk async for chunk in await place.audit.export_chunks(ADMIN)]))
    assert verify(archive, keys=[str(key) for key in place.keys], kept=kept).outcome is Outcome.INTACT
    records = await place.audit.check_records(ADMIN)
    assert not records.findings, records
    assert records.erased > 0
    if report is not None:
        entries = await place.store.read(lambda tx: tx.log.entries(0, 10_000))
        assert not any(USER.encode() in entry.leaf or WORDS.encode() in entry.leaf for entry in entries)
        assert any(report.id.encode() in entry.leaf for entry in entries)


async def test_runs_of_versions_that_committed_to_no_words_do_not_pass_for_emptied_ones(
    url: str, tmp_path: Path
) -> None:
    async with a_place(url, tmp_path) as place:
        run = await a_piece_of_work(place, USER, WORDS)

        def as_before(tx: Tx) -> None:
            known = tx.runs.find(TENANT, run)
            assert known is not None
            old = replace(known, id=RunId("old"), labels=(), salt=b"")
            tx.runs.open(old)
            body: dict[str, object] = {"deadline": old.deadline, "labels": {}, "token": "tok_1"}
            tx.audit.append(run_event(AuditKind.RUN_OPENED, old, old.opened_at, old.principal, body))
            tx.audit.append(run_event(AuditKind.INSTRUCTION_ADDED, old, old.opened_at, old.principal, {"seq": 1}))

        await place.store.transact(as_before)
        await place.audit.sign(ADMIN)
        assert not (await place.audit.check_records(ADMIN)).findings


async def test_a_record_that_somebody_emptied_does_not_pass_for_an_erased_one(url: str, tmp_path: Path) -> None:
    async with a_place(url, tmp_path) as place:
        run = await a_piece_of_work(place, USER, WORDS)
        await place.audit.sign(ADMIN)
        assert not (await place.audit.check_records(ADMIN)).findings
        await place.store.transact(lambda tx: tx.keeping.erase_run(TENANT, run, 1, identity=True))
        found = {one.what for one in (await place.audit.check_records(ADMIN)).findings}
        assert found == {"its words are gone, and the log tells of no erasure"}
