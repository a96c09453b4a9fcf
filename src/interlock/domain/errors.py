"""The error family. A message says what happened, why, and what to do; a `code` is API and never changes its meaning.

InterlockError
├── BadInput               the caller sent something that cannot be right
│   ├── MalformedJson
│   ├── TooLarge
│   ├── InvalidArguments
│   ├── ConfigurationError
│   ├── CallIdReused
│   ├── ContextTooLong
│   ├── Uncarriable
│   ├── MalformedProof
│   └── NotProven
├── NotAllowed             the caller may not do this
│   ├── Unauthenticated
│   ├── Forbidden
│   └── UntrustedOrigin
├── NotFound
│   ├── UnknownTool
│   ├── UnknownRun
│   ├── UnknownModel
│   ├── UnknownRecord
│   └── Erased             it was there, and its words are gone for good
├── Conflict               the state of the thing does not permit this now
│   ├── CallInProgress
│   ├── RunClosed
│   ├── ApprovalClosed
│   ├── ContractQuarantined
│   ├── OnHold             a legal hold forbids to delete it
│   └── SigningStopped     the audit log signs nothing until a person has looked
├── BudgetExceeded
├── Unpriced               what the call may cost is not known
├── Braked
├── ToolFailed             the tool answered, and its answer is a failure
│   ├── ToolTimeout
│   ├── ToolUnavailable
│   └── BadToolResult
├── ModelFailed            the provider answered, and its answer is a failure
│   ├── ModelTimeout
│   ├── ModelUnavailable
│   ├── ModelOverloaded
│   ├── ModelRefused
│   ├── BadModelReply
│   ├── ReplyCut
│   └── SchemaUnmet
├── OutcomeUnknown         the call was sent and no trustworthy answer came back
├── PolicyError            a rule could not be evaluated; the call is denied
├── RecordDamaged          a record does not stand in the database as it was written
└── StoreUnavailable       nothing could be recorded, so nothing was done
"""

from typing import ClassVar

from interlock.domain.problems import Problem


class InterlockError(Exception):
    """The request failed; no action ran unless the message says otherwise."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """The HTTP status that stands for this error."""
    record: str = ""
    """Id of the model call whose record tells more, where there is one."""

    def __init__(self, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        parts = (f"{self.what}: {self.why}" if self.why else self.what, self.do)
        return " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)


class InternalError(InterlockError):
    """Something in Interlock itself failed; what was under way is recorded as far as it came."""

    code = "internal_error"


class BadInput(InterlockError):
    """The request cannot be understood as it stands; nothing ran."""

    code = "bad_input"
    status = 400


class MalformedJson(BadInput):
    """The text is not JSON that every reader would read the same way; nothing ran."""

    code = "malformed_json"


class TooLarge(BadInput):
    """The request is larger or deeper than the limit; nothing ran."""

    code = "too_large"
    status = 413


class InvalidArguments(BadInput):
    """The arguments do not satisfy the tool's contract; nothing ran."""

    code = "invalid_arguments"
    status = 422


