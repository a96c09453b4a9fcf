"""What a release is made of, by hash: enough to make it again, with no upstream and no file of today."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import ConfigurationError, MalformedJson
from interlock.domain.ids import TenantId, ToolName
from interlock.policy.policy_set import PolicySet
from interlock.policy.releases import ArchivedRelease
from interlock.tools.catalogue import Catalogue
from interlock.tools.offer_record import offer_from_json, offer_json
from interlock.tools.offers import Offer

SUBJECT: Final = "release/"
"""How the subject of an audit event names a release."""
_DEFINITIONS = "$defs"
_PART = "$part"


@dataclass(frozen=True, slots=True)
class Declared:
    """The files of a deployment, word for word. Without any, a release was declared in code and cannot be made again."""

    entry: str = ""
    """Which of `files` is interlock.yaml."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """By path, from the folder that holds them all; with slashes."""
    absent: tuple[str, ...] = ()
    """Files that must be there and are not kept: what they say stands in the offers."""


@dataclass(frozen=True, slots=True)
class Part:
    """A release made ready to be kept."""

    release: ArchivedRelease
    parts: Mapping[str, bytes]


def release_id(declared: Declared, catalogue: Catalogue, agents: Iterable[PolicySet]) -> str:
    """Return one hash over everything that decides. Cheap: contracts and policies have hashes already."""
    made_of = {
        "files": {path: _hash(body) for path, body in declared.files.items()},
        "tools": {name: _standing(contract) for name, contract in catalogue.contracts.items()},
        "agents": {each.agent.id: each.version for each in agents},
    }
    return _hash(canonical_json(made_of))


def packed(
    id: str,
    tenant: TenantId,
    declared: Declared,
    catalogue: Catalogue,
    offers: Mapping[str, Offer],
    agents: Iterable[PolicySet],
    now: int,
) -> Part:
    """Return the release `id` with all its parts; `offers` are by address."""
    shelf = _Shelf()
    tools: dict[str, Json] = {}
    for name, contract in sorted(catalogue.contracts.items()):
        offer = offers.get(f"{contract.upstream.server}/{contract.upstream.operation}")
        if offer is not None:
            tools[name] = [shelf.offer(offer), *_standing(contract)]
    manifest = {
        "entry": declared.entry,
        "files": {path: shelf.put(body) for path, body in sorted(declared.files.items())},
        "absent": list(declared.absent),
        "tools": tools,
        "agents": {each.agent.id: [each.agent.version, each.version] for each in agents},
    }
    return Part(ArchivedRelease(id, tenant, now, manifest), shelf.parts)


def published_body(release: ArchivedRelease) -> JsonObject:
    """Return what the audit trail says of a release: hashes and versions, which stay provable when files are gone."""
    manifest = release.manifest
    return {
        "agents": manifest["agents"],
        "files": manifest["files"],
        "release": release.id,
        "tools": {name: [contract, pinned] for name, (_, contract, _, pinned) in manifest["tools"].items()},
    }


def part_hashes(manifest: JsonObject) -> tuple[str, ...]:
    """Return the hashes of the parts that `manifest` names; offers name further ones."""
    return (*manifest["files"].values(), *(entry[0] for entry in manifest["tools"].values()))


def definition_hashes(manifest: JsonObject, parts: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the hashes of the definitions that the offers of `manifest` name."""
    found: dict[str, None] = {}
    for entry in manifest["tools"].values():
        record = _loaded(parts, entry[0])
        for key in ("input", "output"):
            definitions = (record[key] or {}).get(_DEFINITIONS, {})
            found.update((each[_PART], None) for each in definitions.values())
    return tuple(found)


def unpacked_files(manifest: JsonObject, parts: Mapping[str, bytes]) -> Declared:
    """Return the files of an archived release. Raises ConfigurationError when the archive lacks one, or there are none."""
    if not manifest["files"]:
        raise ConfigurationError(
            "The release was declared in code, not in files",
            why="only what stands in files can be made again",
            do="Publish from an interlock.yaml",
        )
    files = {path: _body(parts, name) for path, name in manifest["files"].items()}
    return Declared(manifest["entry"], files, tuple(manifest["absent"]))


def unpacked_offers(manifest: JsonObject, parts: Mapping[str, bytes]) -> tuple[Offer, ...]:
    """Return every tool of an archived release as it was offered. Raises ConfigurationError, MalformedJson."""
    definitions: dict[str, Json] = {}
    return tuple(_offer(_loaded(parts, entry[0]), parts, definitions) for _, entry in sorted(manifest["tools"].items()))


def as_pinned(catalogue: Catalogue, manifest: JsonObject) -> Catalogue:
    """Return `catalogue` with every tool standing to its pin as it did when the release was published."""
    contracts: dict[ToolName, ToolContract] = {}
    for name, contract in catalogue.contracts.items():
        entry = manifest["tools"].get(name)
        pinned = replace(contract, surface_hash=entry[2], pinned_hash=entry[3]) if entry is not None else contract
        contracts[name] = pinned
    return Catalogue(contracts, catalogue.surfaces)


def _standing(contract: ToolContract) -> list[str]:
    return [contract.hash, contract.surface_hash, contract.pinned_hash]


class _Shelf:
    """Parts by hash. A definition that many schemas share is written once."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        # The definition is kept beside its hash so that no other object can take its id meanwhile.
        self._known: dict[int, tuple[Json, str]] = {}

    def put(self, body: bytes) -> str:
        name = _hash(body)
        self.parts[name] = body
        return name

    def offer(self, offer: Offer) -> str:
        record = dict(offer_json(offer))
        for key in ("input", "output"):
            record[key] = self._compact(record[key])
        return self.put(_dumped(record))

    def _compact(self, schema: Json) -> Json:
        definitions = schema.get(_DEFINITIONS) if isinstance(schema, Mapping) else None
        if not isinstance(definitions, Mapping):
            return schema
        return {**schema, _DEFINITIONS: {name: {_PART: self._definition(one)} for name, one in definitions.items()}}

    def _definition(self, definition: Json) -> str:
        known = self._known.get(id(definition))
        if known is None:
            known = self._known[id(definition)] = (definition, self.put(_dumped(definition)))
        return known[1]


def _offer(record: dict[str, Json], parts: Mapping[str, bytes], known: dict[str, Json]) -> Offer:
    for key in ("input", "output"):
        schema = record[key]
        if isinstance(schema, dict) and _DEFINITIONS in schema:
            whole = {name: _shared(one[_PART], parts, known) for name, one in schema[_DEFINITIONS].items()}
            record[key] = {**schema, _DEFINITIONS: whole}
    return offer_from_json(record)


def _shared(name: str, parts: Mapping[str, bytes], known: dict[str, Json]) -> Json:
    if name not in known:
        known[name] = _loaded(parts, name)
    return known[name]


def _body(parts: Mapping[str, bytes], name: str) -> bytes:
    body = parts.get(name)
    if not isinstance(body, bytes) or _hash(body) != name:
        raise ConfigurationError(
            "A part of an archived release is missing or changed", why=f"its hash should be {name[:16]}"
        )
    return body


def _loaded(parts: Mapping[str, bytes], name: str) -> Json:
    try:
        return json.loads(_body(parts, name))
    except ValueError:
        raise MalformedJson("A part of an archived release is not JSON") from None


def _dumped(value: Json) -> bytes:
    # Schemas hold 64-bit bounds, for which the canonical form has no place.
    return json.dumps(value, default=_listed, separators=(",", ":")).encode()


def _listed(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
