"""The use cases that the surfaces for agents call; the gate and the run desk fit them."""

from typing import Protocol

from interlock.domain.calls import CallRecord
from interlock.domain.contracts import ToolContract
from interlock.domain.identity import Principal
from interlock.domain.ids import CallId, RunId
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.gateway.run_desk import OpenedRun, Opening


class Gate(Protocol):
    """`interlock.gateway.tool_call.ToolGate`."""

    async def call(self, request: CallRequest) -> CallAnswer:
        """Take one call down the road and return what became of it."""

    def tools_for(self, principal: Principal) -> tuple[ToolContract, ...]:
        """Return the contracts that `principal` may call, by name."""


class Runs(Protocol):
    """`interlock.gateway.run_desk.RunDesk`."""

    async def open(self, principal: Principal, opening: Opening) -> OpenedRun:
        """Open a run. Raises Conflict when its id is taken."""

    async def instruct(self, principal: Principal, run_id: RunId, text: str) -> None:
        """Add what the user said next."""

    async def close(self, principal: Principal, run_id: RunId) -> None:
        """End the run."""

    async def call(self, principal: Principal, run_id: RunId, call: CallId) -> CallRecord:
        """Return one call. Raises UnknownRecord."""
