"""How a deployment keeps its record: keys, the audit log, spans, what is taken out, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Material(StrEnum):
    """What is kept for a time of its own (requirement O5). The audit trail is kept for ever."""

    BODIES = "bodies"
    """Words in the journal: arguments, results, what runs were told and saw. Rows and commitments stay."""
    SPANS = "spans"
    """Spans that were sent to Interlock, with their bodies; of Interlock's own work, what the journal keeps."""
    ARCHIVE = "archive"
    """Closed days as Parquet."""


DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place outside, to which checkpoints are written so that the whole log cannot be rewritten unseen."""

    kind: str
    """`file`, `object` or `witness`."""
    where: str
    """A path, or a URL."""
    credential: str | None = None
    """Reference to a secret, sent as a bearer token."""
    key: str = ""
    """Of a witness: its verifier key, as C2SP signed-note writes it."""
    every_ms: int = 60_000
    """How often a checkpoint is carried there at most."""


@dataclass(frozen=True, slots=True)
class AuditKeeping:
    """The audit log's keys and anchors."""

    origin: str = ""
    """The log's name, as checkpoints carry it; empty means `interlock/<tenant>`."""
    key: str | None = None
    """Reference to the signing key; None means a file under `state`, made when the log begins."""
    every_ms: int = 1_000
    """How often a checkpoint is signed at most."""
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True)
class Exporter:
    """A receiver of spans by OTLP over HTTP."""

    url: str
    """The whole URL, `/v1/traces` included."""
    credential: str | None = None
    header: str = "authorization"
    """The header that takes the credential; `authorization` takes it as a bearer token."""
    protobuf: bool = True


@dataclass(frozen=True, slots=True)
class TraceKeeping:
    """Where spans are kept and sent."""

    store: str | None = None
    """Address of their own store, as `store` is written; None means beside the journal."""
    archive: str | None = None
    """Folder of the Parquet files; None means none are written."""
    exporters: tuple[Exporter, ...] = ()


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is taken out before anything is stored, logged or exported."""

    secrets: tuple[str, ...] = ()
    """References to further secrets that must appear nowhere; those that the deployment itself uses always count."""
    keep: frozenset[str] = frozenset()
    """Kinds that may stay in spans, such as `ip`. Kinds of secrets never may."""
    presidio: bool = False
    """Whether Presidio looks for names and places too."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, in milliseconds."""

    times: Mapping[Material, int] = field(
        default_factory=lambda: {
            Material.BODIES: 400 * DAY_MS,
            Material.SPANS: 400 * DAY_MS,
            Material.ARCHIVE: 400 * DAY_MS,
        }
    )
    tenants: Mapping[str, Mapping[Material, int]] = field(default_factory=dict)
    """Other times for single tenants."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """All of it."""

    state: str = ".interlock"
    """Folder for keys that Interlock makes and for the last checkpoint. Not inside the database, on purpose."""
    audit: AuditKeeping = AuditKeeping()
    encryption_key: str | None = None
    """Reference to the key that wraps the tenants' keys; None means a file under `state`, made at the first start."""
    traces: TraceKeeping = TraceKeeping()
    redaction: Redaction = Redaction()
    retention: Retention = field(default_factory=Retention)
    metrics_public: bool = False
    """Whether `/metrics` answers without a bearer."""
