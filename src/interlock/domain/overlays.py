"""What a reviewer says of a tool: local knowledge that is laid over what its upstream offers."""

from dataclasses import dataclass

from interlock.domain.contracts import AmountField, Constraint, Environment, Idempotency, Kind, Tier
from interlock.domain.ids import ToolName
from interlock.domain.provenance import OutputFields, Role


@dataclass(frozen=True, slots=True)
class Overlay:
    """One entry of a contracts file. None means that nothing was said: what the upstream offers, or a guess, stands."""

    tool: str
    """The contract's name, or `connection/operation` as the upstream knows it. Exactly one contract must match."""
    source: str = ""
    """`file:line`, for messages."""
    rename: ToolName | None = None
    """What the gate calls the tool from now on; agents and rules use this name."""
    description: str | None = None
    """Replaces the upstream's words, which are untrusted input to the model."""
    kind: Kind | None = None
    tier: Tier | None = None
    category: str | None = None
    environment: Environment | None = None
    scopes: tuple[str, ...] | None = None
    idempotency: Idempotency | None = None
    idempotency_name: str = ""
    """The argument or header of FIELD and HEADER; empty for the others."""
    reversible: bool | None = None
    cost_nano_usd: int | None = None
    """What one call costs to make, in nano-dollars (10^-9 USD)."""
    amount: AmountField | None = None
    recipients: str | None = None
    """JSON pointer to the argument whose elements are counted as recipients."""
    owner: str | None = None
    timeout_ms: int | None = None
    max_retries: int | None = None
    max_result_bytes: int | None = None
    roles: tuple[tuple[str, Role], ...] | None = None
    """JSON pointer pattern and role; they come before any role that is guessed."""
    output: OutputFields | None = None
    asked_by: tuple[str, ...] | None = None
    """Beginnings of words by which a user asks for this act."""
    constraints: tuple[Constraint, ...] = ()
    """Added to those of the upstream; they only tighten."""
    credential: str | None = None
    """Reference to a secret (`env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`), never the secret."""
