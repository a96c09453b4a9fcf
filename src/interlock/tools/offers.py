"""A tool as its upstream offers it, before anyone has reviewed it."""

from dataclasses import dataclass, field

from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Upstream
from interlock.domain.overlays import Overlay


@dataclass(frozen=True, slots=True)
class Offer:
    """What an adapter found at an upstream. All of it is the upstream's word, except `declared`."""

    name: str
    """What the contract will be called unless a reviewer renames it."""
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    upstream: Upstream
    method: str = ""
    """The HTTP method in upper case, where there is one: it implies read or write."""
    hints: JsonObject = field(default_factory=dict)
    """MCP annotations and the like. Untrusted: they can make the gate stricter, never laxer."""
    declared: Overlay | None = None
    """What the code beside the tool says of it (a Python decorator); as good as a reviewer's word."""

    @property
    def address(self) -> str:
        """`connection/operation`: what the upstream itself calls it, distinct from all others."""
        return f"{self.upstream.server}/{self.upstream.operation}"

    @property
    def called(self) -> tuple[str, ...]:
        """The names by which a contracts file may speak of the tool."""
        return (self.name, f"{self.upstream.server}/{self.name}", self.address)

    @property
    def surface(self) -> JsonObject:
        """Everything that the upstream controls: what a pin holds fast."""
        return {
            "name": self.upstream.operation,
            "description": self.description,
            "input": self.input_schema,
            "output": self.output_schema,
            "hints": dict(self.hints),
            "details": dict(self.upstream.details),
        }
