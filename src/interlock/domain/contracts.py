"""What a tool is, as reviewed: its schemas, its risk, and what its arguments and results mean."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from interlock.domain.canonical import JsonObject
from interlock.domain.ids import ToolName
from interlock.domain.provenance import OutputFields, Role


class Kind(StrEnum):
    """Whether carrying out the tool changes anything outside."""

    READ = "read"
    WRITE = "write"


class Tier(IntEnum):
    """Risk tiers with the default controls of requirement T4."""

    READ_ONLY = 0
    LOW_IMPACT = 1
    REVERSIBLE = 2
    HIGH_IMPACT = 3
    IRREVERSIBLE = 4


class Environment(StrEnum):
    """Where the tool acts. Writes in staging are free of the tier's approvals; writes in production are gated."""

    STAGING = "staging"
    PRODUCTION = "production"


class Idempotency(StrEnum):
    """How a repeated call is recognised by the tool, if at all."""

    NONE = "none"
    """The tool would do it twice: never retried once sent."""
    FIELD = "field"
    """The key goes into the argument named by `idempotency_name`."""
    HEADER = "header"
    """The key goes into the header (MCP: the `_meta` entry) named by `idempotency_name`."""
    NATURAL = "natural"
    """Repeating the call changes nothing more (a read, a PUT of the same value)."""


class Standing(StrEnum):
    """Whether the contract may be used."""

    APPROVED = "approved"
    QUARANTINED = "quarantined"
    """What the upstream offers differs from what was reviewed; held until a person approves the change."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the minor units of a currency (cents for USD, yen for JPY)."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class AmountField:
    """Where a call says how much money it moves."""

    pointer: str
    """JSON pointer into the arguments, such as `/amount_usd`."""
    currency: str
    """ISO 4217 code, or `@/pointer` to the argument that holds it."""
    minor_units: bool = False
    """True when the argument already counts minor units (Stripe); False when it counts whole units (49.00)."""
    optional: bool = False
    """True when a call that leaves the argument out moves no money; False refuses such a call, as nobody knows how much."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on one argument. It tightens the schema and can never widen it."""

    pointer: str
    """JSON pointer into the arguments; `*` stands for every element."""
    maximum: float | None = None
    minimum: float | None = None
    one_of: tuple[str | int | float | bool, ...] | None = None
    pattern: str | None = None
    """A regular expression that the whole text must match (RE2 syntax: linear time)."""
    domains: tuple[str, ...] | None = None
    """Domains that an e-mail address or URL may belong to; subdomains are included."""
    source: str = "contract"
    """Who asked for it: `contract`, `agent`, or `call`."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Who carries the tool out."""

    kind: str
    """`python`, `mcp` or `openapi`."""
    server: str
    """The name of the connection in the configuration."""
    operation: str
    """The name of the tool, or `METHOD /path`, as the upstream knows it."""
    details: JsonObject = field(default_factory=dict)
    """What the invoker needs besides, such as where each OpenAPI parameter goes."""


@dataclass(frozen=True, slots=True)
class ToolContract:
    """The reviewed contract of one tool (requirement T1)."""

    name: ToolName
    description: str
    input_schema: JsonObject
    """JSON Schema, draft 2020-12."""
    output_schema: JsonObject | None
    kind: Kind
    tier: Tier
    upstream: Upstream
    category: str = "general"
    environment: Environment = Environment.PRODUCTION
    scopes: tuple[str, ...] = ()
    idempotency: Idempotency = Idempotency.NONE
    idempotency_name: str = ""
    reversible: bool = False
    cost_nano_usd: int = 0
    """What one call costs to make, in nano-dollars (10^-9 USD)."""
    amount: AmountField | None = None
    """The money that the call itself moves."""
    recipients: str | None = None
    """JSON pointer to the argument whose elements are counted as recipients."""
    owner: str = ""
    timeout_ms: int = 30_000
    max_retries: int = 2
    max_result_bytes: int = 1 << 20
    roles: tuple[tuple[str, Role], ...] = ()
    """What each argument means, by JSON pointer pattern; guessed from names and formats where nothing is said."""
    output: OutputFields = OutputFields()
    """Whose words the result holds."""
    asked_by: tuple[str, ...] = ()
    """Beginnings of words by which a user asks for this act ("delet", "remov"); without one the act has no support."""
    constraints: tuple[Constraint, ...] = ()
    guessed: frozenset[str] = frozenset()
    """Names of the fields above that nobody has confirmed."""
    credential: str | None = None
    """Reference to a secret (`env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`), never the secret."""
    surface_hash: str = ""
    """SHA-256 over what the upstream controls: name, description, schemas, hints."""
    pinned_hash: str = ""
    """The surface that was reviewed. When it differs from `surface_hash` the tool is quarantined."""
    hash: str = ""
    """SHA-256 over the whole contract; approvals and decisions are bound to it."""

    @property
    def repeatable(self) -> bool:
        """Whether sending the call twice does no more than sending it once."""
        return self.kind is Kind.READ or self.idempotency is not Idempotency.NONE

    @property
    def standing(self) -> Standing:
        """Quarantined when the upstream no longer offers what was reviewed."""
        return Standing.APPROVED if self.pinned_hash in ("", self.surface_hash) else Standing.QUARANTINED
