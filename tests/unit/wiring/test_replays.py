"""Replay a run from its record, fork it, and make the releases of the past again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.adapters.memory import MemoryStore
from interlock.domain.approvals import Verdict
from interlock.domain.audit import AuditKind
from interlock.domain.brakes import BrakeTarget
from interlock.domain.calls import CallKey, CallStatus
from interlock.domain.canonical import canonical_json
from interlock.domain.errors import BadInput, ConfigurationError, Conflict, Forbidden
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import CallId, PrincipalId, RunId, ToolName
from interlock.gateway.archive import SUBJECT
from interlock.gateway.replay.exact import Derivation
from interlock.gateway.replay.forking import FORKED_FROM
from interlock.gateway.requests import CallRequest
from interlock.gateway.store import Store, Tx
from interlock.wiring.releases import archived
from tests.kits.gate import StillClock
from tests.kits.past import (
    BOT,
    BUSY,
    LARGE,
    MAIL,
    OLGA,
    READ,
    REFUND,
    TENANT,
    Story,
    Told,
    a_shop,
    play,
    records,
    with_rules,
    write,
)

FEW_CALLS = {"agents/refunds.yaml": lambda file: file["budgets"].update(max_tool_calls=4)}
BACKEND = Principal(PrincipalId("host"), TENANT, frozenset({Role.AGENT}), BOT.agent)


async def test_every_decision_comes_out_byte_for_byte(tmp_path: Path) -> None:
    folder, clock, store = write(tmp_path, with_rules(FEW_CALLS)), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        calls = await play(shop, clock, "r1", BUSY)
        found = await shop.desks.replays.replay(OLGA, RunId("r1"))

    assert {one.status for one in calls} >= {CallStatus.SUCCEEDED, CallStatus.DENIED}
    # Two of the calls were decided twice: before and after a person said yes.
    assert (found.count(Derivation.SAME), found.count(Derivation.DIFFERENT), found.count(Derivation.UNKNOWN)) == (
        11,
        0,
        0,
    )
    assert [one.text for one in found.moments][:2] == [
        "opened by bot for refunds",
        "read_order: allow (agent.allowlist)",
    ]


async def test_rules_of_today_do_not_change_what_was_decided(tmp_path: Path) -> None:
    """Files, pins and brakes may change: a decision is derived under the release that it was made under."""
    folder, clock, store = write(tmp_path), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        await play(shop, clock, "r1", BUSY)
        brake = await shop.desks.brakes.on(OLGA, BrakeTarget.WRITES, "", reason="drill", for_ms=3_600_000)
        await play(shop, clock, "r2", Story((READ, REFUND)))
        first = await archived(store, TENANT)
    write(folder, with_rules({**FEW_CALLS, "contracts.yaml": lambda file: file["tools"][1].update(tier=4)}))
    async with a_shop(folder, clock, store) as shop:
        await shop.desks.brakes.off(OLGA, brake.id)
        await play(shop, clock, "r3", BUSY)
        latest = await archived(store, TENANT)
        for run in ("r1", "r2", "r3"):
            found = await shop.desks.replays.replay(OLGA, RunId(run))
            assert found.count(Derivation.SAME) == sum(one.derivation is not None for one in found.moments), run
        said = {one.extras["release"] for run in ("r1", "r2", "r3") for one in await records(shop, run)}

    assert said == {first.release.id, latest.release.id}
    assert first.release.id != latest.release.id


async def test_a_record_that_was_changed_comes_out_differently(tmp_path: Path) -> None:
    folder, clock, store = write(tmp_path), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        calls = await play(shop, clock, "r1", Story((READ, REFUND)))
        forged = {**calls[1].decision, "findings": [{**calls[1].decision["findings"][0], "reason": "Because."}]}

        def forge(tx: Tx) -> None:
            changed = replace(calls[1], decision=forged)
            assert tx.calls.advance(changed, since=changed.status, attempt=changed.attempt)

        await store.transact(forge)
        found = await shop.desks.replays.replay(OLGA, RunId("r1"))

    assert found.count(Derivation.DIFFERENT) == 1
    assert next(one for one in found.moments if one.derivation is Derivation.DIFFERENT).why


async def test_a_release_is_archived_once_with_its_event_and_made_again_from_nothing_else(tmp_path: Path) -> None:
    folder, clock, store = write(tmp_path), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        current = shop.desks.publisher.current()
        await shop.desks.publisher.refresh()
        assert shop.desks.publisher.current().id == current.id
    async with a_shop(folder, clock, store) as shop:
        assert shop.desks.publisher.current().id == current.id
    events = await store.read(lambda tx: tx.audit.search(TENANT, subject=SUBJECT, limit=9))
    assert [event.kind for event in events] == [AuditKind.POLICY_PUBLISHED]
    assert sorted(events[0].body["files"]) == ["agents/refunds.yaml", "contracts.yaml", "interlock.yaml"]
    for file in folder.rglob("*.yaml"):
        file.unlink()

    again = (await archived(store, TENANT, current.id[:12])).made()

    assert again.id == current.id
    assert again.catalogue.contracts == current.catalogue.contracts
    assert again.limits == current.limits
    assert {name: one.version for name, one in again.agents.items()} == {
        name: one.version for name, one in current.agents.items()
    }


async def test_a_release_that_comes_back_is_published_anew(tmp_path: Path) -> None:
    folder, clock, store = tmp_path, StillClock(), MemoryStore()
    for files in (with_rules({}), with_rules(FEW_CALLS), with_rules({})):
        write(folder, files)
        async with a_shop(folder, clock, store):
            clock.time += 1_000
    events = await store.read(lambda tx: tx.audit.search(TENANT, subject=SUBJECT, limit=9))

    assert [event.subject for event in events] == [events[0].subject, events[1].subject, events[0].subject]
    assert events[0].subject != events[1].subject


async def test_a_part_that_was_changed_makes_no_release(tmp_path: Path) -> None:
    folder, store = write(tmp_path), MemoryStore()
    async with a_shop(folder, StillClock(), store):
        pass
    found = await archived(store, TENANT)
    name = found.release.manifest["files"]["interlock.yaml"]
    found.parts[name] = found.parts[name].replace(b"300", b"900")

    with pytest.raises(ConfigurationError, match="missing or changed"):
        found.made()


async def _propose(shop: Any, run: str, call: str, told: Told) -> Any:
    request = CallRequest(BOT, RunId(run), ToolName(told.tool), told.arguments, CallId(call))
    return await shop.desks.gate.call(request)


async def test_a_fork_has_seen_and_done_what_came_before_and_repeats_no_effect(tmp_path: Path) -> None:
    folder, clock, store = write(tmp_path, with_rules({"agents/refunds.yaml": _counting})), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        await play(shop, clock, "r1", Story((READ, REFUND, LARGE, MAIL)))
        opened = await shop.desks.replays.fork(OLGA, RunId("r1"), "3")
        fork = opened.run
        assert opened.token
        assert dict(fork.labels)[FORKED_FROM] == "r1"
        copied = await records(shop, fork.id)
        assert [(one.call.key.call, one.status) for one in copied] == [("c1", "succeeded"), ("c2", "succeeded")]
        # Under its id a call answers from the record; it counts against the fork's own cap of four.
        again = await _propose(shop, fork.id, "c2", REFUND)
        assert again.status is CallStatus.SUCCEEDED
        assert again.result == (await _first(store, "r1", "c2")).result
        assert [(await _propose(shop, fork.id, f"n{n}", READ)).status.value for n in range(3)] == [
            "succeeded",
            "succeeded",
            "denied",
        ]
        evidence = await store.read(lambda tx: tx.evidence.since(TENANT, fork.id, 0))
        events = await store.read(lambda tx: tx.audit.search(TENANT, subject=str(fork.id), limit=9))

    assert [row.kind for row, _ in evidence][:3] == ["user", "tool_result", "tool_result"]
    assert AuditKind.RUN_FORKED in {event.kind for event in events}
    assert canonical_json(copied[1].decision) == canonical_json((await _first(store, "r1", "c2")).decision)


def _counting(file: dict[str, Any]) -> None:
    file["budgets"]["max_tool_calls"] = 4


async def _first(store: Store, run: str, call: str) -> Any:
    return await store.read(lambda tx: tx.calls.find(CallKey(TENANT, RunId(run), CallId(call))))


async def test_a_fork_needs_a_step_that_there_is_and_calls_that_have_ended(tmp_path: Path) -> None:
    folder, clock = write(tmp_path), StillClock()
    async with a_shop(folder, clock, MemoryStore()) as shop:
        await play(shop, clock, "r1", Story((READ, replace(LARGE, answer=None), READ)))
        desk = shop.desks.replays
        for step in ("0", "9", "nope"):
            with pytest.raises(BadInput, match="no step"):
                await desk.fork(OLGA, RunId("r1"), step)
        with pytest.raises(Conflict, match="pending"):
            await desk.fork(OLGA, RunId("r1"), "3")
        assert (await desk.fork(BACKEND, RunId("r1"), "c2")).run.agent == BOT.agent
        with pytest.raises(Forbidden):
            await desk.fork(replace(OLGA, roles=frozenset({Role.AUDITOR})), RunId("r1"), "2")


async def test_near_misses_are_listed_and_stand_in_the_trail(tmp_path: Path) -> None:
    folder, clock, store = write(tmp_path), StillClock(), MemoryStore()
    async with a_shop(folder, clock, store) as shop:
        await play(shop, clock, "r1", Story((READ, REFUND, LARGE, replace(LARGE, answer=Verdict.DENY))))
        found = await shop.desks.replays.near_misses(OLGA, 0, 10)
        later = await shop.desks.replays.near_misses(OLGA, clock.time + 1, 10)
        events = await store.read(lambda tx: tx.audit.search(TENANT, subject=f"{TENANT}/r1/", limit=20))
    near = {event.subject: event.body["near"] for event in events if "near" in event.body}

    assert [(one.record.call.key.call, [each["rule"] for each in one.near]) for one in found] == [
        ("c3", ["config:cap"]),
        ("c2", ["config:cap"]),
    ]
    assert later == ()
    assert near == {
        f"{TENANT}/r1/c2": [{"kind": "cap", "margin": 2, "rule": "config:cap"}],
        f"{TENANT}/r1/c3": [{"kind": "approved", "margin": 0, "rule": "config:cap"}],
    }
    assert all(event.body["release"] for event in events if event.kind is AuditKind.CALL_DECIDED)
