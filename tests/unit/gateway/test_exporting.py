"""Every span of Interlock's own work reaches each receiver, however long it is away and whenever a process dies."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from interlock.adapters.memory.traces import MemorySpanStore
from interlock.domain.approvals import Verdict
from interlock.domain.runs import RunOutcome
from interlock.domain.spans import Category, Span
from interlock.gateway.audit_log import Sequencer
from interlock.gateway.exporting import ExportFollower, Receiver, ReceiverAway
from interlock.gateway.own_spans import read_run
from tests.kits.gate import AGENT, ANNA, TENANT, Kit, a_kit


@dataclass(slots=True)
class Box(Receiver):
    """Takes spans, unless it is away."""

    taken: list[Span] = field(default_factory=list)
    away: ReceiverAway | None = None
    asked: int = 0

    @property
    def name(self) -> str:
        return "box"

    async def send(self, spans: Sequence[Span]) -> None:
        self.asked += 1
        if self.away is not None:
            raise self.away
        self.taken += spans

    async def close(self) -> None:
        """There is nothing to let go of."""


@dataclass(slots=True)
class Scene:
    """A gate, a store of positions, and a receiver."""

    kit: Kit
    spans: MemorySpanStore
    box: Box

    def follower(self) -> ExportFollower:
        return ExportFollower(self.kit.store, self.spans, self.box, lambda text: text, self.kit.clock)

    async def step(self, follower: ExportFollower | None = None) -> int:
        await Sequencer(self.kit.store).place()
        follower = follower or self.follower()
        return await follower.step(await self.spans.position(follower.name))


@asynccontextmanager
async def a_scene() -> AsyncIterator[Scene]:
    kit = await a_kit()
    await kit.open()
    yield Scene(kit, MemorySpanStore(), Box())


async def test_all_spans_of_a_run_arrive_once_its_work_has_ended() -> None:
    async with a_scene() as scene:
        kit = scene.kit
        await kit.call("notes.add", "c1", text="hi")
        await kit.call("payments.refund", "c2", nonsense=1)
        pending = await kit.call("mail.send", "c3", to=["a@example.org"], body="hi")
        assert pending.approval is not None

        position = await scene.step()
        assert {span.attributes.get("interlock.call") for span in scene.box.taken} == {"c1", "c2"}

        await kit.approvals.answer(ANNA, pending.approval, Verdict.APPROVE, "")
        await kit.call("mail.send", "c3", to=["a@example.org"], body="hi")
        await kit.runs.close(AGENT, kit.run, outcome=RunOutcome.SUCCEEDED)
        assert await scene.step() > position

        expected = await kit.store.read(lambda tx: read_run(tx, TENANT, kit.run))
        assert sorted(scene.box.taken, key=lambda span: span.span_id) == sorted(expected, key=lambda span: span.span_id)
        assert {span.category for span in scene.box.taken} >= {
            Category.AGENT,
            Category.TOOL,
            Category.DECISION,
            Category.APPROVAL,
            Category.EVALUATION,
        }
        assert await scene.step() == await scene.step()


async def test_a_receiver_that_is_away_loses_nothing_and_is_left_alone_as_long_as_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_scene() as scene:
        naps: list[float] = []
        now = [1_000.0]

        async def nap(seconds: float) -> None:
            naps.append(seconds)
            now[0] += seconds

        monkeypatch.setattr("interlock.gateway.exporting.asyncio.sleep", nap)
        monkeypatch.setattr("interlock.gateway.exporting.time.monotonic", lambda: now[0])
        follower = scene.follower()
        await scene.kit.call("notes.add", "c1", text="hi")
        scene.box.away = ReceiverAway("away", after_s=5)

        for _ in range(4):
            assert await scene.step(follower) == 0
        assert (scene.box.asked, naps) == (1, [2.0, 2.0, 1.0])

        scene.box.away = ReceiverAway("away")
        assert await scene.step(follower) == 0
        scene.box.away = None
        while not scene.box.taken:
            await scene.step(follower)

        assert {span.attributes.get("interlock.call") for span in scene.box.taken} == {"c1"}
        assert await scene.spans.position(follower.name) > 0


async def test_the_pauses_grow_and_never_beyond_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_scene() as scene:
        now = [1_000.0]
        monkeypatch.setattr("interlock.gateway.exporting.time.monotonic", lambda: now[0])
        follower = scene.follower()
        await scene.kit.call("notes.add", "c1", text="hi")
        scene.box.away = ReceiverAway("away")
        pauses = []
        for _ in range(20):
            await scene.step(follower)
            pauses.append(follower.waits_s)
            now[0] += follower.waits_s

        assert scene.box.asked == 20
        assert 0.5 <= pauses[0] <= 1.0
        assert all(30 <= pause <= 60 for pause in pauses[8:])


async def test_a_process_that_died_before_it_noted_its_position_sends_again() -> None:
    async with a_scene() as scene:
        await scene.kit.call("notes.add", "c1", text="hi")
        dying = ExportFollower(scene.kit.store, _Dying(scene.spans), scene.box, lambda text: text, scene.kit.clock)
        with pytest.raises(ConnectionError):
            await scene.step(dying)
        sent = len(scene.box.taken)

        await scene.step()

        assert scene.box.taken[:sent] == scene.box.taken[sent:]


async def test_a_new_receiver_gets_the_last_hour_and_not_all_of_history() -> None:
    async with a_scene() as scene:
        for number in range(5):
            await scene.kit.call("notes.add", f"old{number}", text="hi")
        scene.kit.clock.time += 2 * 3_600_000
        await scene.kit.open()
        await scene.kit.call("notes.add", "new", text="hi")

        await scene.step()

        assert {span.attributes.get("interlock.call") for span in scene.box.taken} == {"new"}


async def test_what_callers_chose_is_redacted_on_its_way_out() -> None:
    async with a_scene() as scene:
        await scene.kit.call("notes.add", "sk-canary", text="hi")
        follower = replace(scene.follower(), redact=lambda text: text.replace("sk-canary", "[secret]"))

        await scene.step(follower)

        assert "sk-canary" not in repr(scene.box.taken)
        assert "[secret]" in repr(scene.box.taken)


class _Dying(MemorySpanStore):
    """A store whose process dies as the position is noted."""

    def __init__(self, store: MemorySpanStore) -> None:
        super().__init__()
        self._kept = store

    async def position(self, name: str) -> int:
        return await self._kept.position(name)

    async def follow(self, name: str, since: int, position: int, changes: object = ()) -> bool:
        raise ConnectionError
