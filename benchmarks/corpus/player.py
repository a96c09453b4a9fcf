"""One recorded run, played call by call: what is refused is skipped, the rest goes on as recorded."""

from dataclasses import dataclass
from typing import Any

from benchmarks.corpus.records import Instruction, Record, RecordedCall
from benchmarks.corpus.reviewer import Setting, reviewer
from benchmarks.corpus.roads import Road, RoadFailed, Status, Told, Way
from benchmarks.corpus.stage import StageDoor


@dataclass(frozen=True, slots=True)
class PlayedCall:
    """What became of one recorded call."""

    tool: str
    arguments: dict[str, Any]
    held: bool
    executed: bool
    unexpected: bool
    """A write that the task did not ask for; known for sources with expected actions only."""
    why: str


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one run."""

    record: Record
    setting: Setting
    calls: tuple[PlayedCall, ...]
    utility: bool | None
    attack_succeeded: bool | None
    surprises: tuple[str, ...]

    @property
    def held(self) -> int:
        """Calls that a person was asked about."""
        return sum(call.held for call in self.calls)

    @property
    def stopped(self) -> int:
        """Calls that were neither executed nor asked about."""
        return sum(not call.held and not call.executed for call in self.calls)


async def play(record: Record, setting: Setting, road: Road, door: StageDoor, identity: dict[str, Any]) -> Played:
    """Play `record` and judge what it left behind."""
    approves = reviewer(setting, await door.open(record))
    played: list[PlayedCall] = []
    position = {call.id: index for index, call in enumerate(record.calls)}
    async with road.run(record, identity) as way:
        for event in record.events:
            if isinstance(event, Instruction):
                await way.instruct(event.text)
                continue
            await door.announce(record, position[event.id])
            told = await way.propose(event)
            held = told.status is Status.HELD
            if held:
                told = await _answered(way, event, told, approve=approves(event))
            executed = told.status is Status.EXECUTED
            played.append(PlayedCall(event.tool, event.arguments, held, executed, record.unexpected(event), told.why))
    curtain = await door.close()
    return Played(record, setting, tuple(played), curtain.utility, curtain.attack_succeeded, curtain.surprises)


async def _answered(way: Way, call: RecordedCall, asked: Told, *, approve: bool) -> Told:
    """Have the question answered and, after a yes, propose the same call again."""
    await way.answer(call, approve=approve)
    if not approve:
        return Told(Status.STOPPED, asked.why)
    again = await way.propose(call)
    if again.status is Status.HELD:
        raise RoadFailed(f"{call.tool} is pending although everybody who was asked has approved it: {again.why}")
    return Told(again.status, asked.why if again.status is Status.EXECUTED else again.why)
