"""Where the values of a proposed call were seen: the words that evidence, contracts and decisions share."""

from dataclasses import dataclass
from enum import StrEnum

from interlock.domain.canonical import Json, JsonObject


class Role(StrEnum):
    """What an argument means to the tool. All but the last two can do harm by pointing at the wrong thing."""

    RECIPIENT = "recipient"
    """Who gets it: e-mail address, handle, channel."""
    ACCOUNT = "account"
    ADDRESS = "address"
    """A postal address."""
    URL = "url"
    ID = "id"
    AMOUNT = "amount"
    AMOUNT_MINOR = "amount_minor"
    """An amount in hundredths (cents), where people speak of whole units."""
    COMMAND = "command"
    FILE = "file"
    """A file by name, path or id."""
    TEXT_OUT = "text_out"
    """Free text that leaves the user's own systems."""
    SECRET = "secret"
    ACTION = "action"
    """The act itself, where the contract says by which words a user asks for it."""
    PLAIN = "plain"
    """Free text, flags and choices that stay inside."""
    DATE = "date"

    @property
    def consequential(self) -> bool:
        """Whether a wrong value does harm by itself."""
        return self not in {Role.PLAIN, Role.DATE}


class Origin(StrEnum):
    """Who a source of a run speaks for."""

    SYSTEM = "system"
    USER = "user"
    IDENTITY = "identity"
    """What is known about the user without asking: name, addresses, account ids."""
    TOOL = "tool"


class Trust(StrEnum):
    """What a contract declares about a tool's output: a system of record, or anybody's words."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class FieldKind(StrEnum):
    """Who sets an output field: the system of record, or whoever wrote the text."""

    RECORD = "record"
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class OutputFields:
    """Whose words a tool's output holds. Patterns are JSON pointers. `*` stands for any element or key, `{}` for any
    key that is itself data (`{"Hotel Sol": 90}`); a pattern covers all that lies below it, the longest wins, and
    `prose` wins a tie.
    """

    trust: Trust = Trust.UNTRUSTED
    default: FieldKind | None = None
    """The kind of fields that no pattern names; when unset, RECORD for trusted and PROSE for untrusted output."""
    record: tuple[str, ...] = ()
    prose: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    """Fields that may leave in a text only when the user's own words ask for them: passport number, card number."""
    author: tuple[str, ...] = ()
    """Fields that name who made a record. When it is the user, the whole record is the user's own; when it is
    somebody else, the name itself is that person's choice and no proof of anything."""
    own: bool = False
    """The tool answers only about the user's own profile or account, so its record fields count as identity."""

    @property
    def kind(self) -> FieldKind:
        """The kind of a field that no pattern names."""
        if self.default is not None:
            return self.default
        return FieldKind.RECORD if self.trust is Trust.TRUSTED else FieldKind.PROSE


@dataclass(frozen=True, slots=True)
class Source:
    """One entry in the evidence of a run, in the order in which it arrived."""

    origin: Origin
    text: str
    tool: str = ""
    arguments: JsonObject | None = None
    """What the tool was asked; None for text that no tool returned."""
    roles: tuple[tuple[str, Role], ...] = ()
    """The roles of `arguments`, as the contract declares them."""
    output: OutputFields = OutputFields()
    failed: bool = False
    """The tool answered with an error: nothing in the text is a record."""


class Seen(StrEnum):
    """Where the value of one argument was seen, the strongest support first."""

    CONSTANT = "constant"
    """Null, a flag, an empty text: nothing to point with."""
    USER = "user"
    SYSTEM = "system"
    IDENTITY = "identity"
    RECORD = "record"
    """In a record field of a record that the user's words lead to."""
    DERIVED = "derived"
    """Computed from trusted numbers."""
    DELEGATED = "delegated"
    """In a document that the user named; good for how much, never for to whom."""
    COMPOSED = "composed"
    """Nowhere: the model wrote it."""
    UNRELATED = "unrelated"
    """In a record, but none that the user's words lead to."""
    UNTRUSTED = "untrusted"
    """Only in text that anybody may have written."""
    LOOKALIKE = "lookalike"
    """Differs from a trusted value only in how its characters look."""
    LEAK = "leak"
    """A text that carries out a link, an account or private data that the user did not ask to send."""
    MISMATCH = "mismatch"
    """Trusted by itself, but the user gave it for something else."""


