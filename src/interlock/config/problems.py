"""What is wrong with a configuration: every problem at its place, said so that a tired person can mend it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import ToolName
from interlock.domain.problems import Problem, Spot

_NEAR_ENOUGH = 0.55
_LONGEST_ECHO = 60
MOST_PROBLEMS = 100
"""Problems that are told at once; beyond them a file is simply of another kind."""
_SECRET = re.compile(
    r"sk[-_](live|test|proj|ant)[-_]?\w|[rs]k_(live|test)_\w|whsec_\w|gh[pousr]_\w|github_pat_\w|glpat-\w|xox[abprs]-\w"
    r"|AKIA[A-Z0-9]{12}|AIza\w{20}|eyJ[\w-]{10,400}\.[\w-]{10}|-----BEGIN|(?i:bearer)\s+[\w.+/=-]{12,}"
    r"|(?i:[a-z][a-z0-9+.-]{0,30}://[^/\s@:]*:(?!\$\{)[^/\s@]+@)"
    r"|(?i:[?&](?:api[-_]?key|key|token|access_token|secret|password|sig)=(?!\$\{)[^&\s]+)"
)


def refusal(problems: Iterable[Problem]) -> ConfigurationError:
    """Return the error that tells `problems`, each once, in order of file and line."""
    ordered = tuple(
        sorted(set(problems), key=lambda each: (each.spot.file, each.spot.line, each.spot.column, each.what))
    )
    count = len(ordered)
    return ConfigurationError(
        f"The configuration has {count} problem{'' if count == 1 else 's'}",
        why="; ".join(f"{problem.spot} {problem.what}" for problem in ordered[:3]),
        do="Mend the files, then run 'interlock check'",
        problems=ordered,
    )


@dataclass(slots=True)
class Findings:
    """Collects while files are read, so that one look shows everything that is wrong."""

    problems: list[Problem] = field(default_factory=list)
    mentions: list[tuple[ToolName, Spot]] = field(default_factory=list)
    """Every tool that a control names, and where: resolved once there is a catalogue."""
    tiers: list[tuple[str, Spot]] = field(default_factory=list)
    """Every model tier that an agent's file names, and where: resolved once there is a router file."""

    files: list[Path] = field(default_factory=list)
    """Files that other files name and that were read with them."""

    def add(self, spot: Spot, what: str, expected: str = "", nearest: str = "") -> None:
        """Note one problem, unless there are MOST_PROBLEMS already."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(spot, what, expected, nearest))

    def near(self, word: str, choices: Iterable[str]) -> str:
        """Return what `nearest` does, and nothing once no further problem is told: comparing words is slow."""
        return nearest(word, choices) if len(self.problems) < MOST_PROBLEMS else ""

    def raise_any(self) -> None:
        """Raise ConfigurationError with all that was noted, or return when nothing was."""
        if self.problems:
            raise refusal(self.problems)


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that `word` was probably meant to be, or an empty text when none is near."""
    known = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word[:200].casefold(), known, n=1, cutoff=_NEAR_ENOUGH)
    return known[found[0]] if found else ""


def looks_secret(text: str) -> bool:
    """Return whether `text` has the shape of a well-known issuer's key, or is a URL that carries a password or key."""
    return _SECRET.search(text) is not None


def echo(text: str) -> str:
    """Return `text` quoted for a message: shortened, without control characters, and hidden when it may be a secret."""
    if looks_secret(text):
        return "(hidden: it looks like a secret)"
    short = text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."
    return "'" + "".join(char if char.isprintable() else "?" for char in short) + "'"
