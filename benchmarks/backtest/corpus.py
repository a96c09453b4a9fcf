"""A store whose past is the recorded corpus, gone through a real gate, and as many copies of it as are asked for."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.corpus.records import Group, Instruction, Record, RecordedCall, load, read_json
from benchmarks.corpus.worlds.replayed import derived_schema
from interlock.config import load_deployment
from interlock.config.nodes import parse, plain
from interlock.domain.approvals import ApprovalState, Verdict
from interlock.domain.calls import CallKey, CallRecord
from interlock.domain.contracts import Environment, Upstream
from interlock.domain.identity import Principal, Role
from interlock.domain.ids import AgentId, ApprovalId, CallId, ModelCallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.models import (
    Attempt,
    Dialect,
    ModelCall,
    ModelCallRecord,
    ModelCallStatus,
    Usage,
    UsageSource,
)
from interlock.domain.overlays import Overlay
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.gateway.admission import Admitter
from interlock.gateway.approval_desk import ApprovalDesk
from interlock.gateway.breaker import Breakers
from interlock.gateway.evidence import EvidenceCache
from interlock.gateway.execution import Executor
from interlock.gateway.ports import Delivery, Invocation, Notice, RawAnswer
from interlock.gateway.publisher import Publisher
from interlock.gateway.replay.past import RecordedRun, recorded
from interlock.gateway.requests import CallRequest
from interlock.gateway.run_desk import Opening, RunDesk
from interlock.gateway.store import Store, Tx
from interlock.gateway.tool_call import ToolGate
from interlock.models.ports import ModelCallFilter
from interlock.tools.offers import Offer
from interlock.tools.schemas import CompiledSchemas
from interlock.wiring import open_interlock
from interlock.wiring.declaring import declaration_of, engines_of, languages_of

CONFIG = Path(__file__).resolve().parent.parent / "corpus" / "config"
TENANT = TenantId("corpus")
PEOPLE = tuple(Principal(PrincipalId(name), TENANT, frozenset({Role.APPROVER})) for name in ("ann", "ben"))
CAP = 10
"""Tool calls that a run may make, as it is recorded."""
STARTED_MS = 1_790_000_000_000
_STEP_MS, _PAUSE_MS, _BATCH = 2_000, 300_000, 50


class CorpusClock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.time = STARTED_MS

    def now(self) -> int:
        return self.time


class Silence:
    """Nobody is told anything."""

    def notify(self, notice: Notice) -> None:
        """Say nothing."""


class NoSecrets:
    """No tool of the corpus has a credential."""

    async def resolve(self, reference: str) -> str:
        return reference


class RecordedTools:
    """An upstream that offers the tools of one suite and answers each call as the record does."""

    def __init__(self, name: str, offers: tuple[Offer, ...]) -> None:
        self.name = name
        self._offers = offers
        self.next = RawAnswer(Delivery.ANSWERED)

    async def offers(self) -> tuple[Offer, ...]:
        return self._offers

    async def invoke(self, invocation: Invocation) -> RawAnswer:  # noqa: ARG002
        return self.next


@dataclass(frozen=True, slots=True)
class Size:
    """How large the past is."""

    runs: int
    calls: int


def write(folder: Path, suites: Iterable[str]) -> None:
    """Write one deployment with an agent for each suite, under the suite's own configuration and a cap on calls."""
    (folder / "agents").mkdir(parents=True)
    names = sorted(suites)
    for name in names:
        own = CONFIG / name
        agent = plain(parse((own / "agents" / "assistant.yaml").read_text(), name))
        agent["agent"]["name"] = name
        agent["budgets"] = {"max_tool_calls": CAP}
        # JSON is YAML.
        (folder / "agents" / f"{name}.yaml").write_text(json.dumps(agent, indent=1))
        (folder / f"{name}.yaml").write_text((own / "contracts.yaml").read_text())
    deployment = {
        "tenant": TENANT,
        "agents": ["agents/*.yaml"],
        "contracts": [f"{name}.yaml" for name in names],
        "tools": {name: {"mcp": {"url": "http://127.0.0.1:9/mcp"}} for name in names},
    }
    (folder / "interlock.yaml").write_text(json.dumps(deployment, indent=1))


