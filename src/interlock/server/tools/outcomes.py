"""What became of a call, in the words of each surface. Both say the same; no sentence holds a secret or a trace."""

import orjson

from interlock.domain.calls import CallStatus, Failure
from interlock.domain.canonical import Json, JsonObject
from interlock.gateway.requests import CallAnswer
from interlock.server.problems import problem, said, status_of
from interlock.server.tools import meta

_WAITING = frozenset({CallStatus.PENDING, CallStatus.EXECUTING})
_DONE = frozenset({CallStatus.SUCCEEDED, CallStatus.SIMULATED})
_NO_FAILURE = Failure("tool_failed", "The call did not succeed")


def standing(answer: CallAnswer) -> dict[str, Json]:
    """Return where the call stands: what both surfaces tell of every call."""
    found: dict[str, Json] = {
        "status": answer.status.value,
        "run": answer.key.run,
        "call_id": answer.key.call,
    }
    if answer.approval is not None:
        found["approval"] = answer.approval
    return found


def tool_result(answer: CallAnswer) -> dict[str, Json]:
    """Return the MCP tool result of `answer`.

    Waiting for approval is no error: models take an error for a reason to try something else.
    """
    if answer.status in _WAITING:
        told = waiting(answer)
        result = _result(f"{told['message']}\n{_text(told)}", told, is_error=False)
    elif answer.result is not None:
        is_error = answer.result.is_error or answer.status not in _DONE
        content = answer.result.content
        result = _result(_text(content), content if isinstance(content, dict) else None, is_error=is_error)
    else:
        failure = answer.failure or _NO_FAILURE
        document = {**standing(answer), "error": failure_json(failure)}
        result = _result(f"{failure.code}: {said(failure)}", document, is_error=True)
    marks = {meta.STATUS: answer.status.value, meta.RUN: answer.key.run, meta.CALL_ID: answer.key.call}
    if answer.approval is not None:
        marks[meta.APPROVAL] = answer.approval
    result["_meta"] = marks
    return result


def failed_result(failure: Failure) -> dict[str, Json]:
    """Return the MCP tool result for a request that did not become a call."""
    return _result(
        f"{failure.code}: {said(failure)}", {"status": "denied", "error": failure_json(failure)}, is_error=True
    )


def failure_json(failure: Failure) -> dict[str, Json]:
    """Return `failure` as an agent reads it."""
    return {"code": failure.code, "what": failure.what, "why": failure.why, "do": failure.do}


def waiting(answer: CallAnswer) -> dict[str, Json]:
    """Return what an agent is told of a call that is not decided or not finished."""
    if answer.status is CallStatus.PENDING:
        message = "Not done yet: a person has to approve this call."
        do = "Tell the user. To get the result later, make the very same call again; a changed call asks anew."
    else:
        message = "The call is being carried out."
        do = "Make the very same call again later to get its result."
    return {**standing(answer), "message": message, "reasons": reasons(answer.decision), "do": do}


def reasons(decision: JsonObject) -> list[Json]:
    """Return the sentences of the rules that determined the decision."""
    findings = decision.get("findings") or []
    return [finding["reason"] for finding in findings if finding.get("effect") == decision.get("effect")]


def resource(answer: CallAnswer, tool: str) -> tuple[int, dict[str, Json]]:
    """Return HTTP status and body of the call as REST shows it; a call that failed is a problem document."""
    found: dict[str, Json] = {**standing(answer), "tool": tool, "decision": dict(answer.decision)}
    if answer.result is not None:
        found["result"] = answer.result.content
        found["is_error"] = answer.result.is_error
        found["redacted"] = list(answer.result.redacted)
    if answer.status in _WAITING:
        return 202, {**found, **waiting(answer)}
    if answer.status in _DONE:
        return 200, found
    failure = answer.failure or _NO_FAILURE
    status = status_of(failure.code)
    return status, {**problem(failure), **found, "status": status, "call_status": answer.status.value}


def _result(text: str, structured: Json, *, is_error: bool) -> dict[str, Json]:
    result: dict[str, Json] = {"content": [{"type": "text", "text": text}], "isError": is_error}
    if structured is not None:
        result["structuredContent"] = structured
    return result


def _text(content: Json) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()
