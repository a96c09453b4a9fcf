"""The gate in this process: open a deployment, open a run, propose calls."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from interlock.domain.calls import CallRecord
from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, ToolName, UserId
from interlock.gateway.desks import Desks
from interlock.gateway.requests import CallAnswer, CallRequest
from interlock.gateway.run_desk import Opening
from interlock.wiring import open_interlock


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of work of one agent. Its calls share budgets and evidence."""

    id: RunId
    _principal: Principal
    _desks: Desks

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        *,
        call_id: str | None = None,
        reason: str = "",
        requires_approval: bool = False,
        dry_run: bool = False,
        constraints: JsonObject | None = None,
    ) -> CallAnswer:
        """Propose a call and return what became of it: a refusal is an answer, not an exception.

        With `call_id` a repetition gets the recorded outcome. A `pending` answer has an approval id: propose the call
        again once a person has approved it. Raises BadInput, Conflict or StoreUnavailable when nothing was recorded.
        """
        request = CallRequest(
            self._principal,
            self.id,
            ToolName(tool),
            arguments,
            CallId(call_id) if call_id is not None else None,
            reason=reason,
            constraints=constraints or {},
            requires_approval=requires_approval,
            dry_run=dry_run,
        )
        return await self._desks.gate.call(request)

    async def instruct(self, text: str) -> None:
        """Add what the user said next. It counts as trusted, so pass the user's own words and nothing else."""
        await self._desks.runs.instruct(self._principal, self.id, text)

    async def outcome(self, call_id: str) -> CallRecord:
        """Return the journal's record of a call. Raises UnknownRecord."""
        return await self._desks.runs.call(self._principal, self.id, CallId(call_id))

    def tools(self) -> tuple[ToolContract, ...]:
        """Return the contracts that the agent may call, by name."""
        return self._desks.gate.tools_for(self._principal)


@dataclass(frozen=True, slots=True)
class Gate:
    """An open deployment."""

    desks: Desks
    """Every use case, for programs that do more than propose calls."""

    @asynccontextmanager
    async def run(
        self,
        agent: str,
        *,
        instruction: str = "",
        system: str = "",
        user: str | None = None,
        identity: JsonObject | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Run]:
        """Open a run of `agent` and close it afterwards.

        `instruction` is what the user asked for and `identity` what is known of the user: what the gate may trust.
        Raises Forbidden for an agent that no file declares.
        """
        principal = Principal(PrincipalId(f"local:{agent}"), self.desks.tenant, frozenset({Role.AGENT}), AgentId(agent))
        opening = Opening(
            user=UserId(user) if user is not None else None,
            identity=identity,
            system=system,
            instruction=instruction,
            labels=tuple((labels or {}).items()),
        )
        opened = await self.desks.runs.open(principal, opening)
        try:
            yield Run(opened.run.id, principal, self.desks)
        finally:
            await self.desks.runs.close(principal, opened.run.id)


@asynccontextmanager
async def open_gate(path: str | Path = "interlock.yaml") -> AsyncIterator[Gate]:
    """Open the deployment that `path` (interlock.yaml or its folder) declares, and keep it alive until the block ends.

    Raises ConfigurationError with everything that is wrong, StoreUnavailable when the database cannot be used.
    """
    async with open_interlock(Path(path)) as built, built.alive():
        yield Gate(built.desks)
