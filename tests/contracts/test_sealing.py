"""What stands in a database is sealed under a key of its tenant, each body bound to its place."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.adapters.keys import EncryptionKeyFile, GivenKey
from interlock.adapters.sql import open_store
from interlock.adapters.sql.opening import SealedStore
from interlock.adapters.sql.seals import KeyWanted, Vault, WrappedKey, Wrapping
from interlock.domain.calls import CallStatus, ToolResult
from interlock.domain.errors import ConfigurationError, Conflict, Erased, RecordDamaged
from interlock.domain.ids import ModelCallId, RunId, TenantId
from interlock.gateway.store import Store, Tx
from interlock.models.ports import CachedReply
from interlock.runs.keeping import HoldScope, LegalHold, Resealed
from tests.contracts.conftest import KEY
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME, ANNA, NOW, OTHER, a_call, a_key, a_record, a_run, an_approval

RUN = RunId("run-1")
MARKER = "Zaphod-Beeblebrox"
COLUMNS = (
    ("calls", "proposal"),
    ("calls", "progress"),
    ("calls", "arguments"),
    ("calls", "result"),
    ("payloads", "body"),
    ("evidence", "body"),
    ("approvals", "body"),
    ("model_calls", "body"),
    ("runs", "labels"),
    ("cached_replies", "body"),
    ("legal_holds", "reason"),
)


def say(tx: Tx, *, text: str = MARKER) -> None:
    """Write `text` wherever words are kept."""
    tx.runs.open(a_run(labels=(("note", text),)))
    call = a_call(arguments={"note": text, "long": text * 5_000}, reason=text)
    tx.calls.insert(
        a_record(call, status=CallStatus.SUCCEEDED, decision={"why": text}, result=ToolResult({"told": text}))
    )
    tx.calls.insert(a_record(a_call(a_key("call-2"), arguments={"note": text}), status=CallStatus.DENIED))
    tx.evidence.append(ACME, RUN, "user", text, None)
    tx.approvals.add(an_approval(arguments={"note": text}))
    tx.models.add(a_model_record(call={"labels": (("note", text),)}))
    tx.models.keep(ACME, CachedReply("k", "p", text.encode(), NOW + 1, b"\xf5\x00\x00\x00", "u-7", RUN))
    tx.keeping.place_hold(LegalHold("hold-1", ACME, HoldScope.AGENT, "other", text, NOW, ANNA))


def told(tx: Tx) -> list[object]:
    """Return everything that `say` wrote."""
    return [
        tx.runs.find(ACME, RUN),
        tx.calls.find(a_key()),
        tx.calls.find(a_key("call-2")),
        tx.evidence.since(ACME, RUN, 0),
        tx.approvals.find(an_approval().id),
        tx.models.find(ACME, ModelCallId("mc-1")),
        tx.models.cached(ACME, "k", NOW),
        tx.models.neighbours(ACME, "p", NOW, 9),
        tx.keeping.holds(ACME),
    ]


@asynccontextmanager
async def opened(url: str, key: GivenKey | None = KEY) -> AsyncIterator[Store]:
    store = await open_store(url, key)
    try:
        yield store
    finally:
        await store.close()


def rows(url: str, sql: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
    """Run `sql` behind the store's back."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            return connection.execute(sql, tuple(values)).fetchall()
    with psycopg.connect(url, autocommit=True) as server:
        cursor = server.execute(sql.replace("?", "%s"), tuple(values))
        return cursor.fetchall() if cursor.description else []