async def fill(folder: Path, data: Path, calls: int, suites: frozenset[str] = frozenset()) -> Size:
    """Put the corpus in `data` into the store of `folder`: once through the gate, and then as it is, until there are `calls`."""
    groups = load(data, suites)
    write(folder, {group.suite for group in groups})
    clock = CorpusClock()
    async with open_interlock(folder, discover=False, clock=clock) as interlock:
        tools = {name: _tools(data, name, groups) for name in {group.suite for group in groups}}
        gate, runs = await _gate(folder, interlock.store, tools, clock)
        for group, records in groups.items():
            player = _Player(
                interlock.store, runs, interlock.desks.approvals, gate, tools[group.suite], clock, group.suite
            )
            for record in records:
                await player.play(record)
                clock.time += _PAUSE_MS
        return await _copied(interlock.store, calls)


async def _gate(
    folder: Path, store: Store, tools: dict[str, RecordedTools], clock: CorpusClock
) -> tuple[ToolGate, RunDesk]:
    deployment = load_deployment(folder)
    publisher = Publisher(
        store,
        tuple(tools.values()),
        declaration_of(deployment),
        languages_of(deployment),
        lambda contracts: engines_of(deployment, contracts),
        clock,
    )
    await publisher.refresh()
    breakers = Breakers(threshold=1 << 30)
    executor = Executor(tools, NoSecrets(), clock, breakers)
    admitter = Admitter("benchmark", EvidenceCache(), breakers)
    gate = ToolGate(store, publisher.current, admitter, executor, CompiledSchemas(), clock, Silence())
    return gate, RunDesk(store, publisher.current, clock)


def _tools(data: Path, suite: str, groups: dict[Group, tuple[Record, ...]]) -> RecordedTools:
    described: dict[str, dict[str, Any]] = {}
    for entry in (read_json(data / "env" / "agentdojo_tasks.json.gz") or {}).get(suite, {}).get("tools", ()):
        described[entry["name"]] = entry
    for folder in sorted((data / "env").glob(f"*_{suite}")):
        for entry in read_json(folder / "tools.json.gz") or ():
            tool = entry.get("function", entry)
            described[tool["name"]] = tool
    calls: dict[str, list[dict[str, Any]]] = {}
    for group, records in groups.items():
        for call in (call for record in records if group.suite == suite for call in record.calls):
            calls.setdefault(call.tool, []).append(call.arguments)
    for name in sorted(set(calls) - set(described)):
        described[name] = {"name": name, "description": "", "parameters": derived_schema(calls[name])}
    placed = Overlay("", environment=Environment.PRODUCTION)
    return RecordedTools(
        suite,
        tuple(
            Offer(name, tool["description"], tool["parameters"], None, Upstream("mcp", suite, name), declared=placed)
            for name, tool in sorted(described.items())
        ),
    )


@dataclass(frozen=True, slots=True)
class _Player:
    store: Store
    runs: RunDesk
    approvals: ApprovalDesk
    gate: ToolGate
    tools: RecordedTools
    clock: CorpusClock
    suite: str

    async def play(self, record: Record) -> None:
        bot = Principal(PrincipalId("host"), TENANT, frozenset({Role.AGENT}), AgentId(self.suite))
        run = RunId(f"{record.group.source}-{self.suite}-{record.number}")
        labels = {
            "case": _case(record),
            "model": record.model,
            "attack": record.attack or "none",
        }
        opening = Opening(
            run=run,
            system=record.system,
            instruction=record.instruction,
            identity=_identity(self.suite),
            labels=tuple(sorted(labels.items())),
        )
        await self.runs.open(bot, opening)
        for event in record.events:
            self.clock.time += _STEP_MS
            if isinstance(event, Instruction):
                if event.text.strip():
                    await self.runs.instruct(bot, run, event.text)
            else:
                await self._propose(bot, run, event, approve=not record.attacked)
        outcome = RunOutcome.SUCCEEDED if record.success or record.utility else RunOutcome.FAILED
        await self.runs.close(bot, run, outcome=outcome)
        await self._models(record, run)

    async def _propose(self, bot: Principal, run: RunId, call: RecordedCall, *, approve: bool) -> None:
        self.tools.next = RawAnswer(Delivery.ANSWERED, call.result, is_error=call.failed)
        request = CallRequest(bot, run, ToolName(call.tool), call.arguments, CallId(call.id))
        answer = await self.gate.call(request)
        if answer.approval is None:
            return
        self.clock.time += _STEP_MS
        await self._answer(answer.approval, approve=approve)
        if approve:
            await self.gate.call(request)

    async def _answer(self, question: ApprovalId, *, approve: bool) -> None:
        verdict = Verdict.APPROVE if approve else Verdict.DENY
        for person in PEOPLE:
            after = await self.approvals.answer(person, question, verdict, "as recorded")
            if after.state is not ApprovalState.OPEN:
                return

    async def _models(self, record: Record, run: RunId) -> None:
        """Record what the models cost, where the source says so; the replies lie evenly over the run."""
        if not record.costs:
            return
        ended = self.clock.time
        first = ended - _STEP_MS * max(len(record.events), 1)
        step = (ended - first) // (len(record.costs) + 1)
        calls = [
            _model_call(self.suite, record, run, number, first + number * step, cost)
            for number, cost in enumerate(record.costs)
        ]
        await self.store.transact(lambda tx: tx.models.add(*calls))


