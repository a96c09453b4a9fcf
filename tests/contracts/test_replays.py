"""Releases and the past in bulk, wherever they are kept."""

from __future__ import annotations

from dataclasses import replace

from interlock.domain.calls import ToolResult
from interlock.domain.ids import AgentId, RunId
from interlock.gateway.store import Store, Tx
from interlock.policy.releases import ArchivedRelease
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME, NOW, OTHER, a_call, a_charge, a_key, a_record, a_run

FIRST = ArchivedRelease("aa11", ACME, NOW, {"files": {"interlock.yaml": "h1"}, "tools": {}})
SECOND = ArchivedRelease("aa22", ACME, NOW + 5, {"files": {}, "tools": {"refund": ["h2", "c", "s", "p"]}})


async def test_a_release_is_kept_once_and_found_by_the_beginning_of_its_id(store: Store) -> None:
    def work(tx: Tx) -> tuple[bool, ...]:
        return (
            tx.releases.keep(FIRST, {"h1": b"one", "h2": b"two"}),
            tx.releases.keep(replace(FIRST, first_seen=NOW + 9), {"h1": b"changed"}),
            tx.releases.keep(SECOND, {"h2": b"two"}),
            tx.releases.keep(replace(SECOND, id="bb", tenant=OTHER), {}),
        )

    assert await store.transact(work) == (True, False, True, True)
    assert await store.read(lambda tx: tx.releases.find("aa11")) == FIRST
    assert await store.read(lambda tx: tx.releases.find("aa2")) == SECOND
    assert await store.read(lambda tx: (tx.releases.find("aa"), tx.releases.find("cc"), tx.releases.find(""))) == (
        None,
        None,
        None,
    )
    assert dict(await store.read(lambda tx: tx.releases.parts(["h1", "h2", "h9"]))) == {"h1": b"one", "h2": b"two"}
    assert await store.read(lambda tx: tx.releases.latest(ACME, 9)) == (SECOND, FIRST)
    assert await store.read(lambda tx: tx.releases.latest(ACME, 1)) == (SECOND,)


async def test_the_past_is_read_in_the_order_in_which_it_happened(store: Store) -> None:
    runs = [a_run(RunId(f"r{number}"), opened_at=NOW + number) for number in range(3)]
    runs.append(replace(a_run(RunId("r9"), opened_at=NOW + 1), agent=AgentId("other")))
    calls = [
        a_record(a_call(replace(a_key(f"c{number}"), run=RunId(f"r{number % 2}"))), result=ToolResult({"large": "x"}))
        for number in range(4)
    ]
    cost = a_model_record("mc-1", call={"run": RunId("r1")})

    def work(tx: Tx) -> None:
        for run in runs:
            tx.runs.open(run)
        for call in calls:
            tx.calls.insert(call)
        tx.models.add(cost, a_model_record("mc-2", call={"run": RunId("r7")}))

    await store.transact(work)
    names = (RunId("r0"), RunId("r1"))

    def ids(tx: Tx, *, agent: str | None = None) -> list[str]:
        found = tx.replays.runs(ACME, since=NOW, until=NOW + 2, agent=AgentId(agent) if agent else None)
        return [str(run) for run in found]

    assert await store.read(ids) == ["r0", "r1", "r9"]
    assert await store.read(lambda tx: ids(tx, agent="other")) == ["r9"]
    assert await store.read(lambda tx: dict(tx.replays.headers(ACME, [*names, RunId("no")]))) == {
        RunId("r0"): runs[0],
        RunId("r1"): runs[1],
    }
    assert await store.read(lambda tx: tx.replays.calls(ACME, names)) == tuple(
        replace(one, result=None) for one in calls
    )
    (found,) = await store.read(lambda tx: tx.replays.costs(ACME, names))
    assert (found.run, found.call, found.tokens, found.cost_nano_usd) == (
        RunId("r1"),
        "mc-1",
        cost.usage.total,
        cost.cost_nano_usd,
    )
    assert await store.read(lambda tx: tx.replays.calls(OTHER, names)) == ()


async def test_a_reservation_tells_what_its_budgets_stand_at(store: Store) -> None:
    def work(tx: Tx) -> list[tuple[int, int, int]]:
        found = []
        for call, amount in (("a", 30), ("a", 30), ("b", 20), ("c", 900)):
            tx.budgets.reserve(call, (a_charge(amount, maximum=100),), NOW)
            found.append(_taken(tx))
        return found

    assert await store.transact(work) == [(100, 0, 30), (0, 0, 0), (100, 0, 50), (0, 0, 0)]


def _taken(tx: Tx) -> tuple[int, int, int]:
    return next(((one.limit, one.spent, one.held) for one in tx.budgets.taken()), (0, 0, 0))
