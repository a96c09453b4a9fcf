"""A gateway process to be killed: forks a child per command, and the child takes a few calls down the road.

Commands on standard input: `go FOLDER FIRST LAST`. Answers on standard output: `child PID`, `ready` once
the child has opened the deployment, `ended STATUS`.
Importing once and forking makes a thousand deaths affordable; each child opens the deployment afresh, as a restarted
process does.
"""

import asyncio
import os
import sys
from pathlib import Path

from interlock.domain.approvals import ApprovalState, Verdict
from interlock.domain.calls import CallStatus
from interlock.domain.errors import InterlockError
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, ToolName
from interlock.gateway.desks import Desks
from interlock.gateway.requests import CallRequest
from interlock.gateway.run_desk import Opening
from interlock.wiring import open_interlock

ALIVE_MS = 300
RUN = RunId("run-under-fire")


def calls_of(number: int) -> list[tuple[str, str, dict[str, object]]]:
    """Return the calls of one round: a keyed write, a write without keys, and a keyed one that a person approves."""
    return [
        (f"pay-{number}", "pay", {"amount": 1, "marker": f"pay-{number}"}),
        (f"note-{number}", "note", {"marker": f"note-{number}"}),
        (f"wire-{number}", "wire", {"amount": 1, "marker": f"wire-{number}"}),
    ]


async def carry_out(desks: Desks, name: str, tool: str, arguments: dict[str, object]) -> None:
    """Propose the call, with its fixed id, until its outcome stands; approve it on the way where that is asked for."""
    agent = Principal(PrincipalId("worker"), desks.tenant, frozenset({Role.AGENT}), AgentId("clerk"))
    approver = Principal(PrincipalId("anna"), desks.tenant, frozenset({Role.APPROVER}))
    while True:
        try:
            answer = await desks.gate.call(CallRequest(agent, RUN, ToolName(tool), arguments, CallId(name)))
        except InterlockError as error:
            if error.code != "call_in_progress":
                raise
            await asyncio.sleep(0.05)
            continue
        if answer.status is not CallStatus.PENDING:
            return
        if answer.approval is None:
            raise AssertionError(f"{name} waits for nobody")
        asked = await desks.approvals.find(approver, answer.approval)
        if asked.state is ApprovalState.OPEN:
            await desks.approvals.answer(approver, asked.id, Verdict.APPROVE, "drill")


async def carry_out_round(desks: Desks, number: int) -> None:
    """Take the three calls of a round down the road."""
    for name, tool, arguments in calls_of(number):
        await carry_out(desks, name, tool, arguments)


async def work(folder: Path, first: int, last: int) -> None:
    """Finish the rounds `first` to `last`, whatever earlier processes left of them."""
    async with open_interlock(folder, alive_ms=ALIVE_MS) as built, built.alive():
        agent = Principal(PrincipalId("worker"), built.desks.tenant, frozenset({Role.AGENT}), AgentId("clerk"))
        try:
            await built.desks.runs.open(agent, Opening(run=RUN, instruction="Pay, note and wire."))
        except InterlockError as error:
            if error.code != "conflict":
                raise
        # Every other time what the last process left behind is finished in peace, so that death meets fresh calls as
        # often as it meets recoveries.
        in_peace = range(first, last) if last % 2 else range(0)
        for number in in_peace:
            await carry_out_round(built.desks, number)
        print("ready", flush=True)
        for number in range(in_peace.stop or first, last + 1):
            await carry_out_round(built.desks, number)


def main() -> None:
    """Serve commands until standard input ends."""
    for line in sys.stdin:
        _, folder, first, last = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(work(Path(folder), int(first), int(last)))
            os._exit(0)
        print("child", pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print("ended", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
