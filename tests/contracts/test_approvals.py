"""Questions to people, wherever they are kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from interlock.approvals.ports import ApprovalFilter
from interlock.domain.approvals import ApprovalState, Verdict, Vote
from interlock.domain.ids import ApprovalId, PrincipalId, RunId
from interlock.gateway.store import Store, Tx
from tests.contracts.samples import ACME, NOW, OTHER, a_key, an_approval, put_all


async def test_an_approval_comes_back_as_it_was_asked(store: Store) -> None:
    closed = an_approval(
        "apr-2", state=ApprovalState.EDITED, replaced_by=a_key("call-2"), escalated_at=NOW, votes=(), evidence=None
    )
    await store.transact(lambda tx: put_all(tx.approvals.add, (an_approval(), closed)))
    assert await store.read(lambda tx: tx.approvals.find(ApprovalId("apr-1"))) == an_approval()
    assert await store.transact(lambda tx: tx.approvals.find(ApprovalId("apr-2"))) == closed
    assert await store.read(lambda tx: tx.approvals.find(ApprovalId("apr-3"))) is None


async def test_of_many_last_words_one_counts(store: Store) -> None:
    await store.transact(lambda tx: tx.approvals.add(an_approval()))

    async def say(number: int) -> bool:
        state = ApprovalState.DENIED if number % 2 else ApprovalState.GRANTED
        vote = Vote(PrincipalId(f"p{number}"), Verdict.APPROVE, "", NOW)

        def work(tx: Tx) -> bool:
            found = tx.approvals.find(ApprovalId("apr-1"))
            assert found is not None
            changed = replace(found, state=state, votes=(*found.votes, vote))
            return tx.approvals.replace(changed, since=ApprovalState.OPEN)

        return await store.transact(work)

    won = await asyncio.gather(*(say(number) for number in range(20)))
    assert won.count(True) == 1
    kept = await store.read(lambda tx: tx.approvals.find(ApprovalId("apr-1")))
    assert kept is not None
    assert kept.votes[-1].by == f"p{won.index(True)}"


async def test_no_vote_is_lost_when_people_vote_at_once(store: Store) -> None:
    await store.transact(lambda tx: tx.approvals.add(an_approval(votes=())))

    async def vote(number: int) -> None:
        def work(tx: Tx) -> None:
            found = tx.approvals.find(ApprovalId("apr-1"))
            assert found is not None
            ballot = Vote(PrincipalId(f"p{number}"), Verdict.APPROVE, "", NOW)
            assert tx.approvals.replace(replace(found, votes=(*found.votes, ballot)), since=ApprovalState.OPEN)

        await store.transact(work)

    await asyncio.gather(*(vote(number) for number in range(20)))
    kept = await store.read(lambda tx: tx.approvals.find(ApprovalId("apr-1")))
    assert kept is not None
    assert {ballot.by for ballot in kept.votes} == {f"p{number}" for number in range(20)}


async def test_search_finds_what_is_due_the_earliest_first(store: Store) -> None:
    binding = an_approval().binding
    elsewhere = replace(binding, key=a_key("c", "run-2"))
    foreign = replace(binding, key=a_key(tenant=OTHER))

    def fill(tx: Tx) -> None:
        tx.approvals.add(an_approval("late", due_at=NOW + 300, expires_at=NOW + 400))
        tx.approvals.add(an_approval("soon", due_at=NOW + 10, expires_at=NOW + 20))
        tx.approvals.add(an_approval("told", due_at=NOW + 5, escalated_at=NOW + 6, expires_at=NOW + 500))
        tx.approvals.add(an_approval("done", due_at=NOW + 1, state=ApprovalState.USED, expires_at=NOW + 500))
        tx.approvals.add(an_approval("run2", due_at=NOW + 50, expires_at=NOW + 500, binding=elsewhere))
        tx.approvals.add(an_approval("other", due_at=NOW, expires_at=NOW + 500, binding=foreign))

    await store.transact(fill)

    async def ids(query: ApprovalFilter) -> list[str]:
        return [str(found.id) for found in await store.read(lambda tx: tx.approvals.search(query))]

    is_open = frozenset({ApprovalState.OPEN})
    assert await ids(ApprovalFilter()) == ["other", "done", "told", "soon", "run2", "late"]
    assert await ids(ApprovalFilter(ACME, states=is_open)) == ["told", "soon", "run2", "late"]
    assert await ids(ApprovalFilter(ACME, run=RunId("run-2"))) == ["run2"]
    assert await ids(ApprovalFilter(ACME, limit=2)) == ["done", "told"]
    assert await ids(ApprovalFilter(ACME, states=frozenset())) == []
    assert await ids(ApprovalFilter(states=is_open, due_before=NOW + 11)) == ["other", "soon"]
    assert await ids(ApprovalFilter(expires_before=NOW + 401)) == ["soon", "late"]
    assert await ids(ApprovalFilter(expires_before=NOW + 20)) == []
