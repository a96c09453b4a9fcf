"""Write down model calls in batches, together with what they spent, and tell when it is durable."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from interlock.budgets.slices import Draw
from interlock.domain.audit import AuditEvent
from interlock.domain.errors import StoreUnavailable
from interlock.domain.ids import RunId, TenantId
from interlock.domain.models import ModelCallRecord
from interlock.gateway.leases import LeaseBook
from interlock.gateway.store import Store, Tx
from interlock.metrics.meter import Meter, Unmetered

BATCH: Final = 256
"""The most records in one transaction."""
LATEST_S: Final = 0.02
"""How long a record waits for others, if nobody waits for it."""
IDLE_S: Final = 0.5
"""How often slices of budgets are looked at when nothing is recorded."""
FULL: Final = 10_000
"""When so many records wait, no new calls should be taken."""
_SHORTEST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_CLOSING_S: Final = 10.0
_RUNS_REMEMBERED: Final = 2_000
_LOG = logging.getLogger(__name__)


class Seen(NamedTuple):
    """A text that a run saw."""

    tenant: TenantId
    run: RunId
    kind: str
    """As in `EvidenceRow`."""
    text: str


class Durable(asyncio.Future[None]):
    """Done when the record is on disk. Whoever awaits it hurries the recorder."""

    def __init__(self, hurry: Callable[[], None]) -> None:
        super().__init__()
        self._hurry = hurry

    def add_done_callback(self, fn: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        """Call `fn` when it is done, which shall be soon."""
        self._hurry()
        super().add_done_callback(fn, context=context)


@dataclass(slots=True, eq=False)
class _Note:
    record: ModelCallRecord
    events: tuple[AuditEvent, ...]
    seen: tuple[Seen, ...]
    durable: Durable


class Recorder:
    """One background task that commits what is waiting. Used from one event loop only.

    While the store fails it keeps everything and tries for ever. INVARIANT I7: record, audit events and spending of a call
    commit together, and once.
    """

    def __init__(self, store: Store, leases: LeaseBook, owner: str, meter: Meter | None = None) -> None:
        self._meter = meter or Unmetered()
        self._store = store
        self._leases = leases
        self._owner = owner
        self._waiting: deque[_Note] = deque()
        self._under_way = 0
        self._known: OrderedDict[tuple[TenantId, RunId], set[int]] = OrderedDict()
        """What runs have seen that is recorded or will be."""
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many records are not on disk yet."""
        return len(self._waiting) + self._under_way

    @property
    def healthy(self) -> bool:
        """Whether a call that begins now can be expected to be recorded."""
        stopped = self._closing or (self._task is not None and self._task.done())
        return not (self._failing or stopped or len(self._waiting) + self._under_way >= FULL)

    def note(self, record: ModelCallRecord, events: tuple[AuditEvent, ...], seen: Sequence[Seen] = ()) -> Durable:
        """Have a call that has ended recorded, with what its run saw for the first time.

        The future is done when the record is on disk; it fails with StoreUnavailable only when that will never be.
        """
        durable = Durable(self._due.set)
        if self._closing:
            durable.set_exception(_closed())
            return durable
        self._waiting.append(_Note(record, events, self._unseen(seen) if seen else (), durable))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        if len(self._waiting) == 1:
            self._wake_in(LATEST_S)
        elif len(self._waiting) == BATCH:
            self._due.set()
        return durable

    def _wake_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._due.set)

    def _unseen(self, seen: Sequence[Seen]) -> tuple[Seen, ...]:
        """Return what is new to this process: conversations are sent whole, again and again."""
        fresh = []
        for one in seen:
            run = (one[0], one[1])
            known = self._known.setdefault(run, set())
            self._known.move_to_end(run)
            # A collision leaves a text out, which makes provenance stricter and nothing else.
            mark = hash((one[2], one[3]))
            if mark not in known:
                known.add(mark)
                fresh.append(Seen(*one))
        while len(self._known) > _RUNS_REMEMBERED:
            self._known.popitem(last=False)
        return tuple(fresh)

    async def _run(self) -> None:
        while not self._closing or self._waiting:
            if not self._closing:
                await self._due.wait()
            self._due.clear()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            # Drawings go with records; alone only when there have been none for a while.
            if batch or self._is_idle():
                await self._record(batch, self._leases.prepare())
            if not self._waiting:
                self._wake_in(IDLE_S)
            elif len(self._waiting) >= BATCH:
                self._due.set()
        await self._record([], self._leases.prepare())

    def _is_idle(self) -> bool:
        return self._timer is None or asyncio.get_running_loop().time() >= self._timer.when()

    async def _record(self, batch: list[_Note], draws: tuple[Draw, ...]) -> None:
        """Commit the batch with the draws, however long it takes."""
        if not (batch or draws):
            return
        self._under_way = len(batch)
        try:
            gone = await self._until_committed(batch, draws)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the records in the batch
            # Not the store: one of them cannot be written. It must not keep the others from it.
            self._leases.undone(draws)
            if len(batch) > 1:
                for note in batch:
                    await self._record([note], ())
            else:
                self._give_up(batch, error)
            return
        except BaseException:
            self._leases.undone(draws)
            raise
        finally:
            self._under_way = 0
        self._leases.done(draws, gone)
        for note in batch:
            self._meter.model_called(note.record)
            if not note.durable.done():
                note.durable.set_result(None)

    async def _until_committed(self, batch: Sequence[_Note], draws: tuple[Draw, ...]) -> frozenset[int]:
        pause, again = _SHORTEST_PAUSE_S, False
        while True:
            try:
                gone = await self._store.transact(lambda tx, again=again: self._write(tx, batch, draws, again=again))  # type: ignore[misc]
            except StoreUnavailable as error:
                if not self._failing:
                    _LOG.warning("%s cannot record model calls, and takes no new ones: %s", self._owner, error)
                self._failing = again = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            if self._failing:
                _LOG.warning("%s records model calls again", self._owner)
            self._failing = False
            return gone

    def _write(self, tx: Tx, batch: Sequence[_Note], draws: tuple[Draw, ...], *, again: bool) -> frozenset[int]:
        """Write everything, once: a commit whose answer was lost may have happened."""
        fresh = batch and not (again and _stands(tx, batch[0].record))
        if fresh:
            tx.models.add(*[note.record for note in batch])
            tx.audit.append(*[event for note in batch for event in note.events])
        gone = self._leases.apply(tx, draws)
        if fresh:
            # After the budgets, as on the tool road, and in one order, so that nobody waits in a ring.
            for seen in sorted(
                (seen for note in batch for seen in note.seen), key=lambda seen: (seen.tenant, seen.run)
            ):
                tx.evidence.append(seen.tenant, seen.run, seen.kind, seen.text, None)
        return gone

    def _give_up(self, batch: Sequence[_Note], error: Exception) -> None:
        for note in batch:
            _LOG.error("model call %s cannot be recorded: %s", note.record.call.id, error)
            for seen in note.seen:
                self._known.pop((seen.tenant, seen.run), None)
            if not note.durable.done():
                note.durable.set_exception(
                    StoreUnavailable("The model call cannot be recorded", why=str(error), do="Report this as a defect")
                )
                # Nobody may be waiting for it.
                note.durable.exception()

    async def close(self, patience_s: float = _CLOSING_S) -> None:
        """Write what is waiting. Raises StoreUnavailable when that has not succeeded after `patience_s` seconds."""
        self._closing = True
        self._due.set()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=patience_s)
        if late:
            lost = len(self._waiting) + self._under_way
            self._task.cancel()
            await asyncio.wait({self._task})
            raise StoreUnavailable(
                f"{lost} model calls could not be recorded",
                why="the store has failed for too long",
                do="What they had reserved is counted as spent",
            )


def _stands(tx: Tx, record: ModelCallRecord) -> bool:
    return tx.models.find(record.call.tenant, record.call.id) is not None


def _closed() -> StoreUnavailable:
    return StoreUnavailable("The recorder is closed", do="Nothing can be done in a process that is shutting down")
