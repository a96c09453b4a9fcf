"""A deployment as declared: every file read, every value typed, nothing connected and no secret resolved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from interlock.config.keeping import Keeping
from interlock.config.router_values import RouterFile
from interlock.domain.agents import AgentPolicy
from interlock.domain.budgets import Limit
from interlock.domain.contracts import Environment, Tier
from interlock.domain.errors import ConfigurationError
from interlock.domain.ids import AgentId, TenantId, ToolName
from interlock.domain.overlays import Overlay
from interlock.domain.problems import Spot

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Pins(StrEnum):
    """What happens to a tool that nobody has reviewed yet."""

    FIRST_USE = "first-use"
    """Its surface is pinned as it is first seen; a later change holds it."""
    REQUIRED = "required"
    """It is held until somebody approves it."""


class Auth(StrEnum):
    """How a credential is sent to an OpenAPI upstream."""

    BEARER = "bearer"
    BASIC = "basic"
    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class McpHttp:
    """An MCP server over streamable HTTP."""

    name: str
    url: str
    credential: str | None = None
    """Reference to a secret, sent as a bearer token."""
    environment: Environment | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class McpStdio:
    """An MCP server as a child process. Its exact argv stands in the deployment's `allow_stdio`."""

    name: str
    argv: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Environment variable of the child, and the reference to the secret that it holds."""
    environment: Environment | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class OpenApi:
    """An HTTP API that an OpenAPI document describes."""

    name: str
    document: Path
    base_url: str
    """Where calls go. Never taken from the document."""
    credential: str | None = None
    auth: Auth = Auth.BEARER
    auth_name: str = ""
    """The header or query parameter of HEADER and QUERY."""
    include: tuple[str, ...] | None = None
    """Operations that become tools; None means all."""
    exclude: tuple[str, ...] = ()
    private: bool = False
    """Whether the host may have an address inside the own network."""
    environment: Environment | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class PythonTools:
    """Decorated functions of an importable module."""

    name: str
    module: str
    environment: Environment | None = None
    source: str = ""


Connection = McpHttp | McpStdio | OpenApi | PythonTools


@dataclass(frozen=True, slots=True)
class Server:
    """Where `interlock serve` listens, and which Host and Origin headers it answers to."""

    host: str = "127.0.0.1"
    port: int = 8420
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    allowed_origins: tuple[str, ...] = ()
    public_url: str = ""
    """How people reach it, for links in approvals; empty means the address that it listens on."""


@dataclass(frozen=True, slots=True)
class ApprovalClock:
    """How long people have for a question of one tier."""

    sla_ms: int
    """After this the question goes to `escalate_to`."""
    expires_ms: int
    """After this it is closed and the call is not made."""
    escalate_to: str = ""


@dataclass(frozen=True, slots=True)
class ToolMention:
    """A tool that a control names, and where."""

    name: ToolName
    spot: Spot


@dataclass(frozen=True, slots=True)
class Deployment:
    """All of it."""

    folder: Path
    """Where interlock.yaml stands; paths are relative to it."""
    tenant: TenantId
    store: str
    """As written: `${NAME}` is not yet replaced, so that no secret is held here."""
    server: Server
    environment: Environment
    pins: Pins
    agents: Mapping[AgentId, AgentPolicy]
    connections: tuple[Connection, ...]
    overlays: tuple[Overlay, ...]
    limits: tuple[Limit, ...]
    """Limits of the whole deployment, besides those of its agents."""
    approvals: Mapping[Tier, ApprovalClock]
    """One for every tier."""
    sampling: Mapping[Tier, int]
    """Share of allowed calls, in 1/10,000, that people review afterwards."""
    cedar: tuple[Path, ...] = ()
    """Files of Cedar policies."""
    rego: tuple[Path, ...] = ()
    """Files and folders of Rego policies."""
    mentions: tuple[ToolMention, ...] = ()
    """Every tool that a control names, to be resolved against a catalogue."""
    files: tuple[Path, ...] = ()
    """Every file that was read."""
    router: RouterFile | None = None
    """Where model calls go; None when the deployment has no models."""
    keeping: Keeping = field(default_factory=Keeping)
    """How the record is kept."""


def store_url(deployment: Deployment, environ: Mapping[str, str]) -> str:
    """Return the address of the store with `${NAME}` replaced from `environ`; a relative SQLite path is made absolute.

    Raises ConfigurationError for a variable that is not set. The result may hold a secret: never print it.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if not environ.get(name):
            raise ConfigurationError(f"The variable {name} is not set", why="'store' needs it", do=f"Set {name}")
        return environ[name]

    url = _REFERENCE.sub(value, deployment.store)
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((deployment.folder / url.removeprefix(prefix)).resolve())
    return url
