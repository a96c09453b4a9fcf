"""What interlock.yaml may say about the record, and how it is read."""

import re

from interlock.config.keeping import (
    DAY_MS,
    Anchor,
    AuditKeeping,
    Exporter,
    Keeping,
    Material,
    Redaction,
    Retention,
    TraceKeeping,
)
from interlock.config.problems import Findings
from interlock.config.records import Field, ListOf, MapOf, Record, Section
from interlock.config.secret_refs import CREDENTIAL
from interlock.config.shapes import Choice, Flag, Text
from interlock.config.units import DURATION
from interlock.domain.errors import BadInput

_LONGEST_DAYS = 3_660
_SECRET_KINDS = frozenset({"api_key", "credential", "jwt", "private_key", "secret"})


def days(text: str) -> int:
    """Return a number of days such as `400d` in milliseconds. Raises BadInput for none or more than ten years."""
    found = re.fullmatch(r"([0-9]{1,4})d", text, re.ASCII)
    if found is None:
        raise ValueError(text)
    if not 1 <= int(found[1]) <= _LONGEST_DAYS:
        raise BadInput("The time is out of range", why=f"from 1d to {_LONGEST_DAYS}d")
    return int(found[1]) * DAY_MS


_PATH = Text("a path", r"[^\x00]{1,1000}")
_URL = Text("a URL that begins with http:// or https://", r"https?://[^\s/?#]+(/[^\s#]*)?")
_DAYS = Text("a number of days, such as 400d", r"[0-9]{1,4}d", days)
_TIMES = (
    Field("bodies", _DAYS, "Arguments, results, what runs were told and saw.", default="400d"),
    Field("spans", _DAYS, "Spans that were sent to Interlock.", default="400d"),
    Field("archive", _DAYS, "Closed days as Parquet.", default="400d"),
)
ANCHOR = Record(
    "an anchor",
    (
        Field("file", _PATH, "A file to which every checkpoint is added: on a medium that only takes additions."),
        Field("object", _URL, "A bucket with object lock: each checkpoint is a PUT of a new object below this URL."),
        Field("witness", _URL, "A witness that speaks C2SP tlog-witness."),
        Field("key", Text("a verifier key: NAME+HASH+KEY", r"\S{10,500}"), "Of a witness: its verifier key."),
        Field("credential", CREDENTIAL, "The secret that is sent as a bearer token."),
        Field("every", DURATION, "How often a checkpoint is carried there at most.", default="1m"),
    ),
)
AUDIT = Record(
    "the audit log",
    (
        Field(
            "origin",
            Text("a name without spaces or +", r"[^\s+]{1,200}"),
            "The log's name in its checkpoints.",
            default="interlock/ and the tenant",
        ),
        Field(
            "key", CREDENTIAL, "The signing key (Ed25519).", default="a file under `state`, made when the log begins"
        ),
        Field("every", DURATION, "How often a checkpoint is signed at most.", default="1s"),
        Field("anchors", ListOf(ANCHOR, least=1), "Places outside that keep checkpoints.", default="none"),
    ),
)
EXPORTER = Record(
    "a receiver of spans",
    (
        Field("url", _URL, "Where it takes OTLP over HTTP, `/v1/traces` included.", required=True),
        Field("credential", CREDENTIAL, "The secret that is sent along."),
        Field(
            "header",
            Text("a header", r"[A-Za-z0-9-]{1,100}"),
            "The header that takes it.",
            default="authorization, as a bearer",
        ),
        Field("format", Choice({"protobuf": True, "json": False}), "How spans are written.", default="protobuf"),
    ),
)
TRACES = Record(
    "the traces",
    (
        Field(
            "store",
            Text("sqlite:///PATH or postgresql://...", r"(sqlite:///|postgresql://).+|\$\{[A-Za-z_][A-Za-z0-9_]*\}"),
            "Where spans are kept.",
            default="a file beside the journal; the journal's own PostgreSQL database",
        ),
        Field("archive", _PATH, "The folder of the Parquet files of closed days.", default="none are written"),
        Field(
            "export",
            ListOf(EXPORTER, least=1),
            "Receivers of the spans of Interlock's own work, by OTLP.",
            default="none",
        ),
    ),
)
REDACTION = Record(
    "the redaction",
    (
        Field(
            "secrets",
            ListOf(CREDENTIAL, least=1),
            "Further secrets that must appear nowhere.",
            default="those that this deployment uses itself",
        ),
        Field(
            "keep",
            ListOf(Text("a kind such as ip", r"[a-z_]{1,40}"), least=1),
            "Kinds that may stay in spans.",
            default="none",
        ),
        Field("presidio", Flag(), "Whether Presidio looks for names and places too.", default="false"),
    ),
)
RETENTION = Record(
    "the retention",
    (
        *_TIMES,
        Field(
            "tenants", MapOf(Text("a tenant"), Record("the retention of a tenant", _TIMES)), "Other times for tenants."
        ),
    ),
)
FIELDS = (
    Field("state", _PATH, "The folder of keys that Interlock makes and of the last checkpoint.", default=".interlock"),
    Field("audit", AUDIT, "The audit log."),
    Field(
        "encryption",
        Record(
            "the encryption", (Field("key", CREDENTIAL, "The key that wraps the tenants' keys: 32 bytes, base64."),)
        ),
        "How bodies are encrypted.",
        default="with a key in a file under `state`, made at the first start",
    ),
    Field("traces", TRACES, "Where spans are kept and sent."),
    Field("redaction", REDACTION, "What is taken out before anything is stored, logged or exported."),
    Field("retention", RETENTION, "How long what is kept. The audit trail is kept for ever."),
    Field(
        "metrics",
        Record("the metrics", (Field("public", Flag(), "Whether they are told without a key.", default="false"),)),
        "The figures at /metrics.",
    ),
)


