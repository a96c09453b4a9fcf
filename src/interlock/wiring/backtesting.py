"""Hold many recorded runs against other rules, on as many processors as there are: the answer does not depend on how many."""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from interlock.domain.decisions import Decision
from interlock.domain.ids import RunId, TenantId
from interlock.domain.runs import RunState
from interlock.gateway.replay.counterfactual import DraftedRun, Entry, draft_run, final, judge_run, slim
from interlock.gateway.replay.ledger import Ledger
from interlock.gateway.replay.others import CASE, draft_case, may_decide
from interlock.gateway.replay.past import RecordedRun, recorded
from interlock.gateway.replay.tally import Tally
from interlock.gateway.store import Store, Tx
from interlock.wiring.building import open_interlock
from interlock.wiring.candidates import Candidates, Question, recordings, releases_in

CHUNK = 100
"""Runs that a process has in memory at a time."""
_ALONE = 1_000
"""Runs below which a second process is not worth its start."""

T = TypeVar("T")

Placed = Sequence[tuple[int, RunId]]
"""Runs, each with its place among all that are looked at."""


async def ask(question: Question, processes: int = 0) -> Tally:
    """Return what the question's rules would have made of the runs that it is about.

    `processes` is how many to use; 0 leaves it to their number and the machine's.
    Raises BadInput and ConfigurationError for rules that do not fit, UnknownRecord when nothing was archived yet.
    """
    async with _past(question) as past:
        runs = await past.runs()
        many = processes or (min(os.cpu_count() or 1, 8) if len(runs) >= _ALONE else 1)
        if many == 1:
            return past.tally(await past.drafts(runs)) if past.spans_runs else await past.tallied(runs)
        spans_runs = past.spans_runs
    parts = [runs[number::many] for number in range(many)]
    tally = Tally()
    if spans_runs:
        drafts = [draft for part in await _each(_drafts, question, parts) for draft in part]
        return Past.tally(drafts)
    for part in await _each(_tally, question, parts):
        tally.add(part)
    return tally


class Past:
    """The runs of one deployment, and the rules to hold them against."""

    def __init__(self, store: Store, tenant: TenantId, question: Question) -> None:
        self._store = store
        self._tenant = tenant
        self._where = question.where
        self._candidates = Candidates(store, tenant, question)
        self._cases = recordings(question.model) if question.model else None

    async def check(self) -> None:
        """Raise what is wrong with the question."""
        await self._candidates.check()
        await self._candidates.prepare([""])

    @property
    def spans_runs(self) -> bool:
        """Whether a limit adds up what several runs spend: then all calls must pass one ledger in the order of time."""
        return self._candidates.spans_runs

    async def runs(self) -> Placed:
        """Return the runs of the time and agent that are asked for, the oldest first."""
        asked, tenant = self._where, self._tenant
        found = await self._store.read(
            lambda tx: tx.replays.runs(tenant, since=asked.since, until=asked.until, agent=asked.agent)
        )
        return tuple(enumerate(found))

    async def tallied(self, runs: Placed) -> Tally:
        """Return the sums over `runs`."""
        tally = Tally()
        async for place, past in self._recorded(runs):
            draft = self._draft(past, place)
            if draft is not None:
                ledger = Ledger()
                tally.count(judge_run(draft, [(entry, final(entry, ledger)) for entry in draft.entries]))
        return tally

    async def drafts(self, runs: Placed) -> list[DraftedRun]:
        """Return `runs` decided by everything but their budgets."""
        found = [self._draft(past, place) async for place, past in self._recorded(runs)]
        return [slim(draft) for draft in found if draft is not None]

    def _draft(self, past: RecordedRun, place: int) -> DraftedRun | None:
        """Return the run decided by everything but its budgets; None when the other model has no such case."""
        if self._cases is None:
            return draft_run(past, place, self._candidates.of)
        case = self._cases.get(dict(past.run.labels).get(CASE, ""))
        rules = self._candidates.of("")
        if case is None or not may_decide(past.run, rules):
            return None
        opened = replace(past.run, state=RunState.OPEN, deadline=None)
        return draft_case(opened, past.identity, case, place, rules)

    @staticmethod
    def tally(drafts: Sequence[DraftedRun]) -> Tally:
        """Return the sums over `drafts`, whose budgets are asked in the order of time."""
        ordered = sorted(
            ((entry.at, entry.order, entry, index) for index, draft in enumerate(drafts) for entry in draft.entries),
            key=lambda one: one[:2],
        )
        ledger = Ledger()
        decided: list[list[tuple[Entry, Decision | None]]] = [[] for _ in drafts]
        for _, _, entry, index in ordered:
            decided[index].append((entry, final(entry, ledger)))
        tally = Tally()
        for draft, decisions in zip(drafts, decided, strict=True):
            tally.count(judge_run(draft, decisions))
        return tally

    async def _recorded(self, runs: Placed) -> AsyncIterator[tuple[int, RecordedRun]]:
        for first in range(0, len(runs), CHUNK):
            places = {run: place for place, run in runs[first : first + CHUNK]}
            for past in await self._store.read(partial(self._read, names=tuple(places))):
                await self._candidates.prepare(releases_in(past))
                yield places[past.run.id], past

    def _read(self, tx: Tx, names: tuple[RunId, ...]) -> tuple[RecordedRun, ...]:
        headers = tx.replays.headers(self._tenant, names)
        wanted = [name for name in names if name in headers and self._where.holds(headers[name])]
        return recorded(tx, self._tenant, wanted, identities=self._cases is not None)


@asynccontextmanager
async def _past(question: Question) -> AsyncIterator[Past]:
    async with open_interlock(question.config, discover=False) as interlock:
        past = Past(interlock.store, interlock.desks.tenant, question)
        await past.check()
        yield past


def _tally(question: Question, runs: Placed) -> Tally:
    async def work() -> Tally:
        async with _past(question) as past:
            return await past.tallied(runs)

    return asyncio.run(work())


def _drafts(question: Question, runs: Placed) -> list[DraftedRun]:
    async def work() -> list[DraftedRun]:
        async with _past(question) as past:
            return await past.drafts(runs)

    return asyncio.run(work())


async def _each(work: Callable[[Question, Placed], T], question: Question, parts: Sequence[Placed]) -> list[T]:
    # Spawned and not forked: this process has threads and open databases.
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(len(parts), mp_context=context) as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, work, question, part) for part in parts))
