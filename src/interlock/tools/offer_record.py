"""The recorded form of an offer: plain JSON, from which the very same offer is made again."""

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import AmountField, Constraint, Environment, Idempotency, Kind, Tier, Upstream
from interlock.domain.errors import MalformedJson
from interlock.domain.overlays import Overlay
from interlock.domain.provenance import FieldKind, OutputFields, Role, Trust
from interlock.tools.offers import Offer

_WORDS: Mapping[str, type[Enum]] = {
    "kind": Kind,
    "tier": Tier,
    "environment": Environment,
    "idempotency": Idempotency,
}


def offer_json(offer: Offer) -> JsonObject:
    """Return `offer` as JSON values; `offer_from_json` gives it back."""
    return {
        "name": offer.name,
        "description": offer.description,
        "input": offer.input_schema,
        "output": offer.output_schema,
        "upstream": [offer.upstream.kind, offer.upstream.server, offer.upstream.operation, offer.upstream.details],
        "method": offer.method,
        "hints": offer.hints,
        "declared": None if offer.declared is None else _said(offer.declared),
    }


def offer_from_json(record: JsonObject) -> Offer:
    """Return the offer that `record` holds. Raises MalformedJson when it holds none."""
    try:
        declared = record["declared"]
        return Offer(
            record["name"],
            record["description"],
            record["input"],
            record["output"],
            Upstream(*record["upstream"]),
            record["method"],
            record["hints"],
            None if declared is None else _overlay(declared),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MalformedJson("The record does not hold a tool as it was offered") from None


def _said(overlay: Overlay) -> dict[str, Json]:
    defaults = Overlay("")
    return {
        field.name: _plain(getattr(overlay, field.name))
        for field in dataclasses.fields(overlay)
        if getattr(overlay, field.name) != getattr(defaults, field.name)
    }


def _plain(value: object) -> Json:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _overlay(record: JsonObject) -> Overlay:
    fields: dict[str, Any] = {name: _field(name, value) for name, value in record.items()}
    return Overlay(**{"tool": "", **fields})


def _field(name: str, value: Json) -> object:
    match name:
        case "kind" | "tier" | "environment" | "idempotency":
            return _WORDS[name](value)
        case "amount":
            return AmountField(**value)
        case "roles":
            return tuple((pattern, Role(role)) for pattern, role in value)
        case "output":
            return _output(value)
        case "constraints":
            return tuple(constraint_from_json(each) for each in value)
        case _:
            return tuple(value) if isinstance(value, list) else value


def _output(record: JsonObject) -> OutputFields:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    default = fields.pop("default")
    return OutputFields(**{**fields, "trust": Trust(fields["trust"]), "default": default and FieldKind(default)})


def constraint_from_json(record: JsonObject) -> Constraint:
    """Return the constraint whose fields `record` holds."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    return Constraint(**fields)
