"""The events of the trail about something, their places in the log, and whether the record still is what they commit to."""

from collections.abc import Iterable, Mapping, Sequence

from interlock.audit.checkpoints import read_checkpoint
from interlock.audit.ports import LogEntry
from interlock.domain.approvals import Approval
from interlock.domain.calls import CallRecord
from interlock.domain.canonical import Json, canonical_json, commitment, parse_json
from interlock.domain.ids import TenantId
from interlock.gateway.explain.accounts import LogAccount, ProofAccount
from interlock.gateway.steps import decided_steps
from interlock.gateway.store import Tx
from interlock.gateway.trail import result_json

Payloads = Mapping[str, tuple[Json, ...]]
"""What a field of an event may commit to, by its name."""


def log_of(
    tx: Tx, tenant: TenantId, subjects: Iterable[str], origin: str, sealed: "Sealed | None" = None
) -> LogAccount:
    """Return what the log holds about `subjects`, under the checkpoint of now."""
    entries = sorted({one.index: one for subject in subjects for one in tx.log.find(tenant, subject)}.items())
    note = tx.log.checkpoint()
    size = read_checkpoint(note).size if note is not None else 0
    events = tuple(_event(entry, sealed) for _, entry in entries)
    beyond = sum(1 for index, _ in entries if index >= size)
    problem = ""
    if not events:
        problem = "The events have no place in the log yet; they get one within a second while a server runs."
    elif beyond:
        problem = f"{beyond} of the events are signed with the next checkpoint."
    return LogAccount(origin, size, events, problem)


class Sealed:
    """What a call's events commit to, as its record says it now."""

    def __init__(self, record: CallRecord, approvals: Sequence[Approval]) -> None:
        self._salt = record.salt
        self._erased = record.erased
        call = record.call
        self._payloads: Payloads = {
            "arguments": (call.arguments,),
            "decision": tuple(step.decision for step in decided_steps(record)),
            "reason": tuple(vote.reason for one in approvals for vote in one.votes),
            "result": (result_json(record.result),) if record.result is not None else (),
            "user": (call.user,),
        }

    def holds(self, field: str, said: Json) -> bool | None:
        """Return whether the record is what the event's `field` commits to; None where it was erased or is not kept."""
        payloads = self._payloads.get(field, ())
        if self._erased or not self._salt or not isinstance(said, str) or not payloads:
            return None
        return any(self._sealed(field, payload) == said for payload in payloads)

    def _sealed(self, field: str, payload: Json) -> str:
        return commitment(self._salt, field.encode() + b"\x00" + canonical_json(payload))


_SEALED = ("arguments", "decision", "reason", "result", "user")


def _event(entry: LogEntry, sealed: Sealed | None) -> ProofAccount:
    told = parse_json(entry.leaf)
    body = told["body"]
    found = tuple((field, sealed.holds(field, body[field])) for field in _SEALED if body.get(field)) if sealed else ()
    return ProofAccount(told["id"], told["kind"], told["at"], entry.index, found)