def keeping(said: Section, found: Findings) -> Keeping:
    """Return what the deployment's file says about the record; what is wrong is noted."""
    encryption, metrics = _part(said, "encryption"), _part(said, "metrics")
    return Keeping(
        state=said.get("state", ".interlock"),
        audit=_audit(_part(said, "audit"), found),
        encryption_key=encryption.get("key"),
        traces=_traces(_part(said, "traces")),
        redaction=_redaction(_part(said, "redaction"), found),
        retention=_retention(_part(said, "retention")),
        metrics_public=metrics.get("public", False),
    )


def _part(said: Section, key: str) -> Section:
    return said.get(key) or Section(said.spot, {}, {})


def _audit(said: Section, found: Findings) -> AuditKeeping:
    anchors = tuple(one for each in said.get("anchors", ()) if (one := _anchor(each, found)) is not None)
    return AuditKeeping(said.get("origin", ""), said.get("key"), said.get("every", 1_000), anchors)


def _anchor(said: Section, found: Findings) -> Anchor | None:
    kinds = [kind for kind in ("file", "object", "witness") if kind in said]
    if len(kinds) != 1:
        found.add(said.spot, "An anchor is one of file, object and witness", "exactly one of them")
        return None
    if (kinds[0] == "witness") != ("key" in said):
        found.add(said.spot, "A witness is known by its verifier key", "'key' beside 'witness', and nowhere else")
        return None
    return Anchor(kinds[0], said.get(kinds[0]), said.get("credential"), said.get("key", ""), said.get("every", 60_000))


def _traces(said: Section) -> TraceKeeping:
    exporters = tuple(
        Exporter(
            one.get("url"), one.get("credential"), one.get("header", "authorization").lower(), one.get("format", True)
        )
        for one in said.get("export", ())
    )
    return TraceKeeping(said.get("store"), said.get("archive"), exporters)


def _redaction(said: Section, found: Findings) -> Redaction:
    keep = frozenset(said.get("keep", ()))
    if keep & _SECRET_KINDS:
        found.add(
            said.at("keep"), "Secrets never stay in spans", f"kinds other than {', '.join(sorted(_SECRET_KINDS))}"
        )
    return Redaction(tuple(said.get("secrets", ())), keep, said.get("presidio", False))


def _retention(said: Section) -> Retention:
    usual = {**Retention().times, **_times(said)}
    tenants = {entry.key: {**usual, **_times(entry.value)} for entry in said.get("tenants", ())}
    return Retention(usual, tenants)


def _times(said: Section) -> dict[Material, int]:
    return {material: said.get(material.value) for material in Material if material.value in said}
