"""The journal: one row for each call, its large bodies beside it."""

from dataclasses import asdict
from typing import Any

from interlock.adapters.sql.encoding import decode, encode
from interlock.adapters.sql.seals import place_of
from interlock.adapters.sql.session import Row, Session, Statement
from interlock.domain.calls import CallKey, CallRecord, CallStatus, Failure, ToolCall, ToolResult
from interlock.domain.canonical import Json
from interlock.domain.contracts import Constraint
from interlock.domain.errors import Erased
from interlock.domain.ids import AgentId, ToolName
from interlock.runs.ports import CallFilter, CallJournal

INLINE_BYTES = 64 * 1024
"""The largest body that stands in its row; a larger one goes to `payloads`."""
ELSEWHERE = b""
"""Stands in the row for a body that is in `payloads`."""
ERASED = b""
"""Stands for a proposal and a progress that were erased."""
_NOBODY: tuple[Any, ...] = ("", None, "", None, (), False, False)
_NOTHING: tuple[Any, ...] = ({}, None, "", None, {})

UNSETTLED = frozenset({CallStatus.PENDING, CallStatus.EXECUTING, CallStatus.UNKNOWN})

FIND = Statement("""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls WHERE tenant = :tenant AND run = :run AND call = :call
""")

FIND_LOCKED = Statement("""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls WHERE tenant = :tenant AND run = :run AND call = :call FOR UPDATE
""")

INSERT = Statement("""
    INSERT INTO calls (tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
                       arguments_hash, proposal, progress, salt, arguments, result)
    VALUES (:tenant, :run, :call, :agent, :tool, :status, :attempt, :owner, :created_at, :updated_at, :contract_hash,
            :arguments_hash, :proposal, :progress, :salt, :arguments, :result)
    ON CONFLICT (tenant, run, call) DO NOTHING
""")

ADVANCE = Statement("""
    UPDATE calls
    SET status = :status, attempt = :attempt, owner = :owner, updated_at = :updated_at,
        contract_hash = :contract_hash, progress = :progress, result = :result
    WHERE tenant = :tenant AND run = :run AND call = :call AND status = :since AND attempt = :since_attempt
""")

SEARCH = Statement(
    """
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls
    WHERE (:tenant IS NULL OR tenant = :tenant)
      AND (:run IS NULL OR run = :run)
      AND (:agent IS NULL OR agent = :agent)
      AND (:tool IS NULL OR tool = :tool)
      AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
      AND (:owners IS NULL OR owner NOT IN (SELECT value FROM json_each(:owners)))
    ORDER BY seq DESC LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls
    WHERE (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
      AND (CAST(:run AS text) IS NULL OR run = :run)
      AND (CAST(:agent AS text) IS NULL OR agent = :agent)
      AND (CAST(:tool AS text) IS NULL OR tool = :tool)
      AND (CAST(:statuses AS text[]) IS NULL OR status = ANY(CAST(:statuses AS text[])))
      AND (CAST(:owners AS text[]) IS NULL OR owner <> ALL(CAST(:owners AS text[])))
    ORDER BY seq DESC LIMIT :limit
    """,
)

# Asked in the middle of calls, so it must not read the tenant's history: the plus keeps planners from walking that
# in the order of `seq`, and the key finds the run.
SEARCH_RUN = Statement(
    """
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls
    WHERE tenant = :tenant AND run = :run
      AND (:agent IS NULL OR agent = :agent)
      AND (:tool IS NULL OR tool = :tool)
      AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
      AND (:owners IS NULL OR owner NOT IN (SELECT value FROM json_each(:owners)))
    ORDER BY +seq DESC LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls
    WHERE tenant = :tenant AND run = :run
      AND (CAST(:agent AS text) IS NULL OR agent = :agent)
      AND (CAST(:tool AS text) IS NULL OR tool = :tool)
      AND (CAST(:statuses AS text[]) IS NULL OR status = ANY(CAST(:statuses AS text[])))
      AND (CAST(:owners AS text[]) IS NULL OR owner <> ALL(CAST(:owners AS text[])))
    ORDER BY +seq DESC LIMIT :limit
    """,
)