def _model_call(
    suite: str, record: Record, run: RunId, number: int, at: int, cost: tuple[int, int, int]
) -> ModelCallRecord:
    prompt, completion, nano = cost
    call = ModelCall(
        ModelCallId(f"{run}-m{number}"),
        TENANT,
        AgentId(suite),
        PrincipalId("host"),
        record.model,
        Dialect.OPENAI_CHAT,
        run,
    )
    usage = Usage(input=prompt, output=completion)
    attempt = Attempt("record", record.model, "served", 900, usage, UsageSource.PROVIDER, nano)
    return ModelCallRecord(call, ModelCallStatus.SUCCEEDED, at, 900, 200, (attempt,), salt=bytes(32))


def _case(record: Record) -> str:
    plain = f"{record.group.source}:{record.group.suite}:{record.task}"
    return f"{plain}:{record.injection_task}" if record.injection_task is not None else plain


def _identity(suite: str) -> dict[str, Any] | None:
    file = CONFIG / suite / "identity.yaml"
    return plain(parse(file.read_text(), str(file)))["identity"] if file.is_file() else None


async def _copied(store: Store, calls: int) -> Size:
    """Repeat the past with new ids; every copy is a day later."""
    runs = await store.read(lambda tx: tx.replays.runs(TENANT, since=0, until=1 << 62, agent=None))
    pasts = await store.read(lambda tx: recorded(tx, TENANT, runs))
    models = await store.read(lambda tx: tx.models.search(ModelCallFilter(TENANT, limit=1 << 30)))
    once = sum(len(past.calls) for past in pasts)
    copies = max(-(-calls // once), 1)
    for copy in range(1, copies):
        for first in range(0, len(pasts), _BATCH):
            batch = pasts[first : first + _BATCH]
            await store.transact(partial(_repeat, pasts=batch, models=models, copy=copy))
    return Size(len(pasts) * copies, once * copies)


def _repeat(tx: Tx, pasts: Iterable[RecordedRun], models: tuple[ModelCallRecord, ...], copy: int) -> None:
    for past in pasts:
        run = past.run
        name = RunId(f"{run.id}-{copy}")
        tx.runs.open(replace(run, id=name, state=RunState.OPEN, ended_at=None, outcome=None))
        tx.runs.end(run.tenant, name, run.state, run.ended_at or 0, run.outcome)
        for record in past.calls:
            tx.calls.insert(_renamed(record, name))
        for approval in past.approvals.values():
            bound = replace(approval.binding, key=replace(approval.binding.key, run=name))
            tx.approvals.add(replace(approval, id=ApprovalId(f"{approval.id}-{copy}"), binding=bound))
        tx.models.add(*_of(models, run, name, copy))


def _renamed(record: CallRecord, run: RunId) -> CallRecord:
    key = CallKey(record.call.key.tenant, run, record.call.key.call)
    suffix = run.rpartition("-")[2]
    extras = dict(record.extras)
    facts = extras["facts"]
    if facts.get("grant"):
        extras["facts"] = {**facts, "grant": f"{facts['grant']}-{suffix}"}
    approval = ApprovalId(f"{record.approval}-{suffix}") if record.approval else None
    return replace(record, call=replace(record.call, key=key), approval=approval, extras=extras)


def _of(models: tuple[ModelCallRecord, ...], run: Run, name: RunId, copy: int) -> Iterator[ModelCallRecord]:
    for record in models:
        if record.call.run == run.id:
            call = replace(record.call, id=ModelCallId(f"{record.call.id}-{copy}"), run=name)
            yield replace(record, call=call)
