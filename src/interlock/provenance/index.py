"""The evidence of a run, indexed: trusted text by atoms and phrases, results by record, untrusted text by atoms."""

import re
from dataclasses import dataclass, field
from typing import Final

from interlock.domain.canonical import Json
from interlock.domain.provenance import FieldKind, OutputFields, Place
from interlock.provenance import numbers, values
from interlock.provenance.roles import escaped, leaves_of

MAX_TRUSTED = 1 << 18
"""Characters of one trusted text that are indexed; what lies behind supports nothing."""
MAX_FIELDS = 50_000
"""Fields of one result that are indexed as records; what lies behind supports nothing."""
MAX_UNTRUSTED = 1 << 20
"""Characters of untrusted text that are indexed one by one; behind that, every value counts as named there."""
MAX_DEPTH = 32


_RUN_ON = re.compile(r"(?<=[a-z0-9])\.(?=[A-Z][a-z])")  # a sentence that begins right behind a full stop


@dataclass(slots=True)
class Words:
    """What people who are trusted have written: the user, or the system instruction."""

    atoms: dict[str, Place] = field(default_factory=dict)
    numbers: dict[str, Place] = field(default_factory=dict)
    """Accounts and the like, without their spacing."""
    phrases: list[tuple[str, Place]] = field(default_factory=list)
    raw: list[tuple[str, Place]] = field(default_factory=list)
    looks: dict[str, str] = field(default_factory=dict)
    amounts: dict[int, tuple[str, Place]] = field(default_factory=dict)
    rates: tuple[int, ...] = ()
    days: frozenset[str] = frozenset()

    def add(self, text: str, place: Place) -> None:
        """Index one text."""
        text = text[:MAX_TRUSTED]
        low = values.plain(text)
        for atom in (*values.chunks(low), *values.chunks(values.plain(_RUN_ON.sub(". ", text)))):
            self.atoms.setdefault(atom, place)
            self.looks.setdefault(values.skeleton(atom), atom)
            if number := values.compact(atom):
                self.numbers.setdefault(number, place)
        for number in values.spaced_numbers(low):
            self.numbers.setdefault(number, place)
        self.phrases.append((values.phrase(low), place))
        self.raw.append((text, place))
        for units, spelling in numbers.amounts(text).items():
            self.amounts.setdefault(units, (spelling, place))
        self.rates = tuple(dict.fromkeys((*self.rates, *numbers.percentages(text))))
        self.days = self.days | numbers.dates(text)

    def atom(self, key: str) -> Place | None:
        """Where an address, id, link or number stands by itself."""
        found = self.atoms.get(key)
        if found is None and self.numbers and (number := values.compact(key)):
            found = self.numbers.get(number)
        return found

    def says(self, words: str) -> Place | None:
        """Where a `phrase` stands."""
        for text, place in self.phrases:
            if words in text:
                return place
        return None


@dataclass(slots=True, eq=False)
class Group:
    """Records that stand side by side in one result."""

    records: "list[Record]" = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    counted: int = -1
    ends: "dict[tuple[str, bool], tuple[Record | None, Record | None]]" = field(default_factory=dict)
    ended: int = -1
    again: bool = False
    """The same look-up was made before: what the user singled out by comparing was singled out then."""


@dataclass(slots=True, eq=False)
class Record:
    """One object of a structured result, or one line of a plain one."""

    place: Place
    group: Group
    parent: "Record | None"
    reached: int
    """How well the user's words led to the look-up: 0 not, 1 among others, 2 exactly."""
    own: bool = False
    outsider: bool = False
    fields: "list[Field]" = field(default_factory=list)
    children: "list[Record]" = field(default_factory=list)
    level: int = 0
    level_at: int = -1
    named: int = 0
    named_at: int = -1


@dataclass(slots=True, eq=False)
class Field:
    """One value of a record."""

    record: Record
    name: str
    value: str | int | float
    place: Place
    author: bool = False


