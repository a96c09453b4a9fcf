"""What each argument of a call goes back to: provenance traced again, over the evidence that the decision saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from interlock.domain.calls import CallRecord
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.ids import CallId
from interlock.domain.pointers import resolve
from interlock.domain.provenance import LeafOrigin, Place
from interlock.gateway.evidence import ContractOf, source_of
from interlock.gateway.explain.accounts import InputAccount, SourceAccount
from interlock.provenance import Evidence, trace
from interlock.runs.ports import EvidenceRow

Rows = Iterable[tuple[EvidenceRow, CallRecord | None]]
_MOST_SOURCES = 3
"""Places that are shown for one value, the most telling first."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """The evidence as the decision saw it, and where each of its sources came from."""

    evidence: Evidence
    rows: tuple[tuple[int, CallId | None], ...]


def inputs_of(
    record: CallRecord, facts: JsonObject, contract: ToolContract | None, rows: Rows, contract_of: ContractOf
) -> tuple[InputAccount, ...]:
    """Return what the values of `record` go back to.

    Where words were erased, or the contract is no longer there, the labels that were recorded with the decision are returned
    without their sources: those never held a value.
    """
    if record.erased or contract is None:
        return _recorded(record, facts)
    heard = _heard(rows, facts.get("evidence", 0), contract_of)
    found = trace(record.call.arguments, contract.roles, heard.evidence, asked_by=contract.asked_by)
    return tuple(_input(leaf, record.call.arguments, heard) for leaf in found.leaves)


def _heard(rows: Rows, until: int, contract_of: ContractOf) -> _Heard:
    evidence, origins = Evidence(), []
    for row, record in rows:
        if until and row.seq > until:
            break
        evidence.add(source_of(row, record, contract_of))
        origins.append((row.seq, row.call))
    return _Heard(evidence, tuple(origins))


def _input(leaf: LeafOrigin, arguments: JsonObject, heard: _Heard) -> InputAccount:
    trusted = [_source(place, heard, trusted=True) for place in leaf.support[:_MOST_SOURCES]]
    doubtful = [_source(place, heard, trusted=False) for place in leaf.suspect[:_MOST_SOURCES]]
    return InputAccount(
        leaf.pointer,
        _value(arguments, leaf.pointer),
        leaf.role.value,
        leaf.seen.value,
        leaf.supported,
        leaf.reason,
        (*trusted, *doubtful),
    )


def _source(place: Place, heard: _Heard, *, trusted: bool) -> SourceAccount:
    seq, call = heard.rows[place.source] if place.source < len(heard.rows) else (0, None)
    return SourceAccount(seq, place.name, place.pointer, trusted, call)


def _recorded(record: CallRecord, facts: JsonObject) -> tuple[InputAccount, ...]:
    provenance = facts.get("provenance")
    leaves = provenance.get("leaves", ()) if isinstance(provenance, Mapping) else ()
    return tuple(
        InputAccount(
            each["pointer"],
            None if record.erased else _value(record.call.arguments, each["pointer"]),
            each["role"],
            each["seen"],
            each["supported"],
            "The words are erased; this is the label that was recorded." if record.erased else "As it was recorded.",
            (),
        )
        for each in leaves
    )


def _value(arguments: JsonObject, pointer: str) -> Json:
    found = resolve(arguments, pointer) if pointer else ()
    return found[0][1] if found else None
