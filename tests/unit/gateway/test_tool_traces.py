"""A tool call stands in its caller's trace, what its tool does stands below it, and all of a run is one tree."""

from dataclasses import replace

from interlock.domain.approvals import Verdict
from interlock.domain.calls import CallKey, CallStatus
from interlock.domain.ids import CallId
from interlock.domain.spans import Category, Span
from interlock.domain.trace_context import TraceContext, span_of_run, trace_of_run
from interlock.gateway.own_spans import read_run
from interlock.gateway.ports import Delivery, RawAnswer
from interlock.gateway.run_desk import Opening
from tests.kits.gate import AGENT, ANNA, TENANT, Kit, a_kit

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = TraceContext(TRACE, SPAN, 0, "congo=1")


async def spans_in(kit: Kit) -> tuple[Span, ...]:
    return await kit.store.read(lambda tx: read_run(tx, TENANT, kit.run))


async def test_a_tool_hears_of_the_callers_trace_with_our_attempt_as_parent() -> None:
    kit = await a_kit()
    await kit.open()

    await kit.gate.call(replace(kit.request("notes.add", "c1", text="hi"), trace=CALLER))

    (tool,) = [span for span in await spans_in(kit) if span.category is Category.TOOL]
    (attempt,) = [span for span in await spans_in(kit) if span.category is Category.ATTEMPT]
    assert (tool.trace_id, tool.parent_id) == (TRACE, SPAN)
    assert attempt.parent_id == tool.span_id
    # The caller does not keep this trace, and neither need the tool.
    assert kit.shop.invocations[0].traceparent == f"00-{TRACE}-{attempt.span_id}-00"


async def test_a_call_whose_caller_is_not_traced_stands_below_its_run() -> None:
    kit = await a_kit()
    await kit.open()

    await kit.call("notes.add", "c1", text="hi")

    spans = await spans_in(kit)
    assert {span.trace_id for span in spans} == {trace_of_run(TENANT, kit.run)}
    (tool,) = [span for span in spans if span.category is Category.TOOL]
    assert tool.parent_id == spans[0].span_id == span_of_run(TENANT, kit.run)
    assert kit.shop.invocations[0].traceparent.startswith(f"00-{tool.trace_id}-")
    assert kit.shop.invocations[0].traceparent.endswith("-01")


async def test_a_call_of_a_run_whose_opener_is_traced_is_in_the_openers_trace() -> None:
    kit = await a_kit()
    opened = await kit.runs.open(AGENT, Opening(instruction="Help.", trace=CALLER))
    kit.run = opened.run.id

    await kit.call("notes.add", "c1", text="hi")

    root, *others = await spans_in(kit)
    assert (root.trace_id, root.parent_id) == (TRACE, SPAN)
    assert {span.trace_id for span in others} == {TRACE}


async def test_each_attempt_is_a_span_of_its_own() -> None:
    kit = await a_kit()
    await kit.open()
    answers = [RawAnswer(Delivery.NOT_SENT, detail="down"), RawAnswer(Delivery.ANSWERED, {"ok": True})]
    kit.shop.answers["orders.read"] = lambda invocation: answers.pop(0)

    await kit.call("orders.read", "c1", order_id="7")

    attempts = [span for span in await spans_in(kit) if span.category is Category.ATTEMPT]
    sent = [one.traceparent.split("-")[2] for one in kit.shop.invocations]
    assert [span.span_id for span in attempts] == sent
    assert [span.attributes["interlock.attempt.delivery"] for span in attempts] == ["not_sent", "answered"][: len(sent)]


async def test_a_call_that_waited_for_people_stays_where_it_was_first_asked_for() -> None:
    kit = await a_kit()
    await kit.open()
    request = replace(kit.request("mail.send", "c1", to=["a@example.org"], body="hi"), trace=CALLER)
    pending = await kit.gate.call(request)
    assert pending.status is CallStatus.PENDING
    assert pending.approval is not None
    await kit.approvals.answer(ANNA, pending.approval, Verdict.APPROVE, "")

    later = TraceContext(TRACE, "b" * 16, 1)
    done = await kit.gate.call(replace(request, trace=later))

    assert done.status is CallStatus.SUCCEEDED
    record = await kit.store.read(lambda tx: tx.calls.find(CallKey(TENANT, kit.run, CallId("c1"))))
    assert record is not None
    assert (record.call.trace, record.call.parent_span) == (TRACE, SPAN)
    kinds = {span.category for span in await spans_in(kit)}
    assert kinds >= {Category.APPROVAL, Category.DECISION, Category.EVALUATION, Category.ATTEMPT}
    (attempt,) = [span for span in await spans_in(kit) if span.category is Category.ATTEMPT]
    assert kit.shop.invocations[0].traceparent == f"00-{TRACE}-{attempt.span_id}-01"