@dataclass(slots=True)
class Index:
    """Everything that a trace looks up."""

    user: Words = field(default_factory=Words)
    system: Words = field(default_factory=Words)
    identity: Words = field(default_factory=Words)
    delegated: Words = field(default_factory=Words)
    fields: dict[str, list[Field]] = field(default_factory=dict)
    amounts: dict[int, list[Field]] = field(default_factory=dict)
    untrusted: dict[str, Place] = field(default_factory=dict)
    untrusted_size: int = 0
    private: dict[str, Place] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """The look-ups made so far."""
    version: int = 0
    """Counts the texts of the user: what a record is worth can change with each."""

    @property
    def tainted(self) -> bool:
        """Whether the run has read text that anybody may have written."""
        return self.untrusted_size > 0

    @property
    def flooded(self) -> bool:
        """Whether there is more untrusted text than is indexed."""
        return self.untrusted_size > MAX_UNTRUSTED

    def add_untrusted(self, text: str, place: Place) -> None:
        """Index text that supports nothing and may have suggested anything."""
        room = MAX_UNTRUSTED - self.untrusted_size
        self.untrusted_size += len(text)
        if room <= 0:
            return
        seen = self.untrusted
        low = values.plain(values.unmasked(text[:room]))
        for chunk in dict.fromkeys(values.chunks(low)):
            looks = values.skeleton(chunk)
            if looks not in seen:
                seen[looks] = place
                if not looks.isalnum():
                    for word in values.words(looks):
                        seen.setdefault(word, place)
        for number in values.spaced_numbers(low):
            seen.setdefault(values.skeleton(number), place)

    def named_by_untrusted(self, key: str) -> Place | None:
        """Where untrusted text names the value, in whatever look-alike spelling."""
        if self.flooded:
            return Place(0, "", "untrusted text that is too long to index")
        looks = values.skeleton(key)
        found = self.untrusted.get(looks)
        if found is None and (number := values.compact(key)):
            found = self.untrusted.get(values.skeleton(number)) or self.untrusted.get(values.skeleton(number[1:]))
        if found is None and " " in key:
            parts = [self.untrusted.get(values.skeleton(word)) for word in values.words(key)]
            if parts and all(parts):
                found = parts[0]
        return found


