"""Make releases: ask every upstream what it offers, hold it to the pins, compile policies, swap the whole."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from interlock.domain.agents import AgentPolicy, Engine
from interlock.domain.audit import AuditKind
from interlock.domain.budgets import Limit
from interlock.domain.contracts import Tier, ToolContract
from interlock.domain.errors import ConfigurationError, ToolFailed
from interlock.domain.ids import AgentId, TenantId, ToolName
from interlock.domain.overlays import Overlay
from interlock.domain.problems import Problem
from interlock.gateway.archive import SUBJECT, Declared, Part, packed, published_body, release_id
from interlock.gateway.ports import Clock
from interlock.gateway.release import ApprovalTerms, Release
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import event
from interlock.policy.policy_set import DEFAULT_SAMPLING, publish
from interlock.policy.ports import ConditionEngine, PolicyEngine
from interlock.policy.unpublished import Unpublished
from interlock.tools.catalogue import Assembly, Catalogue, assemble, hold_changed
from interlock.tools.offers import Offer
from interlock.tools.pins import PinPolicy
from interlock.tools.ports import Pin
from interlock.tools.proposals import ProposalSchema


class OfferSource(Protocol):
    """An upstream that can say what it offers."""

    @property
    def name(self) -> str:
        """The connection's name in the configuration."""

    async def offers(self) -> tuple[Offer, ...]:
        """Return every tool that the upstream offers now. Raises ToolFailed or ConfigurationError."""


Engines = Callable[[Mapping[ToolName, ToolContract]], tuple[PolicyEngine, ...]]
"""Publishes the deployment's Cedar and Rego policies against a catalogue. Raises ConfigurationError."""


class Unresolved(Protocol):
    """Holds the names in the configuration's controls against what there is."""

    def __call__(self, tools: Iterable[ToolName], categories: Iterable[str], /) -> tuple[Problem, ...]:
        """Return a problem, with its line, for every tool or category that a control names and that is not there."""


