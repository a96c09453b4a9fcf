"""What the roads need from outside: someone to carry a call out, secrets, and people to tell."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract


@dataclass(frozen=True, slots=True)
class Invocation:
    """One attempt to carry out one call."""

    contract: ToolContract
    arguments: JsonObject
    """As decided, with the idempotency key in its field where the contract names one."""
    idempotency_key: str
    """The same for every attempt of a call; passed on where the contract says how."""
    secret: str | None
    """The tool's credential, resolved for this attempt; never stored, logged or shown."""
    timeout_ms: int
    traceparent: str = ""
    """The span of this attempt as W3C Trace Context writes it: what the tool does belongs below it."""


class Delivery(StrEnum):
    """What is known of an attempt."""

    ANSWERED = "answered"
    """The tool answered; `is_error` says how."""
    NOT_SENT = "not_sent"
    """It certainly did not reach the tool."""
    UNCERTAIN = "uncertain"
    """It was sent, or may have been, and no trustworthy answer came."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back, before any check."""

    delivery: Delivery
    content: Json = None
    """For MCP: structured content if there is any, else the text parsed as JSON, else the text."""
    is_error: bool = False
    retryable: bool = False
    """For an error answer: the tool says that trying again makes sense (503, 429)."""
    detail: str = ""
    """For NOT_SENT and UNCERTAIN: what went wrong, without secrets."""


class ToolInvoker(Protocol):
    """Carries calls out at one kind of upstream. Never raises for what a tool or network does: it says so in the answer."""

    async def invoke(self, invocation: Invocation) -> RawAnswer:
        """Make one attempt, within `timeout_ms`."""


class Secrets(Protocol):
    """Where credentials live."""

    async def resolve(self, reference: str) -> str:
        """Return the secret behind `env:NAME`, `file:PATH` or `keyring:SERVICE/NAME`.

        Raises ToolUnavailable, naming only the reference.
        """


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know now."""

    kind: str
    """`alert`, `escalation`, `approval_requested`, `approval_overdue`, `outcome_unknown`."""
    owner: str
    subject: str
    text: str


class Notifier(Protocol):
    """Tells people. Best effort: what must not be lost is in the store."""

    def notify(self, notice: Notice) -> None:
        """Pass `notice` on without blocking."""


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> int:
        """Return milliseconds since the epoch."""