# Its first line is the condition of the index over the few calls that are not settled.
SEARCH_UNSETTLED = Statement(
    """
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls INDEXED BY calls_unsettled
    WHERE status IN ('pending', 'executing', 'unknown')
      AND (:tenant IS NULL OR tenant = :tenant)
      AND (:run IS NULL OR run = :run)
      AND (:agent IS NULL OR agent = :agent)
      AND (:tool IS NULL OR tool = :tool)
      AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
      AND (:owners IS NULL OR owner NOT IN (SELECT value FROM json_each(:owners)))
    ORDER BY +seq DESC LIMIT :limit
    """,
    postgresql="""
    SELECT tenant, run, call, agent, tool, status, attempt, owner, created_at, updated_at, contract_hash,
           arguments_hash, proposal, progress, salt, arguments, result
    FROM calls
    WHERE status IN ('pending', 'executing', 'unknown')
      AND (CAST(:tenant AS text) IS NULL OR tenant = :tenant)
      AND (CAST(:run AS text) IS NULL OR run = :run)
      AND (CAST(:agent AS text) IS NULL OR agent = :agent)
      AND (CAST(:tool AS text) IS NULL OR tool = :tool)
      AND (CAST(:statuses AS text[]) IS NULL OR status = ANY(CAST(:statuses AS text[])))
      AND (CAST(:owners AS text[]) IS NULL OR owner <> ALL(CAST(:owners AS text[])))
    ORDER BY +seq DESC LIMIT :limit
    """,
)

KEEP_PAYLOAD = Statement("""
    INSERT INTO payloads (tenant, run, call, part, body) VALUES (:tenant, :run, :call, :part, :body)
    ON CONFLICT (tenant, run, call, part) DO UPDATE SET body = excluded.body
""")

FIND_PAYLOAD = Statement("""
    SELECT body FROM payloads WHERE tenant = :tenant AND run = :run AND call = :call AND part = :part
""")


