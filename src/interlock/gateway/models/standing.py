"""Whether a run may ask models at all: its state, its deadline, the brakes; read anew twice a second."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from interlock.domain.brakes import Brake
from interlock.domain.errors import Braked, RunClosed, UnknownRun
from interlock.domain.ids import AgentId, RunId, TenantId
from interlock.domain.runs import Run, RunState
from interlock.gateway.store import Store, Tx

FOR_S = 0.5
"""How long a stop or a brake of another process may go unnoticed by model calls."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store says of a tenant and one of its runs."""

    run: Run | None
    brakes: tuple[Brake, ...]

    def check(self, agent: AgentId, names: frozenset[str], now: int) -> None:
        """Raise RunClosed or Braked when the run has ended, or an operator has stopped calls to one of `names`."""
        run = self.run
        if run is not None:
            if run.state is not RunState.OPEN:
                raise RunClosed(f"The run is {run.state.value}", do="Open a new run")
            if run.deadline is not None and now >= run.deadline:
                raise RunClosed("The run's time has ended", do="Open a new run")
        for brake in self.brakes:
            if brake.covers_model(agent=agent, names=names, now=now):
                raise Braked(
                    "An operator has stopped this model call", why=brake.reason, do="Wait until the brake is lifted"
                )


class Standings:
    """Remembers standings for a moment. What cannot be read is never taken for good."""

    def __init__(self, store: Store, for_s: float = FOR_S, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._for_s = for_s
        self._now = now
        self._known: OrderedDict[tuple[TenantId, RunId | None], tuple[Standing, float]] = OrderedDict()

    async def of(self, tenant: TenantId, run: RunId | None, agent: AgentId, now: int) -> Standing:
        """Return the standing of `run`, or of calls outside any run. Raises UnknownRun, StoreUnavailable."""
        found = self._known.get((tenant, run))
        if found is None or self._now() >= found[1]:
            standing = await self._read(tenant, run, now)
        else:
            standing = found[0]
        if run is not None and (standing.run is None or standing.run.agent != agent):
            raise UnknownRun(f"There is no run {run} for this agent", do="Open a run first")
        return standing

    async def _read(self, tenant: TenantId, run: RunId | None, now: int) -> Standing:
        def work(tx: Tx) -> Standing:
            found = tx.runs.find(tenant, run) if run is not None else None
            return Standing(found, tx.brakes.active(tenant, now))

        # From before the reading, so that no standing is older than it may be.
        until = self._now() + self._for_s
        standing = await self._store.read(work)
        self._known[tenant, run] = (standing, until)
        self._known.move_to_end((tenant, run))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return standing
