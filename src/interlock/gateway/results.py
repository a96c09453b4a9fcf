"""Step 9: what the tool answered becomes what the agent may see, or is withheld. The cost stays either way."""

from collections.abc import Mapping
from dataclasses import replace

from interlock.checks.personal import contains_personal_data, redact
from interlock.checks.redactor import Words, words_by_form
from interlock.domain.calls import CallRecord, CallStatus, Failure, ToolResult
from interlock.domain.canonical import Json, canonical_json, check_json
from interlock.domain.contracts import ToolContract
from interlock.domain.decisions import Duty, Effect
from interlock.domain.errors import InterlockError
from interlock.gateway.execution import Execution
from interlock.gateway.settlement import Outcome, undelivered
from interlock.policy.decide import decide_result
from interlock.policy.facts import Facts
from interlock.policy.policy_set import PolicySet
from interlock.tools.schemas import Schema

_LONGEST_LOOKED_AT = 4_096
"""Characters of an error, of which what must not stay is taken out before the text is cut."""
_BRIEF = 200


def examine(
    record: CallRecord,
    contract: ToolContract,
    schema: Schema | None,
    facts: Facts | None,
    policies: PolicySet,
    execution: Execution,
    redact_words: Words = words_by_form,
) -> Outcome:
    """Return the outcome of `execution`: what is shown, what is withheld and why. Never raises.

    What a failure says of the result goes through `redact_words`.
    """
    missing = undelivered(contract, execution)
    if missing is not None:
        return missing
    try:
        outcome = _examined(record, contract, schema, facts, policies, execution)
        if outcome.failure is None:
            return outcome
        why = redact_words(outcome.failure.why)
        brief = why[:_BRIEF] if outcome.failure.code == "tool_failed" else why
        return replace(outcome, failure=replace(outcome.failure, why=brief))
    except Exception as error:  # noqa: BLE001 - the effect has happened: it must be settled, whatever fails here
        return _withheld("result_withheld", f"The result could not be examined ({type(error).__name__}).", execution)


def _examined(
    record: CallRecord,
    contract: ToolContract,
    schema: Schema | None,
    facts: Facts | None,
    policies: PolicySet,
    execution: Execution,
) -> Outcome:
    answer = execution.answer
    try:
        check_json(answer.content)
        flaw = _flaw(contract, schema, answer.content, is_error=answer.is_error)
    except InterlockError as error:
        flaw = str(error)
    if flaw is not None:
        return _withheld("bad_tool_result", flaw, execution)
    if facts is None:
        return _withheld("result_withheld", "The facts of its decision are missing.", execution)
    content, kinds = redact(answer.content) if _must_redact(record) else (answer.content, ())
    document = {
        "content": content,
        "is_error": answer.is_error,
        # Nobody reads it where no rule asks about results, and looking costs more than deciding.
        "contains_pii": bool(policies.after.get(record.call.tool)) and contains_personal_data(content),
    }
    decision = decide_result(record.call, facts, policies, document)
    if decision.effect is not Effect.ALLOW:
        return _withheld("result_withheld", decision.reasons[0], execution)
    if answer.is_error:
        failure = Failure("tool_failed", "The tool answered with an error", _brief(content), "See the result")
        return Outcome(
            CallStatus.FAILED,
            ToolResult(content, is_error=True, redacted=kinds),
            failure,
            execution.busy_ms,
            execution.attempts,
        )
    return Outcome(
        CallStatus.SUCCEEDED, ToolResult(content, redacted=kinds), None, execution.busy_ms, execution.attempts
    )


def _flaw(contract: ToolContract, schema: Schema | None, content: Json, *, is_error: bool) -> str | None:
    size = len(canonical_json(content))
    if size > contract.max_result_bytes:
        return f"The result has {size} bytes; the contract allows {contract.max_result_bytes}."
    if schema is None or is_error:
        return None
    problems = schema.problems(content)
    return f"The result breaks its contract: {'; '.join(map(str, problems))}." if problems else None


def _withheld(code: str, why: str, execution: Execution) -> Outcome:
    failure = Failure(
        code, "The tool did it, and its result is withheld", why, "Do not repeat the call; ask the owner of the tool"
    )
    return Outcome(CallStatus.WITHHELD, None, failure, execution.busy_ms, execution.attempts)


def _must_redact(record: CallRecord) -> bool:
    return any(obligation["duty"] == Duty.REDACT for obligation in record.decision["obligations"])


def _brief(content: Json) -> str:
    text = content if isinstance(content, str) else ""
    if isinstance(content, Mapping):
        text = str(content.get("message") or content.get("error") or "")
    return text[:_LONGEST_LOOKED_AT]