class ConfigurationError(BadInput):
    """A configuration file is wrong; nothing starts until it is mended."""

    code = "configuration_error"

    def __init__(self, what: str, *, why: str = "", do: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(what, why=why, do=do)
        self.problems = problems
        """Everything that is wrong, in order of file and line; empty where the error stands for one thing."""

    def __str__(self) -> str:
        return "\n\n".join([f"{self.what}.", *map(str, self.problems)]) if self.problems else super().__str__()


class CallIdReused(BadInput):
    """This call id already stands for another call; nothing ran."""

    code = "call_id_reused"
    status = 409


class ContextTooLong(BadInput):
    """The request is longer than the model, or the context budget of the step, allows; nothing was sent."""

    code = "context_too_long"


class ProviderSide(BadInput):
    """The request has the provider do or remember more than a reply, which the router does not allow; nothing was sent."""

    code = "provider_side"
    status = 422


class Uncarriable(BadInput):
    """The request holds something that the wire format of the chosen model cannot carry; nothing was sent."""

    code = "uncarriable"
    status = 422


class MalformedProof(BadInput):
    """A note, checkpoint, tile or proof of the audit log is not of its form: it says nothing, true or false."""

    code = "malformed_proof"


class NotProven(BadInput):
    """A proof of the audit log is of its form and does not show what it should: a signature or a hash is another."""

    code = "not_proven"


class NotAllowed(InterlockError):
    """The caller may not do this; nothing ran."""

    code = "not_allowed"
    status = 403


class Unauthenticated(NotAllowed):
    """The caller did not prove who it is; nothing ran."""

    code = "unauthenticated"
    status = 401


class Forbidden(NotAllowed):
    """The caller is known and may not do this; nothing ran."""

    code = "forbidden"


class UntrustedOrigin(NotAllowed):
    """The Host or Origin header is not one this server answers to; nothing ran."""

    code = "untrusted_origin"


class NotFound(InterlockError):
    """There is no such thing, or the caller may not see it."""

    code = "not_found"
    status = 404


class UnknownTool(NotFound):
    """No tool of this name is open to this agent; nothing ran."""

    code = "unknown_tool"


class UnknownRun(NotFound):
    """There is no run of this id for this tenant and agent; nothing ran."""

    code = "unknown_run"


class UnknownModel(NotFound):
    """No model, tier or step of this name is open to this agent; nothing was sent."""

    code = "unknown_model"


class UnknownRecord(NotFound):
    """There is no record of this id that the caller may see."""

    code = "unknown_record"


class Erased(NotFound):
    """What the record said was erased; its row, its sums and its proofs remain."""

    code = "erased"
    status = 410


class Conflict(InterlockError):
    """The state of the thing does not permit this now; nothing ran."""

    code = "conflict"
    status = 409


class CallInProgress(Conflict):
    """The same call is being carried out at this moment; ask again with the same call id."""

    code = "call_in_progress"


class RunClosed(Conflict):
    """The run has ended, and an ended run makes no calls; nothing ran."""

    code = "run_closed"


class ApprovalClosed(Conflict):
    """The approval is no longer open: decided, used, edited or expired."""

    code = "approval_closed"


class ContractQuarantined(Conflict):
    """The tool changed since its contract was reviewed and is held until someone approves it; nothing ran."""

    code = "contract_quarantined"


class OnHold(Conflict):
    """A legal hold forbids to delete this; nothing was deleted."""

    code = "on_hold"


class SigningStopped(Conflict):
    """The audit log signs no checkpoints until a person has looked; calls go on being decided and recorded."""

    code = "audit_signing_stopped"


class BudgetExceeded(InterlockError):
    """The call would take a budget over its limit; nothing ran."""

    code = "budget_exceeded"
    status = 429


class Unpriced(InterlockError):
    """No price is known for the model, so no budget can hold the call; nothing was sent."""

    code = "unpriced"
    status = 422


class Braked(InterlockError):
    """An operator has stopped this tool, category, agent or all writes; nothing ran."""

    code = "braked"
    status = 423


class ToolFailed(InterlockError):
    """The tool answered, and its answer is a failure."""

    code = "tool_failed"
    status = 502


class ToolTimeout(ToolFailed):
    """The tool did not answer in time, and it is known that repeating the call is safe."""

    code = "tool_timeout"
    status = 504


class ToolUnavailable(ToolFailed):
    """The tool could not be reached, so it did nothing."""

    code = "tool_unavailable"
    status = 503


class BadToolResult(ToolFailed):
    """The tool's answer breaks its contract and is withheld; the call itself may have taken effect."""

    code = "bad_tool_result"


class ModelFailed(InterlockError):
    """The provider of the model answered, and its answer is a failure."""

    code = "model_failed"
    status = 502

    retry_after_s: float | None = None
    """How long the provider asks to wait, in seconds, if it said."""


class ModelTimeout(ModelFailed):
    """The model did not answer in time: no first byte, a pause that was too long, or too long altogether."""

    code = "model_timeout"
    status = 504


class ModelUnavailable(ModelFailed):
    """The provider could not be reached, or says that it cannot serve at the moment."""

    code = "model_unavailable"
    status = 503


class ModelOverloaded(ModelFailed):
    """The provider is limiting how much it serves to us; wait before the next attempt."""

    code = "model_overloaded"
    status = 429


class ModelRefused(ModelFailed):
    """The provider refused the request as it stands: another attempt would end the same way."""

    code = "model_refused"
    status = 400


class BadModelReply(ModelFailed):
    """The provider's answer cannot be read: broken JSON, a broken stream, or an error in place of a reply."""

    code = "bad_model_reply"


class ReplyCut(ModelFailed):
    """The reply ended before its end: what was delivered is incomplete."""

    code = "reply_cut"


class SchemaUnmet(ModelFailed):
    """The model's output does not satisfy the JSON Schema that was asked for, even after one repair; it is withheld."""

    code = "schema_unmet"
    places: str = ""
    """Where the output does not fit, without its words: what a record keeps of the reason."""


class OutcomeUnknown(InterlockError):
    """The call was sent and no trustworthy answer came back; its money stays held until a person resolves it."""

    code = "outcome_unknown"
    status = 504


class PolicyError(InterlockError):
    """A rule could not be evaluated, so the call is denied; nothing ran."""

    code = "policy_error"
    status = 403


class RecordDamaged(InterlockError):
    """A record does not stand in the database as it was written; nothing rests on it."""

    code = "record_damaged"


class StoreUnavailable(InterlockError):
    """Nothing could be recorded, so nothing was done."""

    code = "store_unavailable"
    status = 503
