"""What is wrong with a configuration, each thing at its place."""

from dataclasses import dataclass


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
