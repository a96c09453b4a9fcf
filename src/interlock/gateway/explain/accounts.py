"""What is told of a call, a model call or a run to whoever asks why."""

from dataclasses import dataclass

from interlock.domain.approvals import Approval
from interlock.domain.calls import CallRecord
from interlock.domain.canonical import Json
from interlock.domain.decisions import Decision, Finding
from interlock.domain.ids import CallId
from interlock.domain.models import ModelCallRecord
from interlock.domain.runs import Run


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """A text of the run's evidence in which a value was seen."""

    seq: int
    """Its place in the evidence of the run."""
    name: str
    """`the user's instruction`, `the result of search_emails`."""
    pointer: str
    """JSON pointer into a structured result; empty for the whole text."""
    trusted: bool
    call: CallId | None = None
    """The call whose result it is."""


@dataclass(frozen=True, slots=True)
class InputAccount:
    """One value of the arguments, and what it goes back to."""

    pointer: str
    value: Json
    """None where it was erased."""
    role: str
    seen: str
    """Where it was seen, in one word: `user`, `record`, `untrusted` ..."""
    supported: bool
    sentence: str
    sources: tuple[SourceAccount, ...]


@dataclass(frozen=True, slots=True)
class StepAccount:
    """One decision about the call."""

    at: int | None
    """Milliseconds since the epoch; None where the facts were not recorded."""
    decision: Decision
    release: str
    """The release that it was made under; empty where nobody noted it."""


@dataclass(frozen=True, slots=True)
class ProposalAccount:
    """The model reply that proposed the call."""

    standing: str
    """A `Proposed`: `bound` when a reply of the run proposes exactly this."""
    named: str
    """The proposal that the call names; empty when it names none."""
    model_call: ModelCallRecord | None


@dataclass(frozen=True, slots=True)
class TodayAccount:
    """What the rules of today would say, on the facts of then."""

    decision: Decision | None
    changed: bool
    why: str = ""
    """Why nobody can tell, where `decision` is None."""
    because: tuple[Finding, ...] = ()
    """The findings that make the difference."""


@dataclass(frozen=True, slots=True)
class ProofAccount:
    """An event of the trail, and whether it can be proved now."""

    event: str
    kind: str
    at: int
    index: int
    """Its place in the log."""
    commitments: tuple[tuple[str, bool | None], ...]
    """(field, whether the record still is what was committed to); None where it was erased, or is not kept."""


@dataclass(frozen=True, slots=True)
class LogAccount:
    """The proof of a subject as a whole."""

    origin: str
    size: int
    """Of the tree of the checkpoint, in events."""
    events: tuple[ProofAccount, ...]
    problem: str = ""
    """Why nothing can be proved at the moment; empty when everything is."""


@dataclass(frozen=True, slots=True)
class CallAccount:
    """Why a tool call was, or was not, carried out."""

    run: Run
    record: CallRecord
    proposal: ProposalAccount
    inputs: tuple[InputAccount, ...]
    steps: tuple[StepAccount, ...]
    approvals: tuple[Approval, ...]
    today: TodayAccount
    log: LogAccount


@dataclass(frozen=True, slots=True)
class ModelCallAccount:
    """Why a model call went where it went."""

    run: Run | None
    record: ModelCallRecord
    calls: tuple[CallRecord, ...]
    """The tool calls that came of its proposals."""
    log: LogAccount


@dataclass(frozen=True, slots=True)
class RunAccount:
    """What a run did: its calls in order, each with its effect."""

    run: Run
    calls: tuple[CallRecord, ...]
    """In the order in which they were proposed."""
    model_calls: tuple[ModelCallRecord, ...]
    log: LogAccount


Account = CallAccount | ModelCallAccount | RunAccount
