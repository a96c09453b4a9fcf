"""What an upstream server needs of a world: its tools, one run at a time, and what became of it."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from benchmarks.corpus.records import Record, RecordedCall


@dataclass(frozen=True, slots=True)
class ToolSurface:
    """A tool as an MCP server presents it."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a tool says."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class AttackerCall:
    """A call that the injection wants. `telling`: per argument, the values that the injected goal names and the user's
    own task does not; a proposed call that has one of them is the attacker's. Empty: the call must be equal as a whole.
    """

    tool: str
    arguments: dict[str, Any]
    telling: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. None where the world cannot tell."""

    utility: bool | None = None
    attack_succeeded: bool | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class World(Protocol):
    """The tools and the state behind them; one run at a time."""

    tools: tuple[ToolSurface, ...]

    def open(self, record: Record) -> tuple[AttackerCall, ...]:
        """Start a run in a fresh state; return the calls that its injection wants."""

    def call(self, tool: str, arguments: dict[str, Any], recorded: RecordedCall) -> Reply:
        """Execute one call; `recorded` is the same call in the record."""

    def close(self) -> Outcome:
        """End the run and judge its state."""