class Filler:
    """Puts one structured result into an index."""

    def __init__(
        self, index: Index, output: OutputFields, position: int, name: str, reached: int, *, again: bool = False
    ) -> None:
        self.index = index
        self.output = output
        self.position = position
        self.name = name
        self.reached = reached
        self.again = again
        self.count = 0
        self.mine: frozenset[str] = frozenset(index.identity.atoms)
        self.delegates: list[tuple[str, Place]] = []
        self.record, self.prosaic = _parts(output.record), _parts(output.prose)
        self.private, self.author = _parts(output.private), _parts(output.author)
        self.keyed = tuple(one for one in (*self.record, *self.prosaic, *self.private) if "{}" in one)

    def fill(self, value: Json) -> None:
        """Index a parsed result, whatever its shape."""
        group = Group(again=self.again)
        if isinstance(value, list):
            for at, item in enumerate(value):
                self.item(item, [str(at)], group, None)
        else:
            self.item(value, [], group, None)

    def item(self, value: Json, path: list[str], group: Group, parent: Record | None) -> None:
        place = self.place(path)
        record = Record(place, group, parent, self.reached)
        group.records.append(record)
        if parent is not None:
            parent.children.append(record)
        if isinstance(value, dict):
            self.authorship(record, value, path)
            self.entries(record, value, path)
        elif isinstance(value, list):
            self.elements(record, value, path, path[-1] if path else "")
        else:
            self.leaf(record, value, path, path[-1] if path else "")

    def authorship(self, record: Record, value: dict[str, Json], path: list[str]) -> None:
        for key, inner in value.items() if self.author else ():
            if isinstance(inner, str) and self.is_author([*path, key]):
                mine = values.key_of(inner) in self.mine
                record.own, record.outsider = mine, not mine

    def entries(self, record: Record, value: dict[str, Json], path: list[str]) -> None:
        keyed = Group()
        for key, inner in value.items():
            inside = [*path, escaped(key)]
            if self.is_data(inside):
                entry = Record(self.place(inside), keyed, record, self.reached)
                keyed.records.append(entry)
                record.children.append(entry)
                self.leaf(entry, key, inside, "")
                self.inner(entry, inner, inside, "")
            else:
                self.inner(record, inner, inside, key)

    def inner(self, record: Record, value: Json, path: list[str], name: str) -> None:
        if len(path) > MAX_DEPTH:
            self.prose(_flat(value), path)
        elif isinstance(value, dict):
            self.item(value, path, Group(), record)
        elif isinstance(value, list):
            self.elements(record, value, path, name)
        else:
            self.leaf(record, value, path, name)

    def elements(self, record: Record, value: list[Json], path: list[str], name: str) -> None:
        group = Group()
        for at, item in enumerate(value):
            inside = [*path, str(at)]
            if isinstance(item, dict | list) and len(path) < MAX_DEPTH:
                self.item(item, inside, group, record)
            else:
                self.inner(record, item, inside, name)

    def leaf(self, record: Record, value: Json, path: list[str], name: str) -> None:
        if value is None or isinstance(value, bool) or value == "":
            return
        self.count += 1
        if self.kind(path) is FieldKind.PROSE and not record.own:
            self.prose(str(value), path)
            return
        if self.count > MAX_FIELDS:
            return
        place = self.place(path)
        found = Field(record, name, value, place, author=record.outsider and self.is_author(path))
        record.fields.append(found)
        text = str(value)
        key = values.key_of(text[: values.MAX_KEY])
        self.index.fields.setdefault(key, []).append(found)
        if number := values.compact(key):
            self.index.fields.setdefault(number, []).append(found)
        if any(_covers(pattern, path) for pattern in self.private):
            self.index.private[key] = place
            if number:
                self.index.private[number] = place
        if (units := numbers.to_units(value)) is not None:
            self.index.amounts.setdefault(units, []).append(found)
        if self.output.own:
            self.index.identity.add(text, place)

    def prose(self, text: str, path: list[str]) -> None:
        place = self.place(path)
        self.index.add_untrusted(text, place)
        self.delegates.append((text, place))

    def place(self, path: list[str]) -> Place:
        return Place(self.position, "".join(f"/{part}" for part in path), self.name)

    def kind(self, path: list[str]) -> FieldKind:
        best, kind = -1, self.output.kind
        for pattern in self.record:
            if len(pattern) > best and _covers(pattern, path):
                best, kind = len(pattern), FieldKind.RECORD
        for pattern in self.prosaic:
            if len(pattern) >= best and _covers(pattern, path):
                best, kind = len(pattern), FieldKind.PROSE
        return kind

    def is_author(self, path: list[str]) -> bool:
        return any(_covers(pattern, path) for pattern in self.author)

    def is_data(self, path: list[str]) -> bool:
        """Whether the last key of `path` is data, as a pattern with `{}` in its place says."""
        last = len(path) - 1
        return any(
            len(pattern) > last and pattern[last] == "{}" and _covers(pattern[: last + 1], path)
            for pattern in self.keyed
        )


def _flat(value: Json) -> str:
    """The leaves of a value that is too deep to be a record, keys included, one after the other."""
    return "\n".join(f"{pointer} {leaf}" for pointer, leaf in leaves_of({"": value}))


def _parts(patterns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pattern.split("/")[1:]) for pattern in patterns)


def _covers(pattern: tuple[str, ...], path: list[str]) -> bool:
    return len(pattern) <= len(path) and all(
        part in (segment, "*", "{}") for part, segment in zip(pattern, path, strict=False)
    )


LINE_LABEL: Final = ": "


def lines_of(text: str) -> list[str]:
    """Return the values that a plain text of records holds: its lines, each without a leading label."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [line.split(LINE_LABEL, 1)[1].strip() if LINE_LABEL in line else line for line in lines]
