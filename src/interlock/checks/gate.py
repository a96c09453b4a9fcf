"""Say in one pass over the bytes whether anything can be in a text; nearly all texts are done with that."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import re2

from interlock.checks.finding import Detector

_MEMORY = 64 << 20
"""Bytes that one automaton may take; its states are made as texts ask for them."""
_EDGE = re.compile(r"\\[bz]")
_AFTER_ESCAPE = r"(?:\b|\\[bfnrtv])"
"""In JSON, what follows a line break follows the letter n."""
_END = r"(?:[^0-9A-Za-z\-]|-[^0-9A-Za-z_]|-?\z)"


@dataclass(frozen=True, slots=True)
class Gate:
    """The hints of all detectors in one automaton, and which of them spoke in another. Used by many threads at once."""

    _texts: "re2._Regexp"
    _binary: "re2._Regexp"
    _which: re2.Set
    _count: int

    @staticmethod
    def of(detectors: Iterable[Detector], always: Iterable[str]) -> "Gate":
        """Return a gate for what `detectors` find; the patterns of `always` speak in any case."""
        families = ["|".join(f"(?:{hint})" for hint in detector.hints) for detector in detectors]
        whole = "|".join((*families, *always))
        which = re2.Set.SearchSet(_options())
        for family in families:
            which.Add(_in_text(family))
        which.Compile()
        texts = re2.compile(_in_text(whole), _options())
        return Gate(texts, re2.compile(_EDGE.sub("", whole), _options()), which, len(families))

    def speaks(self, data: bytes, *, binary: bool) -> bool:
        """Return whether something may be in `data`; in a `binary` format nothing is known of what stands beside a text."""
        return (self._binary if binary else self._texts).search(data) is not None

    def which(self, data: bytes) -> list[int]:
        """Return the places of the detectors that may find something in `data`, a text that the gate did not let pass."""
        # RE2 tells nothing when an automaton outgrows its memory; then all have to look.
        return self._which.Match(data) or list(range(self._count))


def _in_text(hint: str) -> str:
    return _EDGE.sub(lambda edge: _AFTER_ESCAPE if edge.group() == r"\b" else _END, hint)


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.never_capture = True
    options.log_errors = False
    return options
