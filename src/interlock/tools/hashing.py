"""Hashes that change whenever a tool's surface or its contract does."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import ConfigurationError

# The output schema and the upstream's details stand in the surface hash; some are a quarter of a megabyte.
_NOT_HASHED = frozenset({"hash", "pinned_hash", "output_schema"})
_SHORT = 32
"""Digits of a definition's digest, 128 bits: contracts of large documents name hundreds of them."""


class Digests:
    """Hashes schemas, computing each definition that many contracts share only once."""

    def __init__(self) -> None:
        # The definition is kept beside its digest so that no other object can take its id meanwhile.
        self._known: dict[int, tuple[Json, str]] = {}

    def schema(self, schema: Json) -> str:
        """Return the SHA-256 of `schema`, in hex."""
        return _digest(self.compact(schema))

    def compact(self, schema: Json) -> Json:
        """Return `schema` with each of its `$defs` replaced by its digest."""
        definitions = schema.get("$defs") if isinstance(schema, Mapping) else None
        if not isinstance(definitions, Mapping):
            return schema
        return {**schema, "$defs": {name: self._definition(inner)[:_SHORT] for name, inner in definitions.items()}}

    def surface(self, surface: JsonObject) -> str:
        """Return the SHA-256 over what an upstream controls (`Offer.surface`), in hex."""
        return _digest({key: self.schema(value) if key in _SCHEMAS else value for key, value in surface.items()})

    def contract(self, contract: ToolContract) -> str:
        """Return the SHA-256 over the whole contract, in hex; only its own hash and its pin stay out."""
        document: dict[str, Json] = {}
        for field in dataclasses.fields(contract):
            value = getattr(contract, field.name)
            if field.name == "input_schema":
                document[field.name] = self.schema(value)
            elif field.name == "upstream":
                document[field.name] = [value.kind, value.server, value.operation]
            elif field.name not in _NOT_HASHED:
                document[field.name] = _plain(value)
        return _digest(document)

    def _definition(self, definition: Json) -> str:
        known = self._known.get(id(definition))
        if known is None:
            known = (definition, _digest(definition))
            self._known[id(definition)] = known
        return known[1]


_SCHEMAS = frozenset({"input", "output"})


def _plain(value: object) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _digest(document: Json) -> str:
    # Not RFC 8785: schemas hold 64-bit bounds, which have no canonical form there. Only this module compares these.
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise ConfigurationError(
            "A tool's schema is not JSON", why="it is nested too deeply, or holds NaN", do="Mend it at the upstream"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()