async def test_what_was_said_stands_in_no_table_and_is_read_as_it_was(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.transact(say)
        found = await store.read(told)
        assert str(found).count(MARKER) > 5_000
        for table, column in COLUMNS:
            bodies = [bytes(body) for (body,) in rows(database_url, f"SELECT {column} FROM {table}") if body]
            assert bodies, f"{table}.{column} was not tried"
            assert all(body[0] == 0xF5 and MARKER.encode() not in body for body in bodies), f"{table}.{column}"
    async with opened(database_url) as again:
        assert await again.read(told) == found


async def test_each_tenant_has_a_key_of_its_own(database_url: str) -> None:
    async with opened(database_url) as store:
        for run in (a_run(), a_run(tenant=OTHER)):
            await store.transact(lambda tx, run=run: tx.runs.open(run))  # type: ignore[misc]
        [(ours,), (theirs,)] = rows(database_url, "SELECT labels FROM runs ORDER BY tenant")
        rows(database_url, "UPDATE runs SET labels = ? WHERE tenant = 'other'", [ours])
        assert ours != theirs
        with pytest.raises(RecordDamaged):
            await store.read(lambda tx: tx.runs.find(OTHER, RUN))


@pytest.mark.parametrize(
    ("table", "column", "read"),
    [
        ("calls", "proposal", lambda tx: tx.calls.find(a_key())),
        ("calls", "progress", lambda tx: tx.calls.find(a_key())),
        ("calls", "result", lambda tx: tx.calls.find(a_key())),
        ("payloads", "body", lambda tx: tx.calls.find(a_key())),
        ("evidence", "body", lambda tx: tx.evidence.since(ACME, RUN, 0)),
        ("approvals", "body", lambda tx: tx.approvals.find(an_approval().id)),
        ("model_calls", "body", lambda tx: tx.models.find(ACME, ModelCallId("mc-1"))),
        ("runs", "labels", lambda tx: tx.runs.find(ACME, RUN)),
        ("cached_replies", "body", lambda tx: tx.models.cached(ACME, "k", NOW)),
    ],
)
async def test_a_body_that_was_changed_moved_or_put_there_in_the_clear_is_damage(
    database_url: str, table: str, column: str, read: Callable[[Tx], object]
) -> None:
    async with opened(database_url) as store:
        await store.transact(say)
        [(body,), *_] = rows(database_url, f"SELECT {column} FROM {table} WHERE length({column}) > 0")
        [(elsewhere,)] = rows(database_url, "SELECT reason FROM legal_holds")
        body = bytes(body)
        flipped = body[:-1] + bytes((body[-1] ^ 1,))
        for forged in (
            flipped,
            body[:20],
            body[:4] + bytes(28),
            elsewhere,
            b'{"forged": true}',
            body[:1] + b"\0\0\x09" + body[4:],
        ):
            rows(database_url, f"UPDATE {table} SET {column} = ? WHERE length({column}) > 0", [forged])
            with pytest.raises(RecordDamaged):
                await store.read(read)


async def test_the_arguments_of_two_calls_cannot_be_exchanged(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.transact(say)
        rows(database_url, "UPDATE calls SET progress = (SELECT progress FROM calls WHERE call = 'call-2')")
        with pytest.raises(RecordDamaged):
            await store.read(lambda tx: tx.calls.find(a_key()))


async def test_rows_of_versions_that_sealed_nothing_are_read_and_then_sealed(database_url: str) -> None:
    async with opened(database_url, None) as store:
        await store.transact(say)
        before = await store.read(told)
    async with opened(database_url) as store:
        assert isinstance(store, SealedStore)
        plain = store.has_plain_rows
        assert plain
        assert await store.read(told) == before
        step = Resealed()
        while step.table:
            step = await store.transact(lambda tx, step=step: tx.keeping.reseal(step, 1))  # type: ignore[misc]
        assert step.sealed > 5
        await store.transact(lambda tx: tx.keeping.be_strict())
        await store.refresh()
        plain = store.has_plain_rows
        assert not plain
        for table, column in COLUMNS:
            bodies = [bytes(body) for (body,) in rows(database_url, f"SELECT {column} FROM {table}") if body]
            assert all(body[0] == 0xF5 for body in bodies), f"{table}.{column}"
        after = await store.read(told)
        assert after[:6] + after[8:] == before[:6] + before[8:]


async def test_another_key_or_none_opens_nothing_and_no_new_key_is_made(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url) as store:
        await store.transact(say)
    with pytest.raises(ConfigurationError, match="not the one"):
        await open_store(database_url, GivenKey(b"x" * 32))
    with pytest.raises(ConfigurationError, match="missing"):
        await open_store(database_url, EncryptionKeyFile(tmp_path / "state"))
    assert not (tmp_path / "state").exists()
    async with opened(database_url, None) as keyless:
        with pytest.raises(ConfigurationError, match="without its key"):
            await keyless.read(lambda tx: tx.calls.find(a_key()))
        with pytest.raises(ConfigurationError, match="without its key"):
            await keyless.transact(lambda tx: tx.runs.open(a_run("run-2")))


async def test_a_key_file_is_made_once_and_for_its_owner_only(database_url: str, tmp_path: Path) -> None:
    keys = EncryptionKeyFile(tmp_path / "state")
    for _ in range(2):
        store = await open_store(database_url, keys)
        await store.close()
    [file] = (tmp_path / "state").iterdir()
    assert (file.name, file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (
        "encryption.key",
        0o600,
        0o700,
    )
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="Others may read"):
        await open_store(database_url, keys)


async def test_a_new_key_seals_what_comes_and_opens_what_was(database_url: str) -> None:
    async with opened(database_url) as store, opened(database_url) as elsewhere:
        assert isinstance(store, SealedStore)
        await store.transact(say)
        await elsewhere.read(told)
        await store.transact(lambda tx: tx.keeping.rotate_key(ACME, NOW))
        await store.refresh()
        await store.transact(lambda tx: tx.runs.open(a_run("run-2")))
        assert [key.id for key in await store.read(lambda tx: tx.keeping.keys(ACME))] == [1, 2]
        bodies = rows(database_url, "SELECT labels FROM runs ORDER BY seq")
        assert [bytes(body)[3] for (body,) in bodies] == [1, 2]
        assert await elsewhere.read(lambda tx: tx.runs.find(ACME, RunId("run-2"))) == a_run("run-2")
        assert MARKER in str(await store.read(told))


async def test_the_wrapping_key_can_be_changed(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.transact(say)
        assert await store.transact(lambda tx: tx.keeping.rewrap_keys(b"n" * 32)) == 1
    with pytest.raises(ConfigurationError, match="not the one"):
        await open_store(database_url, KEY)
    async with opened(database_url, GivenKey(b"n" * 32)) as store:
        assert MARKER in str(await store.read(told))


async def test_with_its_key_everything_of_a_tenant_is_gone_and_work_goes_on(database_url: str) -> None:
    async with opened(database_url) as store, opened(database_url) as elsewhere:
        assert isinstance(store, SealedStore)
        assert isinstance(elsewhere, SealedStore)
        await store.transact(say)
        await store.transact(lambda tx: tx.runs.open(a_run(tenant=OTHER)))
        await elsewhere.read(told)
        with pytest.raises(Conflict, match="1 legal holds stand"):
            await store.transact(lambda tx: tx.keeping.destroy_keys(ACME, NOW))
        await store.transact(lambda tx: tx.keeping.lift_hold(ACME, "hold-1", ANNA, NOW))
        assert await store.transact(lambda tx: tx.keeping.destroy_keys(ACME, NOW)) == 1
        for one in (store, elsewhere):
            await one.refresh()
            call = await one.read(lambda tx: tx.calls.find(a_key()))
            assert call is not None
            assert (call.erased, call.status, dict(call.call.arguments), call.result) == (
                True,
                CallStatus.SUCCEEDED,
                {},
                None,
            )
            run = await one.read(lambda tx: tx.runs.find(ACME, RUN))
            assert run is not None
            assert run.labels == ()
            model_call = await one.read(lambda tx: tx.models.find(ACME, ModelCallId("mc-1")))
            assert model_call is not None
            assert model_call.erased
            assert (model_call.cost_nano_usd, model_call.usage.total) == (
                a_model_record().cost_nano_usd,
                a_model_record().usage.total,
            )
            assert await one.read(lambda tx: tx.models.cached(ACME, "k", NOW)) is None
            for read in (lambda tx: tx.evidence.since(ACME, RUN, 0), lambda tx: tx.approvals.find(an_approval().id)):
                with pytest.raises(Erased):
                    await one.read(read)
        await elsewhere.transact(lambda tx: tx.runs.open(a_run("run-2")))
        assert await store.read(lambda tx: tx.runs.find(ACME, RunId("run-2"))) == a_run("run-2")
        assert await store.read(lambda tx: tx.runs.find(OTHER, RUN)) == a_run(tenant=OTHER)


async def test_keys_are_not_destroyed_under_calls_that_are_not_settled(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.transact(lambda tx: tx.calls.insert(a_record(status=CallStatus.UNKNOWN)))
        with pytest.raises(Conflict, match="1 calls are not settled"):
            await store.transact(lambda tx: tx.keeping.destroy_keys(ACME, NOW))


def a_vault(tenant: TenantId = ACME) -> Vault:
    vault, wrapping = Vault(), Wrapping(KEY.key)
    vault.unlock(wrapping, strict=True)
    vault.admit(KeyWanted(tenant), [WrappedKey(tenant, 7, wrapping.wrap(tenant, 7, b"d" * 32), 0, None)])
    return vault


@given(st.binary(min_size=1), st.text(), st.text(), st.integers(0, 10_000), st.integers(1, 255))
def test_whatever_is_changed_nothing_is_opened(body: bytes, place: str, other: str, at: int, by: int) -> None:
    vault = a_vault()
    sealed = vault.seal(ACME, place, body)
    assert vault.open(ACME, place, sealed) == body
    assert vault.seal(ACME, place, body) != sealed
    changed = bytearray(sealed)
    changed[at % len(changed)] ^= by
    for where, forged in (
        (place, bytes(changed)),
        (place, sealed[:-1]),
        (other if other != place else place + "x", sealed),
    ):
        with pytest.raises((RecordDamaged, KeyWanted)):
            vault.open(ACME, where, forged)


def test_a_wrapped_key_of_another_tenant_is_of_no_use() -> None:
    wrapping = Wrapping(KEY.key)
    stolen = WrappedKey(OTHER, 7, wrapping.wrap(ACME, 7, b"d" * 32), 0, None)
    with pytest.raises(ConfigurationError):
        wrapping.unwrap(stolen)
