"""A run is a trace: every kind of work in it is a span, all of them one tree, and nobody's words are in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from interlock.domain.approvals import ApprovalState, Verdict, Vote
from interlock.domain.calls import CallRecord, CallStatus, Failure, ToolResult
from interlock.domain.ids import PrincipalId
from interlock.domain.models import ModelCallRecord, ProposedCall
from interlock.domain.runs import RunOutcome, RunState
from interlock.domain.spans import Category, Span, SpanStatus
from interlock.domain.trace_context import span_of_call, span_of_run, trace_of_run
from interlock.gateway.own_spans import MEANINGS, redacted, spans_of_run
from tests.conftest import ROOT
from tests.contracts.model_samples import a_model_record
from tests.contracts.samples import ACME, NOW, a_call, a_record, a_run, an_approval

DECISION = {
    "effect": "require_approval",
    "findings": [
        {"rule": "tier.3", "effect": "require_approval", "reason": "A person decides."},
        {"rule": "budget.daily", "effect": "allow", "reason": "There is room."},
    ],
    "obligations": [{"duty": "two_people", "rule": "tier.4"}],
    "versions": {"agent": "a1", "contract": "c1", "policy": "p1"},
    "approvers_needed": 2,
}
FACTS = {"now": NOW + 60, "provenance": {"verdict": "supported", "leaves": []}, "proposed": "bound", "brakes": ["b1"]}


def a_settled_call(status: CallStatus = CallStatus.SUCCEEDED, **changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "decision": DECISION,
        "updated_at": NOW + 90,
        "attempt": 1,
        "approval": "apr-1",
        "result": ToolResult({"note": "the purple elephant"}, redacted=("email",)),
        "extras": {
            "facts": FACTS,
            "attempts": 2,
            "busy_ms": 25,
            "tries": [[NOW + 61, 5, "not_sent"], [NOW + 70, 20, "answered"]],
            "release": "r7",
        },
    }
    return a_record(status=status, **(fields | changes))


def a_proposing_model_call() -> ModelCallRecord:
    return a_model_record(
        call={"trace": "", "parent_span": ""}, proposals=(ProposedCall("toolu_1", "refund", "a" * 64),)
    )


def by_category(spans: tuple[Span, ...]) -> dict[Category, list[Span]]:
    found: dict[Category, list[Span]] = {}
    for span in spans:
        found.setdefault(span.category, []).append(span)
    return found


def everything(**changes: Any) -> tuple[Span, ...]:
    run = a_run(ended_at=NOW + 500, state=RunState.CLOSED, outcome=RunOutcome.SUCCEEDED, **changes)
    asked = an_approval(
        state=ApprovalState.USED, votes=(Vote(PrincipalId("ben"), Verdict.APPROVE, "the purple elephant", NOW + 50),)
    )
    return spans_of_run(run, [a_settled_call()], [asked], [a_proposing_model_call()])


def test_every_kind_of_work_is_a_span_of_one_tree() -> None:
    spans = everything()

    kinds = by_category(spans)
    assert set(kinds) == {
        Category.AGENT,
        Category.MODEL,
        Category.ATTEMPT,
        Category.TOOL,
        Category.DECISION,
        Category.APPROVAL,
        Category.EVALUATION,
    }
    assert {span.trace_id for span in spans} == {trace_of_run(ACME, a_run().id)}
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans)
    root, *others = spans
    assert (root.parent_id, root.name, root.category) == (None, "invoke_agent refunds", Category.AGENT)
    assert all(span.parent_id in ids for span in others)
    (tool,), (model,) = kinds[Category.TOOL], kinds[Category.MODEL]
    assert tool.parent_id == model.parent_id == root.span_id
    assert [link.span_id for link in tool.links] == [model.span_id]
    assert all(set(span.attributes) <= set(MEANINGS) for span in spans)


def test_a_decision_says_what_determined_it_and_under_which_versions() -> None:
    (decision,) = by_category(everything())[Category.DECISION]

    said = decision.attributes
    assert said["interlock.decision.effect"] == "require_approval"
    assert said["interlock.decision.rules"] == ("tier.3",)
    assert said["interlock.decision.findings"] == ("tier.3=require_approval", "budget.daily=allow")
    assert said["interlock.decision.obligations"] == ("two_people:tier.4",)
    assert said["interlock.decision.versions"] == ("agent=a1", "contract:refund=c1", "policy=p1", "release=r7")
    assert (said["interlock.decision.provenance"], said["interlock.decision.proposed"]) == ("supported", "bound")
    assert said["interlock.decision.brakes"] == ("b1",)
    assert decision.start_ns == decision.end_ns == (NOW + 60) * 1_000_000


def test_a_call_that_was_decided_anew_has_a_span_for_each_decision() -> None:
    first = {"decision": DECISION, "facts": {**FACTS, "now": NOW + 1}, "release": "r6"}
    record = a_settled_call()
    near = [{"rule": "budget.daily", "kind": "room", "margin": 3}]
    allowed = {**DECISION, "effect": "allow"}
    again = replace(record, decision=allowed, extras={**record.extras, "earlier": [first], "near": near})

    before = by_category(spans_of_run(a_run(), [replace(record, extras={"facts": first["facts"]})], [], []))
    asked, decided = by_category(spans_of_run(a_run(), [again], [], []))[Category.DECISION]

    assert (asked.attributes["interlock.decision.effect"], asked.start_ns) == (
        "require_approval",
        (NOW + 1) * 1_000_000,
    )
    assert (decided.attributes["interlock.decision.effect"], decided.start_ns) == ("allow", (NOW + 60) * 1_000_000)
    assert decided.attributes["interlock.decision.near"] == ("budget.daily=room",)
    assert "release=r6" in str(asked.attributes["interlock.decision.versions"])
    # What was shown while the call waited is what is shown of it afterwards.
    assert before[Category.DECISION][0].span_id == asked.span_id != decided.span_id


def test_a_run_carries_every_version_that_it_was_decided_under() -> None:
    root = everything()[0]

    versions = root.attributes["interlock.versions"]
    assert isinstance(versions, tuple)
    assert set(versions) > {"agent=a1", "contract:refund=c1", "policy=p1", "release=r7"}
    assert any(str(one).startswith("prices=") for one in versions)
    assert root.attributes["gen_ai.agent.version"] == "a1"
    (event,) = root.events
    assert (event.name, event.attributes["gen_ai.evaluation.score.label"]) == ("gen_ai.evaluation.result", "succeeded")


def test_attempts_approvals_and_checks_stand_where_they_happened() -> None:
    kinds = by_category(everything())

    failed, answered = [one for one in kinds[Category.ATTEMPT] if one.name == "attempt refund"]
    assert (failed.status, answered.status) == (SpanStatus.ERROR, SpanStatus.UNSET)
    assert (answered.start_ns, answered.end_ns) == ((NOW + 70) * 1_000_000, (NOW + 90) * 1_000_000)
    (approval,) = kinds[Category.APPROVAL]
    assert (approval.start_ns, approval.end_ns) == (NOW * 1_000_000, (NOW + 50) * 1_000_000)
    assert approval.attributes["interlock.approval.approved"] == 1
    (check,) = kinds[Category.EVALUATION]
    assert check.attributes["gen_ai.evaluation.score.label"] == "pass"
    assert check.attributes["interlock.check.redacted"] == ("email",)


def test_calls_whose_caller_is_traced_stand_below_the_callers_spans() -> None:
    trace, theirs = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    run = a_run(trace=trace, parent_span=theirs)
    named = a_settled_call()
    named = replace(named, call=replace(named.call, trace=trace, parent_span="1" * 16))

    root, *others = spans_of_run(run, [named], [], [a_model_record(), a_proposing_model_call()])

    assert (root.trace_id, root.parent_id) == (trace, theirs)
    assert {span.trace_id for span in others} == {trace}
    kinds = by_category(tuple(others))
    assert kinds[Category.TOOL][0].parent_id == "1" * 16
    assert {span.parent_id for span in kinds[Category.MODEL]} == {"00f067aa0ba902b7", root.span_id}


def test_what_interlock_asked_for_a_call_is_in_the_trace_that_the_runs_opener_began() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    run = a_run(trace=trace, parent_span="00f067aa0ba902b7")
    asked = a_proposing_model_call()
    parent = span_of_call(asked.call.id)
    below = a_model_record("mc-2", call={"trace": trace_of_run(ACME, run.id), "parent_span": parent})

    spans = spans_of_run(run, [], [], [asked, below])

    assert {span.trace_id for span in spans} == {trace}
    assert span_of_run(ACME, run.id) == spans[0].span_id
    assert next(one for one in spans if one.span_id == span_of_call(below.call.id)).parent_id == parent


@pytest.mark.parametrize("status", CallStatus)
def test_a_call_in_any_state_is_a_span_and_only_refusals_and_failures_are_errors(status: CallStatus) -> None:
    record = a_settled_call(status, failure=Failure("some_code", "the purple elephant"))

    spans = spans_of_run(a_run(), [record], [], [])

    (tool,) = by_category(spans)[Category.TOOL]
    fine = status in {CallStatus.SUCCEEDED, CallStatus.SIMULATED, CallStatus.PENDING, CallStatus.EXECUTING}
    assert (tool.status is SpanStatus.UNSET) is fine
    assert ("error.type" in tool.attributes) is not fine
    assert all(span.end_ns >= span.start_ns for span in spans)


def test_nothing_that_was_said_is_in_a_span() -> None:
    assert "elephant" not in repr(everything())
    assert "49.5" not in repr(everything())
    assert "u-7" not in repr(everything())


def test_what_callers_chose_passes_through_redaction() -> None:
    secret = "sk-canary"
    record = a_settled_call()
    spans = spans_of_run(a_run(), [replace(record, call=replace(a_call(), proposal=secret))], [], [])
    assert secret in repr(spans)

    cleaned = tuple(redacted(span, lambda text: text.replace(secret, "[secret]")) for span in spans)

    assert secret not in repr(cleaned)
    assert [span.span_id for span in cleaned] == [span.span_id for span in spans]


def test_every_name_that_is_not_ours_is_one_of_the_published_conventions() -> None:
    known = json.loads((ROOT / "tests" / "kits" / "genai_conventions.json").read_text())
    published = {name for source in known["sources"] for name in source["attributes"]}

    assert {name for name in MEANINGS if not name.startswith("interlock.")} <= published


def test_the_same_records_make_the_same_spans() -> None:
    assert everything() == everything()
