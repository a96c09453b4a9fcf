"""The one thread of this process that writes to SQLite: transactions that wait at the same time share one commit."""

import asyncio
import contextlib
import os
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from interlock.adapters.sql.failures import closed_failure, sqlite_failure
from interlock.adapters.sql.transaction import perform
from interlock.domain.errors import StoreUnavailable

X = TypeVar("X")
"""What work is given to do its work with: the records that a transaction joins."""
T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long to wait for writers in other processes before giving up."""
BATCH = 256
"""The most transactions in one commit, so that other processes get their turn."""
_SHORTEST_PAUSE = 0.0002
_LONGEST_PAUSE = 0.004


@dataclass(slots=True)
class Job:
    """One transaction that somebody awaits."""

    work: Callable[[Any], Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    value: Any = None
    error: BaseException | None = None


class Writer(Generic[X]):
    """Takes transactions in the order in which they come, as many at once as are waiting."""

    def __init__(self, connection: sqlite3.Connection, tx: X, path: Path) -> None:
        self._connection = connection
        self._tx = tx
        self._path = path
        self._inode = path.stat().st_ino
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="interlock-write", daemon=True)
        self._thread.start()

    async def submit(self, work: Callable[[X], T]) -> T:
        """Return what `work` returns, once its transaction is on disk; raise what it raises, once it is undone."""
        if self._closed:
            raise closed_failure()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(Job(work, loop, future))
        return await future

    def close(self) -> None:
        """Carry out what is waiting, then end the thread."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        running = True
        while running:
            batch: list[Job] = []
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                if len(batch) == BATCH:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            running = job is not None
            self._carry_out(batch)
            _deliver(batch)
        self._refuse_latecomers()

    def _refuse_latecomers(self) -> None:
        late: list[Job] = []
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    job.error = closed_failure()
                    late.append(job)
        _deliver(late)

    def _carry_out(self, batch: Sequence[Job]) -> None:
        """Run and commit the batch. INVARIANT: a job without an error has been committed."""
        try:
            self._begin()
            if len(batch) == 1:
                self._attempt_alone(batch[0])
                return
            for job in batch:
                self._attempt(job)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, StoreUnavailable) as error:
            failure = sqlite_failure(error) if isinstance(error, sqlite3.Error) else error
            for job in batch:
                job.value, job.error = None, StoreUnavailable(failure.what, why=failure.why, do=failure.do)
            self._undo()

    def _begin(self) -> None:
        """Become the only writer. SQLite's own waiting is unfair and coarse, so the waiting is done here."""
        self._check_file()
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = _SHORTEST_PAUSE
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                # Jitter keeps processes from trying in step; it guards nothing.
                time.sleep(random.uniform(_SHORTEST_PAUSE, pause))  # noqa: S311
                pause = min(pause * 1.5, _LONGEST_PAUSE)
            else:
                return

    def _check_file(self) -> None:
        # A deleted file still takes commits, and they are gone when the last process lets go of it.
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:  # noqa: PTH116 - in the path of every commit
                return
        raise StoreUnavailable(
            "The database file is gone",
            why="it was deleted, moved or replaced while in use",
            do="Put it back, or restore a backup, and restart",
        )

    def _attempt_alone(self, job: Job) -> None:
        """Run and commit the only job of a batch; the transaction itself is its savepoint."""
        try:
            job.value = job.work(self._tx)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the one who awaits the job
            job.error = sqlite_failure(error) if isinstance(error, sqlite3.Error) else error
            self._undo()
        else:
            self._connection.execute("COMMIT")

    def _attempt(self, job: Job) -> None:
        """Run one job inside a savepoint. Raises only what ends the whole batch."""
        self._connection.execute("SAVEPOINT job")
        try:
            job.value = perform(job.work, cast("Any", self._tx))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the one who awaits the job
            if not self._connection.in_transaction:
                # Some errors (disk full) make SQLite undo everything at once.
                raise _batch_error(error) from None
            job.error = sqlite_failure(error) if isinstance(error, sqlite3.Error) else error
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _batch_error(error: BaseException) -> Exception:
    if isinstance(error, sqlite3.Error):
        return error
    return StoreUnavailable("The SQLite database undid the transaction", do="Look at the log of the system")


def _deliver(batch: Sequence[Job]) -> None:
    """Wake the callers, each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        # A loop that has closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_complete, jobs)


def _complete(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.value)
        else:
            job.future.set_exception(job.error)
