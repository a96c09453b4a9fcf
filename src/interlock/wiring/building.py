"""A deployment, built: every object once, from configuration."""

import asyncio
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from interlock.adapters.clock import SystemClock
from interlock.adapters.mcp.http import HttpServer
from interlock.adapters.mcp.watch import Announcer, Watch
from interlock.adapters.notify import LineNotifier
from interlock.adapters.openapi.invoker import OpenApiInvoker
from interlock.adapters.openapi.source import OpenApiSource
from interlock.adapters.secrets.resolver import SecretResolver
from interlock.adapters.sql import open_store
from interlock.checks.redactor import Redactor
from interlock.config import (
    Connection,
    Deployment,
    McpHttp,
    McpStdio,
    OpenApi,
    PythonTools,
    load_deployment,
    store_url,
)
from interlock.domain.contracts import Environment
from interlock.domain.errors import InterlockError
from interlock.domain.ids import new_id
from interlock.domain.overlays import Overlay
from interlock.gateway.access_desk import AccessDesk
from interlock.gateway.admission import ALIVE_MS, Admitter
from interlock.gateway.approval_desk import ApprovalDesk
from interlock.gateway.brake_desk import BrakeDesk
from interlock.gateway.breaker import Breakers
from interlock.gateway.contract_desk import ContractDesk
from interlock.gateway.desks import Desks
from interlock.gateway.evidence import EvidenceCache
from interlock.gateway.execution import Executor
from interlock.gateway.explain.desk import ExplainDesk
from interlock.gateway.models.desk import ModelDesk
from interlock.gateway.ports import Clock, Notifier, Secrets, ToolInvoker
from interlock.gateway.publisher import OfferSource, Publisher
from interlock.gateway.record_desk import RecordDesk
from interlock.gateway.replay.desk import ReplayDesk
from interlock.gateway.run_desk import RunDesk
from interlock.gateway.store import Store
from interlock.gateway.tool_call import ToolGate
from interlock.metrics.meter import Meter
from interlock.tools.offers import Offer
from interlock.tools.schemas import CompiledSchemas
from interlock.traces.ports import SpanStore
from interlock.wiring.declaring import declaration_of, engines_of, languages_of
from interlock.wiring.exporting import build_exports
from interlock.wiring.keeping import build_keeping, encryption_keys
from interlock.wiring.models import ModelRoad, build_models
from interlock.wiring.record import AuditWork, build_audit
from interlock.wiring.redacting import redactor_of
from interlock.wiring.releases import remade
from interlock.wiring.spans import Intake, build_intake, open_spans
from interlock.wiring.today import today
from interlock.wiring.tracing import TraceWork, build_traces

if TYPE_CHECKING:
    from interlock.adapters.python.invoker import PythonInvoker
    from interlock.adapters.python.source import PythonSource

