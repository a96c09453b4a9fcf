"""Lay what reviewers say of a tool over what its upstream offers; the result is the contract."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from interlock.domain.contracts import Idempotency, Kind, Tier, ToolContract
from interlock.domain.errors import BadInput, ConfigurationError
from interlock.domain.ids import ToolName, checked_id
from interlock.domain.overlays import Overlay
from interlock.domain.pointers import covers
from interlock.domain.provenance import Role
from interlock.domain.schema_paths import property_names, speaks_of
from interlock.tools.argument_schemas import effective_schema
from interlock.tools.guesses import Guess, guess
from interlock.tools.hashing import Digests
from interlock.tools.names import nearest
from interlock.tools.offers import Offer

_UNSAID = Overlay("")
_KEPT = frozenset({"tool", "source", "constraints", "idempotency_name"})


def lay(offer: Offer, overlay: Overlay | None, digests: Digests) -> ToolContract:
    """Return the contract of `offer` under `overlay`; what neither it nor the code says is guessed and marked so.

    Raises ConfigurationError when the overlay contradicts itself or names arguments that the tool does not have.
    """
    said = _merge(offer.declared or _UNSAID, overlay or _UNSAID)
    _refuse_contradictions(said, offer)
    _refuse_unknown_arguments(said, offer)
    guessed = guess(offer, said.kind)
    bare = ToolContract(
        name=_name(said, offer),
        description=said.description if said.description is not None else offer.description,
        input_schema=effective_schema(offer.input_schema, _hidden(said)),
        output_schema=offer.output_schema,
        kind=guessed.kind,
        tier=said.tier if said.tier is not None else guessed.tier,
        upstream=offer.upstream,
        guessed=_guessed(said),
        surface_hash=digests.surface(offer.surface),
    )
    full = dataclasses.replace(bare, **_reviewed(said, guessed))
    full = dataclasses.replace(full, roles=(*full.roles, *_implied(full)))
    return dataclasses.replace(full, hash=digests.contract(full))


def match(
    offers: Iterable[Offer], overlays: Iterable[Overlay], *, lenient: bool = False
) -> tuple[dict[str, Overlay], tuple[str, ...]]:
    """Return the overlay of each offer by its address, and a sentence for each overlay that names no tool.

    Raises ConfigurationError for an overlay that names several tools, for two that name the same, and, unless
    `lenient`, for one that names none.
    """
    known = tuple(offers)
    found: dict[str, Overlay] = {}
    problems: list[str] = []
    for overlay in overlays:
        named = [offer for offer in known if overlay.tool in offer.called]
        if len(named) != 1:
            mismatch = _mismatch(overlay, known, len(named))
            if named or not lenient:
                raise mismatch
            problems.append(str(mismatch))
            continue
        earlier = found.setdefault(named[0].address, overlay)
        if earlier is not overlay:
            raise ConfigurationError(
                f"{overlay.source}: the tool '{overlay.tool}' is described twice",
                why=f"it also stands at {earlier.source}",
                do="Keep one of the two entries",
            )
    return found, tuple(problems)


def _mismatch(overlay: Overlay, offers: tuple[Offer, ...], count: int) -> ConfigurationError:
    if count > 1:
        return ConfigurationError(
            f"{overlay.source}: '{overlay.tool}' names {count} tools",
            why="several connections offer a tool of this name",
            do="Write 'connection/name'",
        )
    close = nearest(overlay.tool, [name for offer in offers for name in offer.called])
    return ConfigurationError(
        f"{overlay.source}: no connection offers the tool '{overlay.tool}'",
        do=f"Did you mean '{close}'?" if close else "Remove the entry, or add the connection",
    )


def _name(said: Overlay, offer: Offer) -> ToolName:
    try:
        return ToolName(checked_id(said.rename or offer.name, "tool's name"))
    except BadInput as error:
        raise ConfigurationError(f"{_where(said, offer)}: {error.what}", do=error.do) from None


def _merge(code: Overlay, file: Overlay) -> Overlay:
    changes = {
        field.name: getattr(file, field.name)
        for field in dataclasses.fields(file)
        if field.name not in _KEPT and getattr(file, field.name) is not None
    }
    if file.idempotency is not None:
        changes["idempotency_name"] = file.idempotency_name
    return dataclasses.replace(
        code, **changes, constraints=code.constraints + file.constraints, source=file.source or code.source
    )


def _implied(contract: ToolContract) -> tuple[tuple[str, Role], ...]:
    """Return the roles that follow from what else the contract says; a role that a reviewer gave comes first."""
    found = []
    if contract.amount is not None:
        found.append((contract.amount.pointer, Role.AMOUNT_MINOR if contract.amount.minor_units else Role.AMOUNT))
    if contract.recipients is not None:
        found += [(contract.recipients, Role.RECIPIENT), (f"{contract.recipients}/*", Role.RECIPIENT)]
    return tuple(one for one in found if not any(covers(pattern, one[0]) for pattern, _ in contract.roles))


def _reviewed(said: Overlay, guessed: Guess) -> dict[str, Any]:
    contract_fields = {field.name for field in dataclasses.fields(ToolContract)}
    skipped = {"description", "kind", "tier"}
    changes = {
        field.name: getattr(said, field.name)
        for field in dataclasses.fields(said)
        if field.name in contract_fields - skipped and getattr(said, field.name) is not None
    }
    if said.idempotency is None:
        changes |= {"idempotency": guessed.idempotency, "idempotency_name": ""}
    return changes


def _guessed(said: Overlay) -> frozenset[str]:
    asked = ("kind", "tier", "idempotency", "reversible", "roles", "output")
    return frozenset(name for name in asked if getattr(said, name) is None)


def _hidden(said: Overlay) -> str | None:
    return said.idempotency_name if said.idempotency is Idempotency.FIELD else None


def _refuse_contradictions(said: Overlay, offer: Offer) -> None:
    kind = guess(offer, said.kind).kind
    needs_name = said.idempotency in {Idempotency.FIELD, Idempotency.HEADER}
    if kind is Kind.WRITE and said.tier is Tier.READ_ONLY:
        problem, do = "tier 0 is for reads, and the tool is a write", "Say 'kind: read', or give it tier 1 to 4"
    elif needs_name and not said.idempotency_name:
        problem, do = f"idempotency by {said.idempotency} needs a name", "Name the field or the header"
    elif said.timeout_ms is not None and said.timeout_ms <= 0:
        problem, do = "the time-out is not above zero", "Give a time such as 10s"
    elif said.max_retries is not None and said.max_retries < 0:
        problem, do = "the number of retries is below zero", "Give 0 or more"
    elif said.max_result_bytes is not None and said.max_result_bytes <= 0:
        problem, do = "the largest result is not above zero", "Give a size in bytes"
    else:
        return
    raise ConfigurationError(f"{_where(said, offer)}: {problem}", do=do)


def _refuse_unknown_arguments(said: Overlay, offer: Offer) -> None:
    pointers = [constraint.pointer for constraint in said.constraints]
    pointers += [pattern for pattern, _ in said.roles or ()]
    if said.amount is not None:
        pointers.append(said.amount.pointer)
        pointers += [said.amount.currency[1:]] if said.amount.currency.startswith("@") else []
    pointers += [said.recipients] if said.recipients else []
    pointers += [f"/{_hidden(said)}"] if _hidden(said) else []
    for pointer in filter(None, pointers):
        if not pointer.startswith("/") or not speaks_of(offer.input_schema, pointer):
            names = property_names(offer.input_schema)
            close = nearest(pointer.removeprefix("/").partition("/")[0], names)
            raise ConfigurationError(
                f"{_where(said, offer)}: the tool has no argument at '{pointer}'",
                why=f"its arguments are {', '.join(names) or 'none'}"[:500],
                do=f"Did you mean '/{close}'?" if close else "Name an argument by a JSON pointer such as '/amount'",
            )


def _where(said: Overlay, offer: Offer) -> str:
    return f"{said.source}: tool '{offer.address}'" if said.source else f"Tool '{offer.address}'"
