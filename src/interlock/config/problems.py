"""What is wrong with a configuration: every problem at its place, said so that a tired person can mend it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName

_NEAR_ENOUGH = 0.55
_LONGEST_ECHO = 60
_SECRET = re.compile(
    r"sk[-_](live|test|proj|ant)[-_]?\w|[rs]k_(live|test)_\w|whsec_\w|gh[pousr]_\w|github_pat_\w|glpat-\w|xox[abprs]-\w"
    r"|AKIA[A-Z0-9]{12}|AIza\w{20}|eyJ[\w-]{10,}\.[\w-]{10,}|-----BEGIN|(?i:bearer)\s+[\w.+/=-]{12,}"
)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a configuration file. Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1
    key: str = ""
    """The key path, such as `policy.rules[0].on_fail`; empty for the file as a whole."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def source(self) -> str:
        """`file:line`, the form that rules and overlays carry."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what was expected instead."""

    spot: Spot
    what: str
    expected: str = ""
    nearest: str = ""
    """The valid key or value that was probably meant; empty when none is near."""

    def __str__(self) -> str:
        parts = [f"{self.spot}  {self.spot.key}".rstrip(), f"  {self.what}."]
        if self.nearest:
            parts[-1] += f" Did you mean '{self.nearest}'?"
        if self.expected:
            parts.append(f"  Expected {self.expected}.")
        return "\n".join(parts)


class ConfigurationProblems(ConfigurationError):
    """Configuration files are wrong; nothing starts until every listed problem is mended."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.spot.file, p.spot.line, p.spot.column, p.what)))
        count = len(self.problems)
        super().__init__(
            f"The configuration has {count} problem{'' if count == 1 else 's'}",
            why="; ".join(f"{problem.spot} {problem.what}" for problem in self.problems[:3]),
            do="Mend the files, then run 'interlock check'",
        )

    def __str__(self) -> str:
        return "\n\n".join([f"{self.what}.", *map(str, self.problems)])


@dataclass(slots=True)
class Findings:
    """Collects while files are read, so that one look shows everything that is wrong."""

    problems: list[Problem] = field(default_factory=list)
    mentions: list[tuple[ToolName, Spot]] = field(default_factory=list)
    """Every tool that a control names, and where: resolved once there is a catalogue."""

    def add(self, spot: Spot, what: str, expected: str = "", nearest: str = "") -> None:
        """Note one problem."""
        self.problems.append(Problem(spot, what, expected, nearest))

    def raise_any(self) -> None:
        """Raise ConfigurationProblems with all that was noted, or return when nothing was."""
        if self.problems:
            raise ConfigurationProblems(self.problems)


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that `word` was probably meant to be, or an empty text when none is near."""
    known = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word[:200].casefold(), known, n=1, cutoff=_NEAR_ENOUGH)
    return known[found[0]] if found else ""


def looks_secret(text: str) -> bool:
    """Return whether `text` has the shape of a key, token or private key of a well-known issuer."""
    return _SECRET.search(text) is not None


def echo(text: str) -> str:
    """Return `text` quoted for a message: shortened, without control characters, and hidden when it may be a secret."""
    if looks_secret(text):
        return "(hidden: it looks like a secret)"
    short = text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."
    return "'" + "".join(char if char.isprintable() else "?" for char in short) + "'"
