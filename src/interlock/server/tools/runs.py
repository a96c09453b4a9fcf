"""Which run a request belongs to: the token's, the one it names, its session's, or its bearer's."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from interlock.domain.errors import Conflict, Forbidden
from interlock.domain.ids import RunId, UserId, checked_id, new_id
from interlock.domain.trace_context import TraceContext
from interlock.gateway.run_desk import Opening
from interlock.server.guard import Caller
from interlock.server.tools import meta
from interlock.server.tools.meta import Said
from interlock.server.tools.ports import Runs
from interlock.server.tools.sessions import McpSession, run_of

IDLE_S = 15 * 60.0
"""After this long without a call, a bearer that neither names a run nor keeps a session begins a new one."""
_REMEMBERED = 10_000

K = TypeVar("K")
V = TypeVar("V")


class RunFinder:
    """Opens runs where a client did not, and passes each instruction on once.

    What it remembers only saves work: a run that is already there is found again after a restart.
    """

    def __init__(self, runs: Runs, now: Callable[[], float] = time.monotonic) -> None:
        self._runs = runs
        self._now = now
        self._opened: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._latest: OrderedDict[str, tuple[RunId, float]] = OrderedDict()

    async def find(
        self, caller: Caller, said: Said, session: McpSession | None, trace: TraceContext | None = None
    ) -> RunId:
        """Return the run, opened if it was not, with the instruction that came along in its evidence.

        A run that is opened here stands below `trace`, the span of the request that had it opened.
        """
        named, instruction = said.text(meta.RUN), said.text(meta.INSTRUCTION)
        scope = caller.principal.scope
        if scope is not None:
            if named is not None and named != scope.run:
                raise Forbidden("The token belongs to another run", do=f"Leave {meta.RUN} out, or use that run's token")
            run = scope.run
        else:
            run = RunId(checked_id(named, "run id")) if named is not None else self._unnamed(caller, session)
            await self._open(caller, run, said, trace)
        if instruction:
            await self._instruct(caller, run, instruction)
        return run

    def begin(self, caller: Caller) -> None:
        """Let the next request of this bearer that names no run start a new one: a client without sessions came anew."""
        self._latest.pop(caller.credential, None)

    def _unnamed(self, caller: Caller, session: McpSession | None) -> RunId:
        if session is not None:
            return run_of(session, caller)
        now = self._now()
        run, last = self._latest.get(caller.credential, (None, 0.0))
        if run is None or now - last > IDLE_S:
            run = RunId(new_id("run"))
        _remember(self._latest, caller.credential, (run, now))
        return run

    async def _open(self, caller: Caller, run: RunId, said: Said, trace: TraceContext | None) -> None:
        principal = caller.principal
        key = (principal.tenant, run)
        if key in self._opened:
            self._opened.move_to_end(key)
            return
        user = said.text(meta.USER)
        instruction = said.text(meta.INSTRUCTION) or ""
        opening = Opening(
            user=UserId(user) if user else None,
            identity=said.mapping(meta.IDENTITY),
            system=said.text(meta.SYSTEM) or "",
            instruction=instruction,
            labels=(("surface", "mcp"),),
            run=run,
            trace=trace,
        )
        try:
            await self._runs.open(principal, opening)
            _remember(self._told, _words(caller, run, instruction), None)
        except Conflict:
            # Opened before, by us, by another process or by REST; whose it is, the gate checks.
            pass
        _remember(self._opened, key, None)

    async def _instruct(self, caller: Caller, run: RunId, text: str) -> None:
        key = _words(caller, run, text)
        if key not in self._told:
            await self._runs.instruct(caller.principal, run, text)
        _remember(self._told, key, None)


def _words(caller: Caller, run: RunId, text: str) -> tuple[str, str]:
    return f"{caller.principal.tenant}/{run}", hashlib.sha256(text.encode()).hexdigest()


def _remember(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
