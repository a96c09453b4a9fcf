"""The whole server over a real SQLite file and a real socket, with a key for each role."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import aiohttp

from interlock.adapters.keys import CheckpointFile, GivenKey, KeyFiles
from interlock.adapters.memory.traces import MemorySpanStore
from interlock.adapters.sql import open_store
from interlock.adapters.sql.opening import SealedStore
from interlock.config.keeping import DAY_MS
from interlock.domain.canonical import Json
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId
from interlock.gateway.access_desk import operator_at_the_machine
from interlock.gateway.audit_anchors import Anchorer
from interlock.gateway.audit_desk import AuditDesk
from interlock.gateway.audit_log import Log, Sequencer, Signer, Watchman
from interlock.gateway.contract_desk import ContractDesk
from interlock.gateway.desks import Desks
from interlock.gateway.erasure import Eraser
from interlock.gateway.explain.desk import ExplainDesk
from interlock.gateway.followers import SumsFollower, catch_up
from interlock.gateway.keeping_desk import KeepingDesk
from interlock.gateway.models.desk import ModelDesk
from interlock.gateway.ports import Clock
from interlock.gateway.record_desk import RecordDesk
from interlock.gateway.release import Release
from interlock.gateway.replay.desk import ReplayDesk
from interlock.gateway.retention import Retention, Times
from interlock.gateway.store import Store
from interlock.gateway.trace_desk import TraceDesk
from interlock.server.app import build_app
from interlock.server.guard import DoorRules
from interlock.traces.ports import SpanStore
from interlock.wiring.releases import remade
from tests.kits.gate import TENANT, Kit, a_kit
from tests.kits.mcp import serving
from tests.kits.models import no_models

PEOPLE = {
    "agent": frozenset({Role.AGENT}),
    "operator": frozenset({Role.OPERATOR}),
    "approver": frozenset({Role.APPROVER}),
    "auditor": frozenset({Role.AUDITOR}),
    "admin": frozenset({Role.ADMIN}),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        said = self.body if isinstance(self.body, dict) else {}
        # Clients of models are told in their own words.
        return said.get("error", said).get("code", "")  # type: ignore[no-any-return]


@dataclass(slots=True)
class Api:
    """A served deployment."""

    kit: Kit
    desks: Desks
    url: str
    http: aiohttp.ClientSession
    keys: dict[str, str]
    """Bearer by person: one for each role, `ben` (a second approver), and `token` once a run is open."""
    run: str = ""

    async def ask(self, who: str | None, method: str, path: str, body: Json = None, **more: object) -> Answer:
        """Send one request as `who`; None sends no bearer."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who is not None else {}
        headers.update(more.pop("headers", {}))  # type: ignore[call-overload]
        options = dict(more)
        if body is not None:
            options["json"] = body
        async with self.http.request(method, self.url + path, headers=headers, **options) as response:  # type: ignore[arg-type]
            kind = response.content_type
            if "json" in kind:
                parsed = await response.json(content_type=None)
            else:
                parsed = await (response.text() if kind.startswith("text/") else response.read())
            return Answer(response.status, kind, parsed, dict(response.headers))

    async def open(self, **body: Json) -> str:
        """Open a run as the agent and keep its token."""
        opened = await self.ask("agent", "POST", "/api/v1/runs", {"instruction": "Help the customer.", **body})
        assert opened.status == 201, opened
        self.run, self.keys["token"] = opened.body["run"], opened.body["token"]
        return self.run

    async def call(self, tool: str, call: str, **arguments: Json) -> Answer:
        """Propose a call as the agent, with its run token."""
        body = {"run": self.run, "call_id": call, "tool": tool, "arguments": arguments}
        return await self.ask("token", "POST", "/v1/tool-calls", body)

    async def held(self, call: str = "c1") -> str:
        """Propose a call that needs one person, and return its approval."""
        answer = await self.held_again(call)
        assert answer.status == 202, answer
        return str(answer.body["approval"])

    async def held_again(self, call: str = "c1") -> Answer:
        """Make that very call once more."""
        return await self.call("mail.send", call, to=["ann@example.com"], body="Hello")


def segment(text: str) -> str:
    """Return `text` as one segment of a path."""
    return quote(text, safe="")


def an_audit_desk(store: Store, folder: Path, clock: Clock) -> AuditDesk:
    """Return the use cases around the audit log of `store`, whose keys are in `folder`."""
    log = Log(store, KeyFiles(folder / "state"), CheckpointFile(folder / "state"), f"interlock/{TENANT}")
    watchman = Watchman(Sequencer(store), Signer(log), 1_000)
    return AuditDesk(log, watchman, Anchorer(store, (), watchman), TENANT, clock)


def a_trace_desk(store: Store, spans: SpanStore | None = None) -> TraceDesk:
    """Return what looks at traces: over spans in memory, unless there are others."""
    kept = spans or MemorySpanStore()
    sums = SumsFollower(store, kept)

    async def refresh() -> None:
        await Sequencer(store).place()
        await catch_up(sums, kept)

    return TraceDesk(store, kept, refresh)


def a_keeping_desk(store: Store, clock: Clock) -> KeepingDesk:
    """Return the use cases around what is kept in `store`: thirty days of everything."""
    times = Times(30 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS)
    vault = store if isinstance(store, SealedStore) else None
    return KeepingDesk(store, clock, Eraser(store, clock), Retention(store, clock, {TENANT: times}), vault)


async def _released(kit: Kit) -> Release:
    return kit.publisher.current()


@asynccontextmanager
async def an_api(folder: Path, spans: SpanStore | None = None) -> AsyncIterator[Api]:
    """Serve a fresh gate whose records are in a SQLite file in `folder`, and whose spans are in memory, or in `spans`."""
    store = await open_store(f"sqlite:///{folder}/gate.db", GivenKey(b"k" * 32))
    try:
        kit = await a_kit(store=store)
        desks = Desks(
            tenant=TENANT,
            gate=kit.gate,
            models=no_models(kit),
            model_calls=ModelDesk(store),
            runs=kit.runs,
            approvals=kit.approvals,
            brakes=kit.brakes,
            access=kit.access,
            contracts=ContractDesk(store, kit.publisher.current, kit.publisher.refresh, kit.clock),
            records=RecordDesk(store, kit.clock),
            audit=an_audit_desk(store, folder, kit.clock),
            traces=a_trace_desk(store, spans),
            keeping=a_keeping_desk(store, kit.clock),
            explain=ExplainDesk(store, lambda: _released(kit), f"interlock/{TENANT}"),
            publisher=kit.publisher,
            replays=ReplayDesk(store, partial(remade, store, TENANT), kit.publisher.current, kit.clock),
        )
        admin, keys = operator_at_the_machine(TENANT, "test"), {}
        for name, roles in {**PEOPLE, "ben": frozenset({Role.APPROVER})}.items():
            agent = AgentId("refunds") if Role.AGENT in roles else None
            keys[name], _ = await kit.access.create_key(admin, name, roles, agent)
        async with serving(build_app(desks, DoorRules())) as url, aiohttp.ClientSession() as http:
            yield Api(kit, desks, url, http, keys)
    finally:
        await store.close()
