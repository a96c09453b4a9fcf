"""Interlock: the model proposes, a deterministic layer decides, every decision can be proved afterwards."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.adapters.python.decorator import tool
    from interlock.adapters.python.invoker import ToolError
    from interlock.adapters.python.signatures import Credential, IdempotencyKey
    from interlock.domain.calls import CallStatus, Failure, ToolResult
    from interlock.domain.contracts import Kind, Tier
    from interlock.domain.errors import (
        BadInput,
        BudgetExceeded,
        ConfigurationError,
        Conflict,
        Forbidden,
        InterlockError,
        OutcomeUnknown,
        StoreUnavailable,
    )
    from interlock.embedded import Gate, Run, open_gate
    from interlock.gateway.requests import CallAnswer

__all__ = [
    "BadInput",
    "BudgetExceeded",
    "CallAnswer",
    "CallStatus",
    "ConfigurationError",
    "Conflict",
    "Credential",
    "Failure",
    "Forbidden",
    "Gate",
    "IdempotencyKey",
    "InterlockError",
    "Kind",
    "OutcomeUnknown",
    "Run",
    "StoreUnavailable",
    "Tier",
    "ToolError",
    "ToolResult",
    "open_gate",
    "tool",
]

# A name is imported when it is first used: `interlock --help` and a module of tools need little of all this.
_HOMES = {
    "CallAnswer": "gateway.requests",
    "CallStatus": "domain.calls",
    "Credential": "adapters.python.signatures",
    "Failure": "domain.calls",
    "Gate": "embedded",
    "IdempotencyKey": "adapters.python.signatures",
    "Kind": "domain.contracts",
    "Run": "embedded",
    "Tier": "domain.contracts",
    "ToolError": "adapters.python.invoker",
    "ToolResult": "domain.calls",
    "open_gate": "embedded",
    "tool": "adapters.python.decorator",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in __all__:
        raise AttributeError(f"module 'interlock' has no attribute '{name}'")
    return getattr(import_module(f"interlock.{_HOMES.get(name, 'domain.errors')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
