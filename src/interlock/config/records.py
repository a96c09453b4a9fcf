"""Lists and mappings of other shapes. What a mapping does not know is a problem, never ignored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.config.nodes import Node, Scalar, Series, Table
from interlock.config.problems import Findings, echo, looks_secret
from interlock.config.shapes import REFUSED, Read, Shape, spot_of
from interlock.domain.canonical import Json
from interlock.domain.problems import Spot


@dataclass(frozen=True, slots=True)
class ListOf(Shape):
    """A list; with `lone`, a single value stands for a list of one."""

    item: Shape
    least: int = 0
    lone: bool = False

    @property
    def words(self) -> str:  # type: ignore[override]
        some = f"at least {self.least} in " if self.least else ""
        return f"{some}a list of: {self.item.words}" + (", or one of them alone" if self.lone else "")

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if self.lone and not isinstance(node, Series):
            value = self.item.read(node, spot, found)
            return REFUSED if value is REFUSED else (value,)
        if not isinstance(node, Series) or len(node.items) < self.least:
            return self.refuse(node, spot, found)
        read = [
            self.item.read(item, spot_of(item, spot.file, f"{spot.key}[{index}]"), found)
            for index, item in enumerate(node.items)
        ]
        return tuple(value for value in read if value is not REFUSED)

    def schema(self) -> Json:
        item = self.item.schema()
        listed: Json = {"type": "array", "items": item} | ({"minItems": self.least} if self.least else {})
        return {"anyOf": [listed, item]} if self.lone else listed


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a mapping whose keys are free."""

    key: Any
    value: Any
    spot: Spot
    """Where the key stands."""


@dataclass(frozen=True, slots=True)
class MapOf(Shape):
    """A mapping whose keys are names of the user's own; read as a tuple of Entry."""

    key: Shape
    value: Shape
    least: int = 0

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"a mapping from {self.key.words} to {self.value.words}"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Table) or len(node.entries) < self.least:
            return self.refuse(node, spot, found)
        entries = []
        for key, value in node.entries:
            path = f"{spot.key}.{key.text}" if not looks_secret(key.text) else spot.key
            at = spot_of(key, spot.file, path)
            name = self.key.read(key, at, found)
            inner = self.value.read(value, spot_of(value, spot.file, path), found)
            if name is not REFUSED and inner is not REFUSED:
                entries.append(Entry(name, inner, at))
        return tuple(entries)

    def schema(self) -> Json:
        names = self.key.schema()
        if names.get("type") != "string":
            # Keys of JSON objects are texts, so numbers as keys are matched by their digits.
            names = {"enum": [str(name) for name in names["enum"]]} if "enum" in names else {}
        least = {"minProperties": self.least} if self.least else {}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.value.schema(), **least}


@dataclass(frozen=True, slots=True)
class ByForm(Shape):
    """Different shapes for a single value and for a mapping."""

    scalar: Shape
    table: Shape

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"{self.scalar.words}, or {self.table.words}"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if isinstance(node, Series) or (isinstance(node, Scalar) and node.value is None):
            return self.refuse(node, spot, found)
        return (self.table if isinstance(node, Table) else self.scalar).read(node, spot, found)

    def schema(self) -> Json:
        return {"anyOf": [self.scalar.schema(), self.table.schema()]}


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a record."""

    name: str
    shape: Shape
    doc: str
    required: bool = False
    default: str = ""
    """What holds when the key is absent, for the reference page."""


@dataclass(frozen=True, slots=True)
class Section:
    """A record as read: its values by key, and where each stands. Keys that were refused are absent."""

    spot: Spot
    values: Mapping[str, Any]
    spots: Mapping[str, Spot]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def get(self, key: str, default: Read = None) -> Read:
        """Return the value of `key`, or `default` when the file does not say it."""
        return self.values.get(key, default)

    def at(self, key: str) -> Spot:
        """Return where the value of `key` stands, or the section itself when it is absent."""
        return self.spots.get(key, self.spot)


@dataclass(frozen=True, slots=True)
class Record(Shape):
    """A mapping with known keys. Anything else in it is a problem: a misspelt control must never be ignored."""

    name: str
    fields: tuple[Field, ...]
    doc: str = ""
    alone: bool = False
    """Whether exactly one of the keys must be there."""
    known: Mapping[str, Field] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", {each.name: each for each in self.fields})

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"{self.name} with {'one of ' if self.alone else ''}the keys: {', '.join(self.known)}"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Table):
            return self.refuse(node, spot, found)
        values: dict[str, Any] = {}
        spots: dict[str, Spot] = {}
        present = {key.text for key, _ in node.entries}
        for key, value in node.entries:
            path = f"{spot.key}.{key.text}" if spot.key else key.text
            if key.text not in self.known:
                near = found.near(key.text, set(self.known) - present)
                where = spot_of(key, spot.file, spot.key)
                found.add(where, f"The key {echo(key.text)} is not known here", f"one of {', '.join(self.known)}", near)
                continue
            spots[key.text] = spot_of(value, spot.file, path)
            read = self.known[key.text].shape.read(value, spots[key.text], found)
            if read is not REFUSED:
                values[key.text] = read
        return Section(spot, values, spots) if self._complete(present, values, spot, found) else REFUSED

    def _complete(self, present: set[str], values: Mapping[str, Any], spot: Spot, found: Findings) -> bool:
        missing = [each for each in self.fields if each.required and each.name not in present]
        for each in missing:
            found.add(spot, f"The key '{each.name}' is missing in {self.name}", each.shape.words)
        if self.alone and len(present & set(self.known)) != 1:
            found.add(spot, f"Exactly one key must stand in {self.name}", f"one of {', '.join(self.known)}")
            return False
        return all(each.name in values for each in self.fields if each.required) and (
            not self.alone or len(values) == 1
        )

    def schema(self) -> Json:
        properties = {each.name: {"description": each.doc, **each.shape.schema()} for each in self.fields}
        required = [each.name for each in self.fields if each.required]
        made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            made["required"] = required
        if self.alone:
            made |= {"minProperties": 1, "maxProperties": 1}
        return made
