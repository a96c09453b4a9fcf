"""Contracts files: what reviewers say of each tool, as values that are laid over what upstreams offer."""

from interlock.config.bounds import BOUNDS, POINTER, constraints
from interlock.config.problems import Findings
from interlock.config.records import ByForm, Field, ListOf, MapOf, Record, Section
from interlock.config.secret_refs import CREDENTIAL
from interlock.config.shapes import Choice, Flag, Text, ToolRef, Whole
from interlock.config.units import COST, DURATION, SIZE, currency
from interlock.domain.contracts import AmountField, Environment, Idempotency, Kind, Tier
from interlock.domain.overlays import Overlay
from interlock.domain.provenance import FieldKind, OutputFields, Role, Trust

_WORD = Text("a word of letters, digits and dashes", r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_WHOLE_OR_POINTER = Text("a JSON pointer such as /*/id", r"(/.*)?", POINTER.convert)
_TOOL = Text("the name of a tool, or connection/operation", ToolRef.pattern)
_POINTERS = ListOf(_WHOLE_OR_POINTER)
_ROLES = {role.value: role for role in Role if role is not Role.ACTION}
_FROM = "from "


def _currency(text: str) -> str:
    if text.startswith(_FROM):
        return f"@{POINTER.convert(text.removeprefix(_FROM))}"
    return currency(text)


TIER = Choice({str(tier.value): tier for tier in Tier}, numeric=True)
ENVIRONMENT = Choice({environment.value: environment for environment in Environment})
AMOUNT = Record(
    "the amount",
    (
        Field("argument", POINTER, "Where the amount stands in the arguments.", required=True),
        Field(
            "currency",
            Text("a currency such as USD, or 'from /pointer'", r"[A-Z]{3}|from /.*", _currency),
            "The currency, or the argument that holds it.",
            required=True,
        ),
        Field(
            "unit",
            Choice({"major": False, "minor": True}),
            "`major` for 49.00 dollars, `minor` for 4900 cents.",
            default="major",
        ),
        Field("optional", Flag(), "Whether a call without the argument moves no money.", default="false: refused"),
    ),
    doc="Where a call says how much money it moves.",
)
OUTPUT = Record(
    "the output",
    (
        Field("trust", Choice({trust.value: trust for trust in Trust}), "A system of record, or anybody's words."),
        Field(
            "default",
            Choice({kind.value: kind for kind in FieldKind}),
            "What fields are that no pattern names: set by the system, or written by whoever.",
            default="record for trusted output, prose for untrusted",
        ),
        Field("record", _POINTERS, "Fields that the system of record sets: ids, participants, dates."),
        Field("prose", _POINTERS, "Fields that hold free text."),
        Field("private", _POINTERS, "Fields that leave in a text only when the user's own words ask for them."),
        Field("author", _POINTERS, "Fields that name who made a record."),
        Field("own", Flag(), "Whether the tool answers only about the user's own profile.", default="false"),
    ),
    doc="Whose words a tool's output holds.",
)
_IDEMPOTENCY = ByForm(
    Choice({"none": (Idempotency.NONE, ""), "natural": (Idempotency.NATURAL, "")}),
    Record(
        "idempotency",
        (
            Field("field", Text("the name of an argument"), "The argument that takes the key."),
            Field(
                "header",
                Text("the name of a header", r"[A-Za-z0-9_./-]{1,200}"),
                "The header, or `_meta` entry, for it.",
            ),
        ),
        alone=True,
    ),
)
ENTRY = Record(
    "the contract of a tool",
    (
        Field("name", _TOOL, "The tool: its name, or `connection/operation`.", required=True),
        Field("as", Text("the name to use", ToolRef.pattern), "What agents and rules call it from now on."),
        Field("description", Text(), "Replaces the upstream's words."),
        Field("kind", Choice({kind.value: kind for kind in Kind}), "Whether it changes anything outside."),
        Field(
            "tier", TIER, "Risk: 0 read-only, 1 low impact, 2 reversible, 3 high impact, 4 irreversible or regulated."
        ),
        Field("category", _WORD, "What brakes and limits may name together.", default="general"),
        Field("environment", ENVIRONMENT, "Where it acts.", default="that of the deployment"),
        Field("scopes", ListOf(Text("a scope")), "Scopes that its credential needs."),
        Field(
            "idempotency",
            _IDEMPOTENCY,
            "How a repeated call is recognised: `none`, `natural`, `{field: ...}`, `{header: ...}`.",
        ),
        Field("reversible", Flag(), "Whether its effect can be undone."),
        Field("cost", COST, "What one call costs you."),
        Field("amount", AMOUNT, "The money that a call moves."),
        Field("recipients", POINTER, "The argument whose elements are counted as recipients."),
        Field("owner", Text(), "Who answers for the tool."),
        Field("timeout", DURATION, "How long one attempt may take.", default="30s"),
        Field("retries", Whole(0, 10), "How often a call that certainly did nothing is tried again.", default="2"),
        Field("max_result", SIZE, "The largest answer that is taken.", default="1 MiB"),
        Field("arguments", MapOf(POINTER, Choice(_ROLES)), "What each argument means, by JSON pointer."),
        Field("asked_by", ListOf(Text("the beginning of a word"), least=1), "By which words a user asks for this act."),
        Field("output", OUTPUT, "Whose words the result holds."),
        Field("constraints", BOUNDS, "Bounds on arguments. They only tighten the schema."),
        Field("credential", CREDENTIAL, "The secret that the tool is called with."),
    ),
    doc="What a reviewer says of one tool. What is not said is what the upstream offers, or a guess that is marked as one.",
)
OVERLAY_FILE = Record(
    "a contracts file",
    (Field("tools", ListOf(ENTRY), "One entry per tool.", required=True),),
    doc="What reviewers say of tools, laid over what upstreams offer.",
)


def build(file: Section, found: Findings) -> tuple[Overlay, ...]:
    """Return the overlays of `file`, read by OVERLAY_FILE."""
    return tuple(_overlay(entry, found) for entry in file.get("tools", ()))


def _overlay(entry: Section, found: Findings) -> Overlay:
    idempotency, idempotency_name = _idempotency(entry)
    roles = entry.get("arguments")
    return Overlay(
        tool=entry.get("name"),
        source=entry.spot.source,
        rename=entry.get("as"),
        description=entry.get("description"),
        kind=entry.get("kind"),
        tier=entry.get("tier"),
        category=entry.get("category"),
        environment=entry.get("environment"),
        scopes=entry.get("scopes"),
        idempotency=idempotency,
        idempotency_name=idempotency_name,
        reversible=entry.get("reversible"),
        cost_nano_usd=entry.get("cost"),
        amount=_amount(entry.get("amount")),
        recipients=entry.get("recipients"),
        owner=entry.get("owner"),
        timeout_ms=entry.get("timeout"),
        max_retries=entry.get("retries"),
        max_result_bytes=entry.get("max_result"),
        roles=None if roles is None else tuple((one.key, one.value) for one in roles),
        output=_output(entry.get("output")),
        asked_by=entry.get("asked_by"),
        constraints=constraints(entry.get("constraints", ()), "contract", found),
        credential=entry.get("credential"),
    )


def _idempotency(entry: Section) -> tuple[Idempotency | None, str]:
    said = entry.get("idempotency")
    if isinstance(said, Section):
        kind, name = next(iter(said.values.items()))
        return Idempotency(kind), name
    return said or (None, "")


def _amount(said: Section | None) -> AmountField | None:
    if said is None:
        return None
    return AmountField(
        pointer=said.get("argument"),
        currency=said.get("currency"),
        minor_units=said.get("unit", False),
        optional=said.get("optional", False),
    )


def _output(said: Section | None) -> OutputFields | None:
    return None if said is None else OutputFields(**said.values)
