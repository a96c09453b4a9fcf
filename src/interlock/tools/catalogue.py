"""Every contract that the gate knows, by name; it never changes, a new one takes its place."""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import ConfigurationError, InterlockError, UnknownTool
from interlock.domain.ids import ToolName
from interlock.domain.overlays import Overlay
from interlock.tools.hashing import Digests
from interlock.tools.names import nearest
from interlock.tools.offers import Offer
from interlock.tools.overlays import lay, match
from interlock.tools.pins import FIRST_USE, PinPolicy, judge, pin
from interlock.tools.ports import Pin
from interlock.tools.schemas import Schema

UNREADABLE = "unreadable"
"""The surface hash of what cannot be hashed; no pin equals it."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Contracts by name, and the surfaces that they were made from."""

    contracts: Mapping[ToolName, ToolContract] = field(default_factory=dict)
    surfaces: Mapping[ToolName, JsonObject] = field(default_factory=dict)
    """What each upstream offers now, for `tools diff` and `tools approve`."""

    def find(self, tool: str, among: Collection[str] | None = None) -> ToolContract:
        """Return the contract that `tool` names, or raise UnknownTool with the nearest name.

        With `among` (an agent's allowlist) other tools neither exist nor are hinted at.
        """
        contract = self.contracts.get(ToolName(tool))
        if contract is not None and (among is None or tool in among):
            return contract
        close = nearest(tool, (name for name in self.contracts if among is None or name in among))
        raise UnknownTool(
            f"There is no tool '{tool[:100]}' here",
            why="the catalogue does not have it, or this agent may not use it",
            do=f"Did you mean '{close}'?" if close else "List the tools that are open to this agent",
        )

    def open_to(self, allowed: Collection[str]) -> tuple[ToolContract, ...]:
        """Return the contracts that `allowed` names, by name; an empty allowlist opens nothing."""
        return tuple(self.contracts[ToolName(name)] for name in sorted(allowed) if name in self.contracts)

    @property
    def names(self) -> frozenset[ToolName]:
        """The names of all tools."""
        return frozenset(self.contracts)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A catalogue as it came out of what the upstreams offer."""

    catalogue: Catalogue
    new_pins: tuple[Pin, ...] = ()
    """Pins of tools seen for the first time, to be stored."""
    problems: tuple[str, ...] = ()
    """A sentence for each offer that was left out: it cannot be called until this is mended."""


def assemble(
    offers: Sequence[Offer],
    overlays: Iterable[Overlay],
    pins: Iterable[Pin],
    policy: PinPolicy,
    now: int,
    *,
    lenient: bool = False,
    digests: Digests | None = None,
) -> Assembly:
    """Return the catalogue of all `offers` (in the order of the configuration) under `overlays` and `pins`.

    A single bad offer is left out and named in `problems`: an upstream cannot bring the gate down. Of two tools of
    one name the earlier keeps it, so that no upstream can put itself in another's place. Raises ConfigurationError
    for an overlay that fits no tool or contradicts itself; when `lenient` (a refresh while serving, an upstream that
    is away) the tool is left out instead. `now` in milliseconds since the epoch.
    """
    hasher = digests if digests is not None else Digests()
    reviewed, unmatched = match(offers, overlays, lenient=lenient)
    known = {each.tool: each for each in pins}
    contracts: dict[ToolName, ToolContract] = {}
    surfaces: dict[ToolName, JsonObject] = {}
    new_pins: list[Pin] = []
    problems = list(unmatched)
    for offer in offers:
        overlay = reviewed.get(offer.address)
        try:
            contract = _contract(offer, overlay, hasher)
        except InterlockError as error:
            if overlay is not None and not lenient:
                raise
            problems.append(f"{offer.address} is left out: {error}")
            continue
        if contract.name in contracts:
            taken = contracts[contract.name].upstream.server
            problems.append(
                f"{offer.address} is left out: {taken} has a tool of that name. Rename one in a contracts file."
            )
            continue
        held = judge(contract, known.get(contract.name), policy)
        contracts[contract.name] = held
        surfaces[contract.name] = offer.surface
        if contract.name not in known and policy is PinPolicy.FIRST_USE:
            new_pins.append(pin(held, offer.surface, FIRST_USE, now, hasher))
    return Assembly(Catalogue(contracts, surfaces), tuple(new_pins), tuple(problems))


def hold_changed(catalogue: Catalogue, offers: Iterable[Offer]) -> Catalogue:
    """Return `catalogue` with every tool quarantined that `offers` now describe differently.

    For a refresh that failed: what an upstream changed must be held even if no whole new catalogue can be made of it.
    """
    digests = Digests()
    now = {offer.address: offer for offer in offers}
    contracts, surfaces = dict(catalogue.contracts), dict(catalogue.surfaces)
    for name, contract in catalogue.contracts.items():
        offer = now.get(f"{contract.upstream.server}/{contract.upstream.operation}")
        if offer is None or offer.surface == catalogue.surfaces.get(name):
            continue
        surface_hash = _surface_hash(offer, digests)
        if surface_hash != contract.surface_hash:
            pinned = contract.pinned_hash or contract.surface_hash
            contracts[name] = dataclasses.replace(contract, surface_hash=surface_hash, pinned_hash=pinned)
            surfaces[name] = offer.surface
    return Catalogue(contracts, surfaces)


def _surface_hash(offer: Offer, digests: Digests) -> str:
    try:
        return digests.surface(offer.surface)
    except ConfigurationError:
        return UNREADABLE


def _contract(offer: Offer, overlay: Overlay | None, digests: Digests) -> ToolContract:
    contract = lay(offer, overlay, digests)
    # Results are compiled at their first use: those of a large OpenAPI document take a second all together.
    Schema(contract.input_schema, f"the arguments of '{contract.name}'")
    return contract