_CLOCKS_S = 1.0
"""How often the clocks of approvals are looked at."""
_CACHE_S = 60.0
"""How often replies that have expired are deleted. They serve nobody in the meantime."""
_KEYS_S = 5.0
"""How often it is looked whether encryption keys were changed or destroyed elsewhere."""
_KEEPING_S = 60.0
"""How often what has been kept long enough is let go of."""
_REFRESH_S = 300.0
_AWAY_S = 10.0
"""How often upstreams that did not answer are asked again."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Interlock:
    """A deployment, built: its use cases, and what keeps them alive."""

    deployment: Deployment
    store: Store
    desks: Desks
    models: ModelRoad
    owner: str
    """This process, as the journal knows it."""
    watch: Watch
    announcers: tuple[Announcer, ...]
    audit: AuditWork
    traces: TraceWork
    redactor: Redactor
    """Knows the deployment's own secrets, as far as they could be had."""
    alive_ms: int = ALIVE_MS
    intake: Intake | None = None
    """None where nothing is served."""

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Beat, mind the clocks of approvals, follow the upstreams; in the end, wait for the calls under way."""
        desks = self.desks
        await desks.runs.sweep(self.owner)
        tasks = [
            asyncio.create_task(every(self.alive_ms / 10_000, lambda: desks.runs.sweep(self.owner))),
            asyncio.create_task(every(_CLOCKS_S, desks.approvals.sweep)),
            asyncio.create_task(every(_CACHE_S, self.models.sweep)),
            asyncio.create_task(self.watch.run(self.announcers, desks.publisher.refresh)),
            asyncio.create_task(every(_AWAY_S, self._look_for_the_absent)),
            asyncio.create_task(every(_KEYS_S, desks.keeping.refresh)),
            asyncio.create_task(every(_KEEPING_S, desks.keeping.sweep)),
            asyncio.create_task(self.audit.watchman.run()),
            asyncio.create_task(self.audit.anchorer.run()),
            *(asyncio.create_task(one.run()) for one in self.traces.following),
            *(asyncio.create_task(one.run()) for one in (self.traces.archiver,) if one is not None),
        ]
        try:
            yield
        finally:
            await desks.gate.finish()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_for_the_absent(self) -> None:
        if self.desks.publisher.problems:
            await self.desks.publisher.refresh()


@asynccontextmanager
async def open_interlock(
    path: Path,
    *,
    discover: bool = True,
    models: bool | None = None,
    store: Store | None = None,
    environ: Mapping[str, str] | None = None,
    notifier: Notifier | None = None,
    clock: Clock | None = None,
    alive_ms: int = ALIVE_MS,
    meter: Meter | None = None,
) -> AsyncIterator[Interlock]:
    """Yield the deployment at `path` (interlock.yaml or its folder), built; close everything afterwards.

    With `discover` every upstream is asked what it offers; without, only interlock.yaml is read, no upstream is touched and
    no secret is needed, there is no release, and only what needs none works.
    `models` says whether the router file is read too; by default it goes with `discover`.
    `store` takes the place of the deployment's own and stays open.
    A process silent for `alive_ms` is taken for dead by the others. `meter` counts what happens; without one nothing does.
    Raises ConfigurationError with everything that is wrong, StoreUnavailable when the database cannot be used.
    """
    deployment = load_deployment(path, whole=discover)
    if models and not discover:
        deployment = replace(deployment, router=load_deployment(path).router)
    variables = os.environ if environ is None else environ
    async with contextlib.AsyncExitStack() as stack:
        secrets = SecretResolver(variables, deployment.folder)
        own = store is None
        if store is None:
            keys = await encryption_keys(deployment, secrets)
            store = await open_store(store_url(deployment, variables), keys)
            stack.push_async_callback(store.close)
        watch = Watch(_REFRESH_S)
        spans = await _spans(deployment, variables, store, own=own)
        stack.push_async_callback(spans.close)
        upstreams = []
        for connection in deployment.connections if discover else ():
            upstream = await _connect(connection, deployment, secrets, watch.nudge)
            stack.push_async_callback(upstream.close)
            upstreams.append(upstream)
        redactor = await _redactor(deployment, secrets, variables, whole=discover)
        time = clock or SystemClock()
        owner = new_id("gw")
        publisher = _publisher(deployment, store, tuple(upstreams), time)
        tell = notifier or LineNotifier(redact=redactor.words)
        audit = build_audit(deployment, store, secrets, time, tell)
        stack.push_async_callback(audit.watchman.finish)
        traces = build_traces(deployment, store, spans, owner, time, redactor.words)
        road = build_models(deployment, store, secrets, publisher.current, time, owner, meter, redactor.words)
        stack.push_async_callback(road.close)
        parts = _Parts(deployment, store, secrets, tuple(upstreams), watch, tell, time, meter, redactor)
        built = _build(parts, publisher, road, audit, traces, owner, alive_ms)
        if discover:
            built = replace(built, intake=build_intake(deployment, spans, redactor, time, meter))
            exports = build_exports(deployment, store, spans, secrets, redactor.words, owner, time)
            stack.push_async_callback(exports.close)
            built = replace(built, traces=replace(traces, following=(*traces.following, *exports.following)))
        if discover:
            await built.desks.publisher.refresh()
        yield built


async def _redactor(deployment: Deployment, secrets: Secrets, environ: Mapping[str, str], *, whole: bool) -> Redactor:
    """Return the redactor; where no secret is needed, none is asked for."""
    if whole:
        return await redactor_of(deployment, secrets, environ)
    return Redactor.of(keep=deployment.keeping.redaction.keep)


async def _spans(deployment: Deployment, environ: Mapping[str, str], journal: Store, *, own: bool) -> SpanStore:
    """Return the span store; beside a journal that was handed over there is no place for one but memory."""
    if own:
        return await open_spans(deployment, environ, journal)
    memory: SpanStore = importlib.import_module("interlock.adapters.memory.traces").MemorySpanStore()
    return memory


@dataclass(frozen=True, slots=True)
class _Upstream:
    source: OfferSource
    invoker: ToolInvoker
    announcer: Announcer | None
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What everything is built of."""

    deployment: Deployment
    store: Store
    secrets: Secrets
    upstreams: tuple[_Upstream, ...]
    watch: Watch
    notifier: Notifier
    clock: Clock
    meter: Meter | None
    redactor: Redactor


def _publisher(deployment: Deployment, store: Store, upstreams: tuple[_Upstream, ...], clock: Clock) -> Publisher:
    return Publisher(
        store,
        tuple(one.source for one in upstreams),
        declaration_of(deployment),
        languages_of(deployment),
        lambda contracts: engines_of(deployment, contracts),
        clock,
    )


