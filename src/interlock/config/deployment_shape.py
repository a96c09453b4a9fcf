"""What interlock.yaml may hold."""

from interlock.config.deployment import Auth, Pins
from interlock.config.keeping_shape import FIELDS as KEEPING
from interlock.config.limits import LIMITS
from interlock.config.overlay_file import ENVIRONMENT, TIER
from interlock.config.records import Field, ListOf, MapOf, Record
from interlock.config.secret_refs import CREDENTIAL
from interlock.config.shapes import Choice, Flag, Text, Whole
from interlock.config.units import DURATION, SHARE
from interlock.domain.contracts import Tier

_PATHS = ListOf(Text("a path, or a pattern such as agents/*.yaml", r"[^\x00]{1,1000}"), least=1)
_URL = Text("a URL that begins with http:// or https://", r"https?://[^\s/?#]+(/[^\s?#]*)?")
_NAME = Text("a name of letters, digits, _ and -", r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_ENVIRONMENT = Field("environment", ENVIRONMENT, "Where its tools act.", default="that of the deployment")
_CREDENTIAL = Field(
    "credential", CREDENTIAL, "The secret that it is called with: `env:NAME`, `file:PATH`, `keyring:SERVICE/NAME`."
)
_OPERATIONS = ListOf(Text("the name of an operation"), least=1)
MCP = Record(
    "an MCP server",
    (
        Field("url", _URL, "Where it answers (streamable HTTP)."),
        Field(
            "argv",
            ListOf(Text("a word of the command"), least=1),
            "How it is started (stdio); must stand in `allow_stdio`.",
        ),
        _CREDENTIAL,
        Field(
            "secrets",
            MapOf(Text("the name of a variable", r"[A-Za-z_][A-Za-z0-9_]*"), CREDENTIAL),
            "Environment variables of the started process, as references to secrets.",
        ),
        _ENVIRONMENT,
    ),
)
OPENAPI = Record(
    "an OpenAPI document",
    (
        Field("document", Text("a path"), "The document: 2.0, 3.0 or 3.1, as JSON or YAML.", required=True),
        Field("base_url", _URL, "Where calls go. It is never taken from the document.", required=True),
        _CREDENTIAL,
        Field("auth", Choice({auth.value: auth for auth in Auth}), "How the credential is sent.", default="bearer"),
        Field("auth_name", Text("a name", r"[A-Za-z0-9_.-]{1,100}"), "The header or query parameter that takes it."),
        Field("include", _OPERATIONS, "The operations that become tools.", default="all"),
        Field("exclude", _OPERATIONS, "Operations that do not."),
        Field(
            "private",
            Flag(),
            "Whether the host of `base_url` may have an address inside the own network.",
            default="false; an IP address and `localhost` always may",
        ),
        _ENVIRONMENT,
    ),
)
PYTHON = Record(
    "a Python module",
    (
        Field("module", Text("the name of a module", r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"), "The module.", required=True),
        _ENVIRONMENT,
    ),
)
CONNECTION = Record(
    "a connection",
    (
        Field("mcp", MCP, "Tools of an MCP server: `url`, or `argv`."),
        Field("openapi", OPENAPI, "Tools made of the operations of an HTTP API."),
        Field("python", PYTHON, "Tools that are decorated Python functions."),
    ),
    alone=True,
)
SERVER = Record(
    "the server",
    (
        Field(
            "host", Text("a host name or address", r"[A-Za-z0-9.:_-]{1,253}"), "Where it listens.", default="127.0.0.1"
        ),
        Field("port", Whole(0, 65535), "The port; 0 takes a free one.", default="8420"),
        Field(
            "allowed_hosts",
            ListOf(Text("a host name", r"(\*\.)?[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]+\]"), least=1),
            "The Host headers that are answered.",
            default="localhost, 127.0.0.1, [::1] and the host of `public_url`",
        ),
        Field("allowed_origins", ListOf(_URL), "The Origin headers that are answered.", default="none"),
        Field("public_url", _URL, "How people reach it, for links in approvals."),
    ),
)
_CLOCK = (
    Field("sla", DURATION, "After this the question goes to `escalate_to`.", default="4h"),
    Field("expires", DURATION, "After this it is closed, and the call is not made.", default="24h"),
    Field("escalate_to", Text("who, such as a role or an address"), "Who is told when the time is over."),
)
APPROVALS = Record(
    "the approvals",
    (*_CLOCK, Field("tiers", MapOf(TIER, Record("the clock of a tier", _CLOCK)), "Other times for single tiers.")),
)
DEPLOYMENT_FILE = Record(
    "interlock.yaml",
    (
        Field("tenant", Text("a name", r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"), "Whose deployment this is.", required=True),
        Field(
            "store",
            Text(
                "sqlite:///PATH or postgresql://..., secrets as ${NAME}",
                r"(sqlite:///|postgresql://).+|\$\{[A-Za-z_][A-Za-z0-9_]*\}",
            ),
            "Where state is kept.",
            default="sqlite:///interlock.db",
        ),
        Field("environment", ENVIRONMENT, "Where tools act that say nothing else.", default="production"),
        Field("server", SERVER, "How `interlock serve` is reached."),
        Field("agents", _PATHS, "The files of agents.", required=True),
        Field("contracts", _PATHS, "The files in which reviewers describe tools."),
        Field("tools", MapOf(_NAME, CONNECTION), "Where tools come from, by a name of your own."),
        Field(
            "allow_stdio",
            ListOf(ListOf(Text("a word of the command"), least=1)),
            "The exact commands that may be started. A command that does not stand here is refused.",
        ),
        Field(
            "pins",
            Choice({pins.value: pins for pins in Pins}),
            "What happens to tools not yet reviewed.",
            default="first-use",
        ),
        Field(
            "policies",
            Record(
                "the policies",
                (Field("cedar", _PATHS, "Cedar files."), Field("rego", _PATHS, "Rego files or folders.")),
            ),
            "Policies for all agents.",
        ),
        Field(
            "router",
            Text("a path such as config/router.yaml", r"[^\x00]{1,1000}"),
            "The router file: models, and which calls go to which.",
            default="no models are served",
        ),
        Field("limits", LIMITS, "Limits of the whole deployment."),
        Field("approvals", APPROVALS, "How long people have."),
        Field(
            "sampling",
            Record("the sampling", (Field("tier_2", SHARE, "Of calls of tier 2.", default="2%"),)),
            "Which share of allowed calls people review afterwards.",
        ),
        *KEEPING,
    ),
    doc="One file per deployment. Paths are relative to it.",
)
DEFAULT_CLOCK = (4 * 3_600_000, 24 * 3_600_000)
"""SLA and expiry in milliseconds."""
DEFAULT_SAMPLING = {Tier.REVERSIBLE: 200}
