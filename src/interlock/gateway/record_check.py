"""Hold the records against the log: what was edited in the journal is not what its entries committed to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from interlock.domain.audit import AuditEvent, AuditKind
from interlock.domain.calls import CallKey, CallRecord
from interlock.domain.canonical import Json, JsonObject, canonical_json, commitment, parse_json
from interlock.domain.errors import BadInput, Erased, RecordDamaged, TooLarge
from interlock.domain.ids import ApprovalId, CallId, ModelCallId, RunId, TenantId
from interlock.gateway.logged_erasures import LoggedErasures, logged_erasures
from interlock.gateway.models.trail import sealed_proposal
from interlock.gateway.store import Store, Tx
from interlock.gateway.trail import result_json

_PAGE = 500
_MOST_FINDINGS = 1_000
_MOST_EVENTS = 1_000
"""Of one call; nobody asks for one more often."""
_MOST_BRAKES = 10_000
MOST_WAITING = 10_000
_TOLD = frozenset({"system", "identity", "user"})
_CALLS = frozenset({AuditKind.CALL_DECIDED, AuditKind.CALL_SETTLED, AuditKind.CALL_RESOLVED})


@dataclass(frozen=True, slots=True)
class Finding:
    """A record that is not what an entry of the log says of it."""

    subject: str
    index: int
    """Of that entry."""
    what: str
    """What differs; never the words themselves."""


@dataclass(frozen=True, slots=True)
class RecordReport:
    """What came of the comparison."""

    checked: int
    """Records: each once for every page of the log that speaks of it."""
    erased: int
    """Records whose words were erased: their commitments can no longer be opened."""
    findings: tuple[Finding, ...]
    waiting: int = 0
    """Events that have no place in the log yet, so that nothing vouches for them; counted up to `MOST_WAITING`."""


async def check_records(store: Store, tenant: TenantId) -> RecordReport:
    """Compare every record of `tenant` that the log speaks of. Reads page by page, while calls go on."""
    checked = erased = first = 0
    erasures = await store.read(lambda tx: logged_erasures(tx, tenant))
    findings: list[Finding] = []
    while len(findings) < _MOST_FINDINGS:
        page = await store.read(lambda tx, first=first: _page(tx, erasures, first))  # type: ignore[misc]
        checked, erased = checked + page.checked, erased + page.erased
        findings += page.findings
        if page.beyond == first:
            break
        first = page.beyond
    waiting = await store.read(lambda tx: tx.log.unplaced(MOST_WAITING))
    return RecordReport(checked, erased, tuple(findings[:_MOST_FINDINGS]), waiting)


@dataclass(slots=True)
class _Page:
    beyond: int
    checked: int
    erased: int
    findings: list[Finding]


def _page(tx: Tx, erasures: LoggedErasures, first: int) -> _Page:
    entries = tx.log.entries(first, _PAGE)
    page = _Page(first + len(entries), 0, 0, [])
    page.findings += [Finding(f"entry {one}", one, _MISFILED) for one in tx.log.misfiled(first, _PAGE)]
    seen: set[str] = set()
    for entry in entries:
        event = _event(entry.leaf)
        if event is None:
            # Nothing that was logged: the proof of the log says so, too.
            page.findings.append(Finding(f"entry {entry.index}", entry.index, "it is no event"))
            continue
        if event.tenant != erasures.tenant or (event.kind in _CALLS and event.subject in seen):
            continue
        seen.add(event.subject)
        look = _LOOKS.get(event.kind)
        if look is None:
            continue
        page.checked += 1
        for what in _found(look, tx, event):
            if what == _ERASED and erasures.cover(tx, event):
                page.erased += 1
            elif what == _ERASED:
                page.findings.append(Finding(event.subject, entry.index, _EMPTIED))
            else:
                page.findings.append(Finding(event.subject, entry.index, what))
    return page


def _found(look: Callable[[Tx, AuditEvent], Iterator[str]], tx: Tx, event: AuditEvent) -> Iterator[str]:
    try:
        yield from look(tx, event)
    except RecordDamaged:
        yield "its row was changed in the database: its words no longer open"
    except Erased:
        yield _ERASED


_ERASED = "erased"
_EMPTIED = "its words are gone, and the log tells of no erasure"
_GONE = "the record is gone"
_MISFILED = "the trail files it under another tenant, kind, subject, time or id than it tells"


def _call(tx: Tx, told: AuditEvent) -> Iterator[str]:
    record = next((one for key in _keys(told) if (one := tx.calls.find(key)) is not None), None)
    if record is None:
        yield _GONE
        return
    # What the call's latest entries say, placed or not: they were committed together with the record as it is.
    around = tx.audit.search(told.tenant, subject=told.subject, limit=_MOST_EVENTS)
    events = [one for one in around if one.subject == told.subject and one.kind in _CALLS]
    latest = events[0]
    decided = next((one for one in events if one.kind is AuditKind.CALL_DECIDED), latest)
    if record.status.value != latest.body["status"]:
        yield f"it stands at {record.status.value}, and was logged at {latest.body['status']}"
    if record.call.tool != latest.body["tool"] or record.call.agent != decided.body.get("agent", record.call.agent):
        yield "it is of another tool or agent"
    if record.erased or not record.salt:
        yield _ERASED
        return
    yield from _words(record, decided, latest)


def _words(record: CallRecord, decided: AuditEvent, latest: AuditEvent) -> Iterator[str]:
    body = decided.body
    if decided.kind is AuditKind.CALL_DECIDED:
        yield from _differs(body, "arguments", _sealed(record.salt, "arguments", record.call.arguments))
        yield from _differs(body, "decision", _sealed(record.salt, "decision", record.decision))
        user = _sealed(record.salt, "user", record.call.user) if record.call.user else None
        yield from _differs(body, "user", user)
    if latest.kind is not AuditKind.CALL_DECIDED:
        result = _sealed(record.salt, "result", result_json(record.result)) if record.result else None
        yield from _differs(latest.body, "result", result)
        failure = record.failure.code if record.failure else None
        yield from _differs(latest.body, "failure", failure)


def _run(tx: Tx, told: AuditEvent) -> Iterator[str]:
    run = tx.runs.find(told.tenant, RunId(told.subject))
    if run is None:
        yield _GONE
        return
    if run.agent != told.body["agent"] or run.principal != told.actor or run.opened_at != told.at:
        yield "its agent, opener or time is another"
    if not run.salt:
        # Versions before "texts" committed to nothing of what a run was told, and named its labels in the clear.
        if "texts" in told.body or dict(run.labels) != (told.body.get("labels") or {}):
            yield _ERASED
        return
    labels = _sealed(run.salt, "labels", dict(run.labels)) if run.labels else None
    yield from _differs(told.body, "labels", labels)
    yield from _differs(told.body, "user", _sealed(run.salt, "user", run.user) if run.user else None)
    heard = (row for row, _ in tx.evidence.since(told.tenant, run.id, 0) if row.kind in _TOLD)
    for kind, sealed in told.body.get("texts", ()):
        row = next(heard, None)
        if row is None or row.kind != kind or _sealed(run.salt, kind, row.body) != sealed:
            yield f"its {kind} text is not what it was opened with"


def _instruction(tx: Tx, told: AuditEvent) -> Iterator[str]:
    run, seq = tx.runs.find(told.tenant, RunId(told.subject)), told.body["seq"]
    if run is None:
        yield _GONE
        return
    if not run.salt:
        if told.body.get("text") is not None:
            yield _ERASED
        return
    row = next((row for row, _ in tx.evidence.since(told.tenant, run.id, seq - 1) if row.seq == seq), None)
    if row is None or _sealed(run.salt, "user", row.body) != told.body.get("text"):
        yield "what the user said next is not what was logged"


def _brake(tx: Tx, told: AuditEvent) -> Iterator[str]:
    brake = next((one for one in tx.brakes.history(told.tenant, _MOST_BRAKES) if one.id == told.subject), None)
    if brake is None:
        yield _GONE
        return
    is_now = {"expires_at": brake.expires_at, "name": brake.name, "target": brake.target.value}
    for field, value in is_now.items():
        yield from _differs(told.body, field, value)
    if told.body["reason"] not in (None, brake.reason):  # earlier versions logged it in the clear
        yield from (
            _differs(told.body, "reason", _sealed(brake.salt, "reason", brake.reason)) if brake.salt else (_ERASED,)
        )


def _model_call(tx: Tx, told: AuditEvent) -> Iterator[str]:
    record = tx.models.find(told.tenant, ModelCallId(told.subject.rpartition("/")[2]))
    if record is None:
        yield _GONE
        return
    is_now = {
        "agent": record.call.agent,
        "cache": record.cache,
        "cost_nano_usd": record.cost_nano_usd,
        "failure": record.failure.code if record.failure is not None else None,
        "input_tokens": record.usage.input,
        "output_tokens": record.usage.output,
        "status": record.status.value,
        "step": record.call.step,
    }
    for field, value in is_now.items():
        yield from _differs(told.body, field, value)
    if record.erased or not record.salt:
        yield _ERASED
        return
    sealed = [[one.id, one.tool, sealed_proposal(record.salt, one.arguments_hash)] for one in record.proposals]
    yield from _differs(told.body, "proposals", sealed)


def _key(tx: Tx, told: AuditEvent) -> Iterator[str]:
    key = next((one for one in tx.identities.keys(told.tenant) if one.id == told.subject), None)
    if key is None:
        yield _GONE
        return
    if told.kind is AuditKind.KEY_REVOKED:
        if key.revoked_at != told.at:
            yield "it was revoked, and is not, or at another time"
        return
    is_now = {
        "agent": key.principal.agent,
        "holder": key.principal.id,
        "roles": sorted(role.value for role in key.principal.roles),
    }
    for field, value in is_now.items():
        yield from _differs(told.body, field, value)


def _vote(tx: Tx, told: AuditEvent) -> Iterator[str]:
    try:
        approval = tx.approvals.find(ApprovalId(told.subject))
    except Erased:
        yield _ERASED
        return
    if approval is None:
        yield _GONE
        return
    vote = next((one for one in approval.votes if (one.by, one.at) == (told.actor, told.at)), None)
    if vote is None or vote.verdict.value != told.body["verdict"]:
        yield "the answer of a person is gone, or is another"
        return
    record = tx.calls.find(approval.binding.key)
    if record is not None and record.salt and not record.erased:
        yield from _differs(told.body, "reason", _sealed(record.salt, "reason", vote.reason))


_LOOKS = {
    **dict.fromkeys(_CALLS, _call),
    AuditKind.RUN_OPENED: _run,
    AuditKind.INSTRUCTION_ADDED: _instruction,
    AuditKind.BRAKE_SET: _brake,
    AuditKind.KEY_CREATED: _key,
    AuditKind.KEY_REVOKED: _key,
    AuditKind.MODEL_CALLED: _model_call,
    AuditKind.APPROVAL_VOTED: _vote,
}


def _differs(body: JsonObject, field: str, value: Json) -> Iterator[str]:
    if field in body and body[field] != value:
        yield f"its {field.replace('_', ' ')} is not what was logged"


def _sealed(salt: bytes, field: str, value: Json) -> str:
    return commitment(salt, field.encode() + b"\x00" + canonical_json(value))


def _keys(told: AuditEvent) -> Iterator[CallKey]:
    """Yield the calls that a subject may name: ids may hold slashes."""
    parts = told.subject.removeprefix(f"{told.tenant}/").split("/")
    for cut in range(1, len(parts)):
        yield CallKey(told.tenant, RunId("/".join(parts[:cut])), CallId("/".join(parts[cut:])))


def _event(leaf: bytes) -> AuditEvent | None:
    try:
        said = parse_json(leaf)
        kind = AuditKind(said["kind"])
        return AuditEvent(said["id"], said["tenant"], kind, said["at"], said["actor"], said["subject"], said["body"])
    except (BadInput, TooLarge, ValueError, KeyError, TypeError):
        return None
