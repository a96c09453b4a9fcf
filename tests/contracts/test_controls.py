"""Brakes, keys, tokens, pins and the trail, wherever they are kept."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

from interlock.adapters.sql import open_store
from interlock.domain.audit import AuditKind
from interlock.domain.brakes import BrakeTarget
from interlock.domain.ids import ToolName
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import (
    ACME,
    ANNA,
    NOW,
    OTHER,
    a_brake,
    a_charge,
    a_pin,
    a_principal,
    a_token,
    an_api_key,
    an_event,
    put_all,
)


async def test_a_brake_is_on_until_it_expires_or_is_lifted(store: Store) -> None:
    second = a_brake("brk-2", target=BrakeTarget.WRITES, name="", expires_at=NOW + 50)
    foreign = a_brake("brk-3", tenant=OTHER)
    await store.transact(lambda tx: put_all(tx.brakes.set, (a_brake(), second, foreign)))
    assert await store.transact(lambda tx: tx.brakes.active(ACME, NOW)) == (a_brake(), second)
    assert await store.read(lambda tx: tx.brakes.active(ACME, NOW + 50)) == (a_brake(),)
    assert not await store.transact(lambda tx: tx.brakes.lift(OTHER, "brk-1", by=ANNA, at=NOW + 1))
    assert await store.transact(lambda tx: tx.brakes.lift(ACME, "brk-1", by=ANNA, at=NOW + 1))
    assert not await store.transact(lambda tx: tx.brakes.lift(ACME, "brk-1", by=ANNA, at=NOW + 2))
    assert not await store.transact(lambda tx: tx.brakes.lift(ACME, "brk-2", by=ANNA, at=NOW + 50))
    lifted = replace(a_brake(), lifted_at=NOW + 1, lifted_by=ANNA)
    assert await store.read(lambda tx: tx.brakes.history(ACME, 9)) == (second, lifted)
    assert await store.read(lambda tx: tx.brakes.history(ACME, 1)) == (second,)


async def test_after_a_brake_commits_nothing_is_admitted_that_did_not_see_it(database_url: str) -> None:
    """INVARIANT I6, with an admission that read the brakes just before and takes its time."""
    store = await open_store(database_url)
    read_brakes = threading.Event()
    order: list[str] = []

    def admission(tx: Tx) -> None:
        assert tx.brakes.active(ACME, NOW) == ()
        read_brakes.set()
        time.sleep(0.2)
        tx.budgets.reserve("acme/run/call", (a_charge(1),), NOW)
        # Inside the transactions: which of two threads is heard of first after its commit is for the system to decide.
        order.append("admitted")

    def braking(tx: Tx) -> None:
        tx.brakes.set(a_brake())
        order.append("braked")

    async def admit() -> None:
        await store.transact(admission)

    async def brake() -> None:
        await store.transact(braking)

    async def unrelated() -> None:
        await store.transact(lambda tx: tx.brakes.active(OTHER, NOW))

    admitting = asyncio.ensure_future(admit())
    await asyncio.to_thread(read_brakes.wait, 10)
    await asyncio.gather(brake(), unrelated(), admitting)
    assert order == ["admitted", "braked"]
    assert await store.transact(lambda tx: tx.brakes.active(ACME, NOW)) == (a_brake(),)
    await store.close()


async def test_a_key_is_found_by_its_hash_until_it_is_gone_for_good(store: Store) -> None:
    second = an_api_key("key-2", principal=a_principal(agent=None, scope=None, roles=frozenset()), expires_at=None)
    foreign = an_api_key("key-3", principal=a_principal(tenant=OTHER, scope=None))
    await store.transact(lambda tx: put_all(tx.identities.add_key, (an_api_key(), second, foreign)))
    assert await store.read(lambda tx: tx.identities.find_key("hash of key-1")) == an_api_key()
    assert await store.read(lambda tx: tx.identities.find_key("hash of key-9")) is None
    assert await store.read(lambda tx: tx.identities.keys(ACME)) == (second, an_api_key())
    assert not await store.transact(lambda tx: tx.identities.revoke_key(OTHER, "key-1", NOW))
    assert await store.transact(lambda tx: tx.identities.revoke_key(ACME, "key-1", NOW))
    assert not await store.transact(lambda tx: tx.identities.revoke_key(ACME, "key-1", NOW + 1))
    assert await store.read(lambda tx: tx.identities.find_key("hash of key-1")) == an_api_key(revoked_at=NOW)


async def test_revoking_a_token_revokes_all_below_it_and_nothing_beside_it(store: Store) -> None:
    tokens = (
        a_token("a", path="a"),
        a_token("b", path="a/b", parent="a", tools=None),
        a_token("c", path="a/b/c", parent="b", tools=frozenset()),
        a_token("bb", path="a/bb", parent="a"),
        a_token("a0", path="a0"),
    )
    await store.transact(lambda tx: put_all(tx.identities.add_token, tokens))

    def found(tx: Tx) -> tuple[object, ...]:
        return tuple(tx.identities.find_token(token.hash) for token in tokens)

    assert await store.read(found) == tokens
    assert await store.transact(lambda tx: tx.identities.revoke_tokens("a/b", NOW)) == 2
    assert await store.transact(lambda tx: tx.identities.revoke_tokens("a/b", NOW + 1)) == 0
    assert await store.transact(lambda tx: tx.identities.renew_token("bb", NOW + 9_999))
    assert not await store.transact(lambda tx: tx.identities.renew_token("c", NOW + 9_999))
    assert not await store.transact(lambda tx: tx.identities.renew_token("zz", NOW + 9_999))
    assert await store.read(found) == (
        tokens[0],
        replace(tokens[1], revoked_at=NOW),
        replace(tokens[2], revoked_at=NOW),
        replace(tokens[3], expires_at=NOW + 9_999),
        tokens[4],
    )


async def test_a_pin_replaces_the_one_before(store: Store) -> None:
    newer = a_pin(surface_hash="t" * 64, surface={"name": "refund"}, pinned_at=NOW + 1, pinned_by="anna")
    await store.transact(lambda tx: put_all(tx.pins.put, (a_pin(), a_pin("lookup"), newer)))
    assert await store.read(lambda tx: tx.pins.find(ToolName("refund"))) == newer
    assert await store.read(lambda tx: tx.pins.find(ToolName("absent"))) is None
    assert await store.read(lambda tx: tx.pins.all()) == (a_pin("lookup"), newer)


async def test_the_trail_gives_back_what_was_added_newest_first(store: Store) -> None:
    second = an_event("evt-2", kind=AuditKind.CALL_SETTLED, subject="acme/run-1/call-2", body={})
    third = an_event("evt-3", subject="acme/run-10/call-1")
    foreign = an_event("evt-4", tenant=OTHER)
    await store.transact(lambda tx: put_all(tx.audit.append, (an_event(), second, third, foreign)))

    async def trail(subject: str | None, limit: int = 9) -> list[str]:
        found = await store.read(lambda tx: tx.audit.search(ACME, subject=subject, limit=limit))
        return [event.id for event in found]

    assert await store.read(lambda tx: tx.audit.search(ACME, subject="acme/run-1/call-1", limit=9)) == (an_event(),)
    assert await trail(None) == ["evt-3", "evt-2", "evt-1"]
    assert await trail("acme/run-1/") == ["evt-2", "evt-1"]
    assert await trail("acme/", limit=1) == ["evt-3"]
    assert await trail("nothing") == []
