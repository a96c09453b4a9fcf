"""Where reviewed contracts are pinned. Every method runs inside one transaction of the store."""

from dataclasses import dataclass
from typing import Protocol

from interlock.domain.canonical import JsonObject
from interlock.domain.ids import ToolName


@dataclass(frozen=True, slots=True)
class Pin:
    """The surface of a tool that was reviewed: what its upstream offered then."""

    tool: ToolName
    surface_hash: str
    surface: JsonObject
    """Name, description, schemas and hints, for the diff."""
    pinned_at: int
    pinned_by: str
    """Who approved it; `first-use` when the tool was new and the configuration trusts first use."""


class PinRecords(Protocol):
    """Pins by tool."""

    def find(self, tool: ToolName) -> Pin | None:
        """Return the pin, or None for a tool never seen."""

    def put(self, pin: Pin) -> None:
        """Store the pin in place of any earlier one (the audit trail keeps the history)."""

    def all(self) -> tuple[Pin, ...]:
        """Return every pin, by tool name."""