def _nothing(_tools: Iterable[ToolName], _categories: Iterable[str], /) -> tuple[Problem, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the configuration declares, free of files."""

    tenant: TenantId
    agents: tuple[AgentPolicy, ...]
    overlays: tuple[Overlay, ...] = ()
    limits: tuple[Limit, ...] = ()
    terms: Mapping[Tier, ApprovalTerms] = field(default_factory=dict)
    proposals: Mapping[AgentId, ProposalSchema] = field(default_factory=dict)
    unresolved: Unresolved = _nothing
    pins: PinPolicy = PinPolicy.FIRST_USE
    sampling: int = DEFAULT_SAMPLING
    files: Declared = field(default_factory=Declared)
    """Where all of this stands, to be archived with every release."""


class Publisher:
    """Holds the current release."""

    def __init__(
        self,
        store: Store,
        sources: tuple[OfferSource, ...],
        declaration: Declaration,
        languages: Mapping[Engine, ConditionEngine],
        engines: Engines,
        clock: Clock,
    ) -> None:
        """Publish `declaration` over whatever `sources` offer."""
        self._store = store
        self._sources = sources
        self._declaration = declaration
        self._languages = languages
        self._engines = engines
        self._clock = clock
        self._offers: dict[str, tuple[Offer, ...]] = {}
        self._assembled: Mapping[str, Offer] = {}
        """What the current release was made of, by address."""
        self._problems: tuple[str, ...] = ()
        self._current = Release(Catalogue(), {})
        self._ever_published = False
        self._refreshing = asyncio.Lock()

    def current(self) -> Release:
        """Return the release under which the next call is decided."""
        return self._current

    @property
    def published(self) -> bool:
        """Whether a release was ever made; before, nothing is declared and every call is refused."""
        return self._ever_published

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong at the last refresh, a sentence each."""
        return self._problems

    async def refresh(self) -> None:
        """Ask every upstream again and swap in a new release.

        An upstream that does not answer keeps the tools that it offered last; one never seen has none. Raises
        ConfigurationError when the declaration does not fit what is offered; the release before stays in force, and what
        has changed since is held.
        """
        async with self._refreshing:
            try:
                await self._swap()
            except ConfigurationError:
                # An upstream must not get round its pin by offering what does not fit the configuration.
                held = hold_changed(self._current.catalogue, self._offered())
                if held.contracts != self._current.catalogue.contracts:
                    self._current = await self._archived(replace(self._current, catalogue=held), self._assembled)
                raise

    async def _swap(self) -> None:
        unreachable = await self._ask()
        offers, missing = self._offered(), bool(unreachable)
        known = await self._store.read(lambda tx: tx.pins.all())
        # In a thread: the catalogue of a large OpenAPI document takes a good part of a second to make.
        assembly = await asyncio.to_thread(self._assemble, offers, known, missing=missing)
        if assembly.new_pins:
            new_pins = assembly.new_pins
            known = await self._store.transact(lambda tx: _pin_new(tx, self._declaration.tenant, new_pins))
            assembly = await asyncio.to_thread(self._assemble, offers, known, missing=missing)
        if not unreachable:
            self._refuse_unknown(assembly.catalogue)
        assembled = {offer.address: offer for offer in offers}
        release = published(self._declaration, assembly.catalogue, self._languages, self._engines, missing=missing)
        self._current = await self._archived(release, assembled)
        self._assembled = assembled
        self._ever_published = True
        self._problems = (*unreachable, *assembly.problems)

    async def _archived(self, release: Release, offers: Mapping[str, Offer]) -> Release:
        """Return `release` with its id, once it can be made again from the archive and the trail says that it is in force."""
        declared, agents = self._declaration, tuple(release.agents.values())
        id = release_id(declared.files, release.catalogue, agents)
        if id != self._current.id:
            now = self._clock.now()
            part = await asyncio.to_thread(
                packed, id, declared.tenant, declared.files, release.catalogue, offers, agents, now
            )
            await self._store.transact(lambda tx: _keep(tx, part, now))
        return replace(release, id=id)

    def _offered(self) -> tuple[Offer, ...]:
        return tuple(offer for source in self._sources for offer in self._offers.get(source.name, ()))

    async def _ask(self) -> tuple[str, ...]:
        answers = await asyncio.gather(*(source.offers() for source in self._sources), return_exceptions=True)
        unreachable: list[str] = []
        wrong: list[BaseException] = []
        for source, answer in zip(self._sources, answers, strict=True):
            if isinstance(answer, ToolFailed):
                unreachable.append(f"{source.name} does not say what it offers: {answer}")
            elif isinstance(answer, BaseException):
                wrong.append(answer)
            else:
                self._offers[source.name] = answer
        if wrong:
            raise wrong[0]
        return tuple(unreachable)

    def _assemble(self, offers: tuple[Offer, ...], pins: tuple[Pin, ...], *, missing: bool) -> Assembly:
        # A reviewer's word on a tool whose upstream is down fits nothing now, and is not an error for that.
        present = {offer.upstream.server for offer in offers}
        overlays = self._declaration.overlays
        if missing:
            names = {offer.name for offer in offers}
            overlays = tuple(one for one in overlays if one.tool in names or one.tool.split("/")[0] in present)
        return assemble(offers, overlays, pins, self._declaration.pins, self._clock.now())

    def _refuse_unknown(self, catalogue: Catalogue) -> None:
        categories = {contract.category for contract in catalogue.contracts.values()}
        problems = self._declaration.unresolved(catalogue.names, categories)
        if problems:
            raise ConfigurationError(
                "The configuration names tools or categories that do not exist",
                why="a control on a tool that does not exist protects nothing",
                do="Correct the names",
                problems=problems,
            )


def published(
    declared: Declaration,
    catalogue: Catalogue,
    languages: Mapping[Engine, ConditionEngine],
    engines: Engines,
    *,
    missing: bool = False,
) -> Release:
    """Return the release of `declared` over `catalogue`; `missing` says that tools are away which policies may speak of.

    Raises ConfigurationError when the declaration does not fit the catalogue.
    """
    try:
        asked = engines(catalogue.contracts)
    except ConfigurationError as error:
        if not missing:
            raise
        # They may speak of tools that are merely away. The gate starts, says so, and allows nothing until they are back.
        asked = (Unpublished(f"The policies wait for an upstream that does not answer. {error.what}."),)
    agents = {
        agent.id: publish(agent, catalogue.contracts, languages, asked, sampling=declared.sampling)
        for agent in declared.agents
    }
    return Release(catalogue, agents, declared.limits, declared.terms, declared.proposals)


def _keep(tx: Tx, part: Part, now: int) -> None:
    """Archive a release, and note it in the trail unless it is the one that was published last."""
    release = part.release
    tx.releases.keep(release, part.parts)
    subject = f"{SUBJECT}{release.id}"
    last = tx.audit.search(release.tenant, subject=SUBJECT, limit=1)
    if not last or last[0].subject != subject:
        body = published_body(release)
        tx.audit.append(event(release.tenant, AuditKind.POLICY_PUBLISHED, now, "gateway", subject, body))


def _pin_new(tx: Tx, tenant: TenantId, pins: tuple[Pin, ...]) -> tuple[Pin, ...]:
    for pin in pins:
        if tx.pins.find(pin.tool) is None:
            tx.pins.put(pin)
            body = {"surface": pin.surface_hash, "tool": pin.tool}
            tx.audit.append(event(tenant, AuditKind.CONTRACT_SEEN, pin.pinned_at, pin.pinned_by, pin.tool, body))
    return tx.pins.all()
