"""What the roads tell is counted, under a bounded number of labels."""

from dataclasses import replace

from interlock.domain.calls import CallKey, CallRecord, CallStatus, Failure, ToolCall
from interlock.domain.ids import AgentId, CallId, ModelCallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.models import Attempt, Dialect, ModelCall, ModelCallRecord, ModelCallStatus, Usage, UsageSource
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.metrics import definitions as d
from interlock.metrics.roads import RoadMeter

TENANT, AGENT = TenantId("acme"), AgentId("refunds")
CALL = CallRecord(
    call=ToolCall(CallKey(TENANT, RunId("r"), CallId("c")), AGENT, PrincipalId("p"), ToolName("refund"), {}),
    arguments_hash="",
    status=CallStatus.DENIED,
    decision={
        "effect": "deny",
        "findings": [{"rule": "config:refund_cap", "effect": "deny"}, {"rule": "tier.2", "effect": "allow"}],
    },
    contract_hash="h",
    created_at=0,
    updated_at=0,
    failure=Failure("policy_denied", "No"),
)
RUN = Run(RunId("r"), TENANT, AGENT, PrincipalId("p"), 1_000, None)


def figures(meter: RoadMeter) -> dict[str, float]:
    lines = (line for line in meter.text().decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_refusal_is_counted_as_decision_and_violation() -> None:
    meter = RoadMeter("1")

    meter.decided(CALL, 0.002)

    told = figures(meter)
    where = 'tenant="acme",{}workflow="refunds"'
    assert (
        told[
            'interlock_tool_decisions_total{code="policy_denied",effect="deny",tenant="acme",tool="refund",workflow="refunds"}'
        ]
        == 1
    )
    assert told["interlock_violations_total{" + 'rule="config:refund_cap",' + where.format("") + "}"] == 1
    assert told['interlock_tool_decision_seconds_bucket{le="0.0025",tenant="acme"}'] == 1


def test_a_full_limit_is_no_violation() -> None:
    meter = RoadMeter("1")
    full = {"effect": "deny", "findings": [{"rule": "budget.daily", "effect": "deny"}]}

    meter.decided(replace(CALL, decision=full), 0.0)

    assert figures(meter)['interlock_budget_refusals_total{limit="daily",tenant="acme",workflow="refunds"}'] == 1
    assert not any(name.startswith("interlock_violations_total{") for name in figures(meter))


def test_near_misses_are_counted_by_rule() -> None:
    meter = RoadMeter("1")

    meter.decided(replace(CALL, status=CallStatus.EXECUTING, extras={"near": [{"rule": "cap", "margin": 0.05}]}), 0.0)

    assert figures(meter)['interlock_near_misses_total{rule="cap",tenant="acme",workflow="refunds"}'] == 1


def test_names_that_models_invent_do_not_become_labels() -> None:
    meter = RoadMeter("1")

    for number in range(1_000):
        invented = replace(CALL.call, tool=ToolName(f"invented_{number}"))
        meter.decided(replace(CALL, call=invented, contract_hash=""), 0.0)

    assert not any("invented" in name for name in figures(meter))


def test_a_label_takes_so_many_values_and_no_more() -> None:
    meter = RoadMeter("1")

    for number in range(3 * d.MOST_VALUES):
        meter.run_opened(replace(RUN, agent=AgentId(f"agent-{number}")))

    started = {
        name: value for name, value in figures(meter).items() if name.startswith("interlock_runs_started_total{")
    }
    assert len(started) == d.MOST_VALUES + 1
    assert sum(started.values()) == 3 * d.MOST_VALUES


def test_what_a_model_call_used_and_cost_is_counted_with_every_failed_attempt() -> None:
    meter = RoadMeter("1")
    usage = Usage(input=100, output=20)
    record = ModelCallRecord(
        call=ModelCall(ModelCallId("mc_1"), TENANT, AGENT, PrincipalId("p"), "small", Dialect.OPENAI_CHAT),
        status=ModelCallStatus.SUCCEEDED,
        started_at=0,
        duration_ms=700,
        first_byte_ms=120,
        attempts=(
            Attempt("east", "gpt", "model_timeout", 300),
            Attempt("west", "gpt", "served", 400, usage, UsageSource.PROVIDER, cost_nano_usd=3_000_000),
        ),
    )

    meter.model_called(record)

    told = figures(meter)
    assert told['interlock_provider_failures_total{code="model_timeout",provider="east"}'] == 1
    assert told['interlock_model_tokens_total{direction="input",model="gpt",tenant="acme",workflow="refunds"}'] == 100
    assert abs(told['interlock_model_cost_usd_total{model="gpt",tenant="acme",workflow="refunds"}'] - 0.003) < 1e-12
    assert told['interlock_model_first_byte_seconds_bucket{le="0.25",model="gpt"}'] == 1


def test_a_run_is_counted_once_whenever_its_outcome_is_said() -> None:
    meter = RoadMeter("1")

    meter.run_ended(replace(RUN, state=RunState.CLOSED, ended_at=61_000))
    meter.run_ended(replace(RUN, state=RunState.CLOSED, outcome=RunOutcome.SUCCEEDED))

    told = figures(meter)
    assert told['interlock_runs_ended_total{status="closed",tenant="acme",workflow="refunds"}'] == 1
    assert told['interlock_run_outcomes_total{outcome="succeeded",tenant="acme",workflow="refunds"}'] == 1
    assert told['interlock_run_duration_seconds_sum{tenant="acme",workflow="refunds"}'] == 60


def test_a_workflow_names_its_owner_of_today() -> None:
    meter = RoadMeter("1")

    meter.declare("acme", [("refunds", "support-leads")])
    meter.declare("acme", [("refunds", "new-leads")])

    told = [name for name in figures(meter) if name.startswith("interlock_workflow_info{")]
    assert told == ['interlock_workflow_info{owner="new-leads",tenant="acme",workflow="refunds"}']