class Verdict(StrEnum):
    """What follows for the call as a whole."""

    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    """A consequential value came from nowhere that is trusted, in a run that has read no untrusted text."""
    UNTRUSTED_DERIVED = "untrusted_derived"
    """A consequential value has no trusted support and untrusted text may have supplied it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in the evidence."""

    source: int
    """Position of the source, from 0."""
    pointer: str
    """JSON pointer into a structured result; empty for the whole text."""
    name: str
    """What to call the source: `the user's instruction`, `the result of search_emails`."""

    def __str__(self) -> str:
        where = f" at {self.pointer}" if self.pointer else ""
        return f"{self.name}{where} (source {self.source + 1})"


@dataclass(frozen=True, slots=True)
class LeafOrigin:
    """One value of the arguments, and where it was seen."""

    pointer: str
    role: Role
    guessed: bool
    """No contract declares the role."""
    seen: Seen
    supported: bool
    value: str
    """The value, shortened; empty for secrets."""
    support: tuple[Place, ...] = ()
    """Trusted places, the most telling first."""
    suspect: tuple[Place, ...] = ()
    """Untrusted places."""
    note: str = ""
    """What decided, when the label alone does not say it."""

    @property
    def reason(self) -> str:
        """The label as a sentence for a reviewer."""
        what = f"{self.pointer or 'the act'} ({self.role.value})" + (f" '{self.value}'" if self.value else "")
        words = [f"{what} {_SENTENCES[self.seen]}"]
        places = self.support if self.supported else self.suspect or self.support
        if places:
            words.append(f"in {places[0]}")
        sentence = " ".join(words)
        return f"{sentence}: {self.note}." if self.note else f"{sentence}."


_SENTENCES = {
    Seen.CONSTANT: "points at nothing",
    Seen.USER: "was given by the user,",
    Seen.SYSTEM: "stands in the system instruction,",
    Seen.IDENTITY: "is the user's own,",
    Seen.RECORD: "stands in a record that the user refers to,",
    Seen.DERIVED: "follows from trusted numbers",
    Seen.DELEGATED: "stands in a document that the user named,",
    Seen.COMPOSED: "stands in no source; the model wrote it",
    Seen.UNRELATED: "stands only in a record that the user did not refer to,",
    Seen.UNTRUSTED: "stands only in text that anybody may have written,",
    Seen.LOOKALIKE: "looks like a trusted value and is not the same",
    Seen.LEAK: "carries out something that the user did not ask to send, seen",
    Seen.MISMATCH: "was not given for this",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where every value of one proposed call was seen, and what follows."""

    verdict: Verdict
    leaves: tuple[LeafOrigin, ...]

    @property
    def unsupported(self) -> tuple[LeafOrigin, ...]:
        """The consequential values without trusted support."""
        return tuple(leaf for leaf in self.leaves if not leaf.supported)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the call is not supported, a sentence for each value."""
        return tuple(leaf.reason for leaf in self.unsupported)


def as_record(provenance: Provenance) -> Json:
    """Return the form in which a decision records where the values of a call were seen."""
    return {
        "verdict": provenance.verdict.value,
        "leaves": [
            {
                "pointer": leaf.pointer,
                "role": leaf.role.value,
                "guessed": leaf.guessed,
                "seen": leaf.seen.value,
                "supported": leaf.supported,
                "sources": [place.source for place in (*leaf.support, *leaf.suspect)],
            }
            for leaf in provenance.leaves
        ],
    }