def _build(
    parts: _Parts,
    publisher: Publisher,
    road: ModelRoad,
    audit: AuditWork,
    traces: TraceWork,
    owner: str,
    alive_ms: int,
) -> Interlock:
    store, clock, notifier, meter = parts.store, parts.clock, parts.notifier, parts.meter
    breakers = Breakers()
    invokers = {one.source.name: one.invoker for one in parts.upstreams}
    words = parts.redactor.words
    executor = Executor(invokers, parts.secrets, clock, breakers, redact=words)
    admitter = Admitter(owner, EvidenceCache(), breakers, alive_ms, road.leases)
    gate = ToolGate(store, publisher.current, admitter, executor, CompiledSchemas(), clock, notifier, meter, words)
    desks = Desks(
        tenant=parts.deployment.tenant,
        gate=gate,
        models=road.gate,
        model_calls=ModelDesk(store),
        runs=RunDesk(store, publisher.current, clock, alive_ms, meter),
        approvals=ApprovalDesk(store, clock, notifier, meter),
        brakes=BrakeDesk(store, clock),
        access=AccessDesk(store, clock),
        contracts=ContractDesk(store, publisher.current, publisher.refresh, clock),
        records=RecordDesk(store, clock),
        audit=audit.desk,
        traces=traces.desk,
        keeping=build_keeping(parts.deployment, store, clock, traces.spans, traces.archiver),
        explain=ExplainDesk(store, lambda: today(publisher, store, parts.deployment), audit.desk.origin),
        publisher=publisher,
        replays=ReplayDesk(store, partial(remade, store, parts.deployment.tenant), publisher.current, clock),
    )
    announcers = tuple(one.announcer for one in parts.upstreams if one.announcer is not None)
    return Interlock(
        parts.deployment, store, desks, road, owner, parts.watch, announcers, audit, traces, parts.redactor, alive_ms
    )


async def _connect(
    connection: Connection, deployment: Deployment, secrets: Secrets, on_change: Callable[[], None]
) -> _Upstream:
    """Return the upstream of one connection; nothing is sent yet."""
    environment = connection.environment or deployment.environment
    match connection:
        case McpHttp():
            http = HttpServer(connection.name, connection.url, secrets, connection.credential, on_change=on_change)
            return _Upstream(_Placed(http, environment), http, http, http.close)
        case McpStdio():
            child = {name: await secrets.resolve(reference) for name, reference in connection.secrets.items()}
            # The configuration was refused unless this argv stands in `allow_stdio`, word for word.
            # The SDK behind it takes longer to import than all the rest together, and most commands need none of it.
            stdio = importlib.import_module("interlock.adapters.mcp.stdio").StdioServer(
                connection.name,
                connection.argv,
                allowed=frozenset({connection.argv}),
                environment=child,
                on_change=on_change,
            )
            return _Upstream(_Placed(stdio, environment), stdio, stdio, stdio.close)
        case OpenApi():
            source = OpenApiSource(
                connection.name, connection.document, include=connection.include or (), exclude=connection.exclude
            )
            how = f"{connection.auth.value}:{connection.auth_name}" if connection.auth_name else connection.auth.value
            api = OpenApiInvoker(
                connection.name,
                connection.base_url,
                auth=how if connection.credential else "",
                private=connection.private,
            )
            return _Upstream(_Placed(source, environment, connection.credential), api, None, api.close)
        case PythonTools():
            functions, offered = _functions(connection, deployment)
            return _Upstream(_Placed(offered, environment), functions, None, functions.close)


def _functions(connection: PythonTools, deployment: Deployment) -> "tuple[PythonInvoker, PythonSource]":
    # The deployment's own folder may hold the module, as it may hold every other file that it names.
    folder = str(deployment.folder.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # Pydantic, which reads the signatures, weighs a tenth of a server, and nobody else needs it.
    source = importlib.import_module("interlock.adapters.python.source")
    tools = source.tools_of(source.load_module(connection.module, connection.name))
    invoker = importlib.import_module("interlock.adapters.python.invoker").PythonInvoker(tools)
    return invoker, source.PythonSource(connection.name, tools)


@dataclass(frozen=True, slots=True)
class _Placed(OfferSource):
    """An upstream whose offers carry what its connection says of all of them."""

    source: OfferSource
    environment: Environment
    credential: str | None = None

    @property
    def name(self) -> str:
        return self.source.name

    async def offers(self) -> tuple[Offer, ...]:
        return tuple(self._placed(offer) for offer in await self.source.offers())

    def _placed(self, offer: Offer) -> Offer:
        said = offer.declared or Overlay(offer.name)
        placed = replace(
            said,
            environment=said.environment or self.environment,
            credential=said.credential or self.credential,
        )
        return replace(offer, declared=placed)


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do `work` again and again. A store that is away for a while is not the end of it."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except InterlockError as error:
            _LOG.warning("%s", error)
        except Exception:  # noqa: BLE001 - whatever it is, it must not end what is done again and again in silence
            _LOG.exception("A fault in Interlock")
