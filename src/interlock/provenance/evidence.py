"""The evidence of one run: an append-only list of sources, indexed as it grows."""

import json
from collections.abc import Iterable

from interlock.domain.canonical import JsonObject
from interlock.domain.provenance import FieldKind, Origin, Place, Role, Seen, Source
from interlock.provenance import values
from interlock.provenance.anchors import AMONG, NAMED
from interlock.provenance.index import Filler, Index, lines_of
from interlock.provenance.numbers import same_day
from interlock.provenance.reading import Unstructured, read
from interlock.provenance.roles import leaves_of, role_of
from interlock.provenance.support import find, is_constant

MAX_ARGUMENTS = 200
A_FEW = 3
"""A look-up that answers with more records than this leads to none of them: who picks among many needs another reason."""
_NAMES = {
    Origin.SYSTEM: "the system instruction",
    Origin.USER: "the user's instruction",
    Origin.IDENTITY: "the user's identity",
}
_DOCUMENTS = frozenset({Role.FILE, Role.URL, Role.ID})


class Evidence:
    """What a run has been told and has read. The index depends on the list of sources alone, in their order."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources: list[Source] = []
        self.index = Index()
        for source in sources:
            self.add(source)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything added so far, in order."""
        return tuple(self._sources)

    def add(self, source: Source) -> None:
        """Append one source. Never raises for what the source contains."""
        position = len(self._sources)
        self._sources.append(source)
        if source.origin is Origin.TOOL:
            self._add_result(source, position)
            return
        place = Place(position, "", _NAMES[source.origin])
        words = {Origin.SYSTEM: self.index.system, Origin.USER: self.index.user, Origin.IDENTITY: self.index.identity}
        words[source.origin].add(source.text, place)
        self.index.version += 1

    def _add_result(self, source: Source, position: int) -> None:
        name = f"the result of {source.tool}"
        if source.failed:
            self.index.add_untrusted(source.text, Place(position, "", name))
            return
        reached, named = self._reached(source)
        lookup = f"{source.tool} {json.dumps(source.arguments, sort_keys=True, default=str)}"
        filler = Filler(self.index, source.output, position, name, reached, again=lookup in self.index.asked)
        self.index.asked.add(lookup)
        value = read(source.text)
        if isinstance(value, Unstructured):
            self._fill_text(source, filler)
        else:
            filler.reached = _shared(reached, len(value) if isinstance(value, list) else 1)
            filler.fill(value)
        if named:
            for text, place in filler.delegates:
                self.index.delegated.add(text, place)
        self.index.version += bool(source.output.own)

    @staticmethod
    def _fill_text(source: Source, filler: Filler) -> None:
        output = source.output
        if output.record or output.prose or output.kind is FieldKind.PROSE:
            # A text without the structure which the contract speaks of may hold anybody's words anywhere.
            filler.prose(source.text, [])
            return
        lines = lines_of(source.text)
        filler.reached = _shared(filler.reached, len(lines))
        filler.fill(lines)

    def _reached(self, source: Source) -> tuple[int, bool]:
        """How well the user's words led to this look-up, and whether the user named the very document.

        One argument that only untrusted text supplied, or a pointing one that came from nowhere, breaks the lead.
        """
        if source.output.own:
            return NAMED, False
        best, weakest, document = 0, NAMED, False
        for count, (pointer, value) in enumerate(leaves_of(source.arguments or {})):
            if count >= MAX_ARGUMENTS:
                return 0, False
            if is_constant(value) or isinstance(value, int | float):
                if isinstance(value, int | float) and role_of(pointer, source.roles)[0] in _DOCUMENTS:
                    found = find(value, Role.ID, pointer, self.index)
                    best, weakest = max(best, found.strength), min(weakest, found.strength)
                continue
            role = role_of(pointer, source.roles)[0]
            found = find(value, role, pointer, self.index)
            strength = found.strength or (0 if role.consequential else self._spoken(str(value)))
            if not strength and ((role.consequential and role is not Role.TEXT_OUT) or found.seen is Seen.UNTRUSTED):
                return 0, False
            if strength:
                best, weakest = max(best, strength), min(weakest, strength)
                document = document or (role in _DOCUMENTS and found.seen is Seen.USER)
        return (weakest, document) if best else (0, False)

    def _spoken(self, value: str) -> int:
        """NAMED when the user's text has every word of a query that says something, else 0."""
        if same_day(value, self.index.user.days):
            return NAMED
        told = [word for word in values.words(values.plain(value[: values.MAX_KEY])) if len(word) > 2]
        said = bool(told) and all(self.index.user.says(f" {word} ") for word in told)
        return NAMED if said and any(len(word) > 3 for word in told) else 0

    def add_result(self, tool: str, arguments: JsonObject, text: str) -> None:
        """Append the result of a tool about which no contract says anything: all of it counts as anybody's words."""
        self.add(Source(Origin.TOOL, text, tool, arguments))


def _shared(reached: int, records: int) -> int:
    """How well a look-up leads to each of the records that it answers with."""
    if records <= 1:
        return reached
    return min(reached, AMONG) if records <= A_FEW else 0