class SqlCalls(CallJournal):
    """The tables `calls` and `payloads`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, key: CallKey) -> CallRecord | None:
        statement = FIND_LOCKED if self._session.locks_rows else FIND
        row = self._session.one(statement, {"tenant": key.tenant, "run": key.run, "call": key.call})
        return None if row is None else record_of(row, self._session)

    def insert(self, record: CallRecord) -> bool:
        call = record.call
        arguments = encode(call.arguments)
        values = self._progress(record) | {
            "agent": call.agent,
            "tool": call.tool,
            "created_at": record.created_at,
            "arguments_hash": record.arguments_hash,
            "proposal": self._sealed(call.key, "proposal", _proposal(call)),
            "salt": record.salt,
            "arguments": self._inline(call.key, "arguments", arguments),
        }
        if self._session.run(INSERT, values) == 0:
            return False
        self._keep_large(call.key, "arguments", arguments)
        self._keep_large(call.key, "result", _result(record.result))
        return True

    def advance(self, record: CallRecord, *, since: CallStatus, attempt: int) -> bool:
        values = self._progress(record) | {"since": since.value, "since_attempt": attempt}
        if self._session.run(ADVANCE, values) == 0:
            return False
        self._keep_large(record.call.key, "result", _result(record.result))
        return True

    def search(self, query: CallFilter) -> tuple[CallRecord, ...]:
        values = {
            "tenant": query.tenant,
            "run": query.run,
            "agent": query.agent,
            "tool": query.tool,
            "statuses": self._session.texts(query.statuses),
            "owners": self._session.texts(query.owners_other_than),
            "limit": query.limit,
        }
        return tuple(record_of(row, self._session) for row in self._session.all(_search(query), values))

    def _keep_large(self, key: CallKey, part: str, body: bytes | None) -> None:
        if body is not None and len(body) > INLINE_BYTES:
            place = place_of("payloads", part, key.tenant, key.run, key.call)
            sealed = self._session.seals.seal(key.tenant, place, body)
            values = {"tenant": key.tenant, "run": key.run, "call": key.call, "part": part, "body": sealed}
            self._session.run(KEEP_PAYLOAD, values)

    def _inline(self, key: CallKey, part: str, body: bytes | None) -> bytes | None:
        if body is None:
            return None
        return ELSEWHERE if len(body) > INLINE_BYTES else self._sealed(key, part, body)

    def _sealed(self, key: CallKey, part: str, body: bytes) -> bytes:
        return self._session.seals.seal(key.tenant, place_of("calls", part, key.tenant, key.run, key.call), body)

    def _progress(self, record: CallRecord) -> dict[str, Any]:
        key, failure = record.call.key, record.failure
        reasons = failure and [failure.code, failure.what, failure.why, failure.do]
        progress = [record.decision, record.approval, record.idempotency_key, reasons, record.extras]
        return {
            "tenant": key.tenant,
            "run": key.run,
            "call": key.call,
            "status": record.status.value,
            "attempt": record.attempt,
            "owner": record.owner,
            "updated_at": record.updated_at,
            "contract_hash": record.contract_hash,
            "progress": self._sealed(key, "progress", encode(progress)),
            "result": self._inline(key, "result", _result(record.result)),
        }


def record_of(row: Row, session: Session) -> CallRecord:
    """Return the record that a row of `calls` stands for, its large bodies fetched. Raises RecordDamaged."""
    (
        *named,
        agent,
        tool,
        status,
        attempt,
        owner,
        created_at,
        updated_at,
        contract_hash,
        arguments_hash,
        proposal,
        progress,
        salt,
        arguments,
        result,
    ) = row
    key = CallKey(*named)
    try:
        asked = _opened(proposal, key, "proposal", session)
        came = _opened(progress, key, "progress", session)
        said = _body(arguments, key, "arguments", session)
        answered = _body(result, key, "result", session)
        erased = asked is None or came is None
    except Erased:
        asked = came = said = answered = None
        erased = True
    decision, approval, idempotency_key, failure, extras = came or _NOTHING
    return CallRecord(
        call=_call(key, agent, tool, asked, said),
        arguments_hash=arguments_hash,
        status=CallStatus(status),
        decision=decision,
        contract_hash=contract_hash,
        created_at=created_at,
        updated_at=updated_at,
        attempt=attempt,
        owner=owner,
        salt=salt or b"",
        approval=approval,
        idempotency_key=idempotency_key,
        result=_tool_result(answered),
        failure=None if failure is None else Failure(*failure),
        extras=extras,
        erased=erased,
    )


def _call(key: CallKey, agent: AgentId, tool: ToolName, asked: list[Any] | None, arguments: Json) -> ToolCall:
    """Return the call that was proposed; `asked` is None when that was erased."""
    # Rows of earlier versions end before the trace.
    principal, user, reason, proposal, constraints, requires_approval, dry_run, *traced = asked or _NOBODY
    trace, parent_span = traced or ("", "")
    return ToolCall(
        key=key,
        agent=agent,
        principal=principal,
        tool=tool,
        arguments=arguments or {},
        user=user,
        reason=reason,
        proposal=proposal,
        constraints=tuple(_constraint(fields) for fields in constraints),
        requires_approval=requires_approval,
        dry_run=dry_run,
        trace=trace,
        parent_span=parent_span,
    )


def _search(query: CallFilter) -> Statement:
    """Return the statement that reads the least for `query`; all of them give the same answer to it."""
    if query.statuses is not None and query.statuses <= UNSETTLED:
        return SEARCH_UNSETTLED
    if query.tenant is not None and query.run is not None:
        return SEARCH_RUN
    return SEARCH


def _body(inline: bytes | None, key: CallKey, part: str, session: Session) -> Json:
    if inline is None:
        return None
    if inline != ELSEWHERE:
        return _opened(inline, key, part, session)
    row = session.one(FIND_PAYLOAD, {"tenant": key.tenant, "run": key.run, "call": key.call, "part": part})
    if row is None:
        return None
    return decode(session.seals.open(key.tenant, place_of("payloads", part, key.tenant, key.run, key.call), row[0]))


def _opened(body: bytes, key: CallKey, part: str, session: Session) -> Any:  # noqa: ANN401 - as it was encoded
    """Return the body, or None where it was erased. Raises Erased when the key was destroyed."""
    if body == ERASED:
        return None
    return decode(session.seals.open(key.tenant, place_of("calls", part, key.tenant, key.run, key.call), body))


def _proposal(call: ToolCall) -> bytes:
    constraints = [asdict(constraint) for constraint in call.constraints]
    asked = [call.principal, call.user, call.reason, call.proposal, constraints, call.requires_approval, call.dry_run]
    return encode([*asked, call.trace, call.parent_span] if call.trace else asked)


def _constraint(fields: dict[str, Any]) -> Constraint:
    for name in ("one_of", "domains"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    return Constraint(**fields)


def _result(result: ToolResult | None) -> bytes | None:
    return None if result is None else encode([result.content, result.is_error, result.redacted])


def _tool_result(fields: list[Any] | None) -> ToolResult | None:
    return None if fields is None else ToolResult(fields[0], is_error=fields[1], redacted=tuple(fields[2]))
