"""CPU of one decision, with 0 to 1,000 Cedar policies, beside bare Cedar and bare CEL: `python -m benchmarks.decide`."""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import cedarpy
import cel

from interlock.adapters.cedar import CedarPolicies
from interlock.adapters.cel import CelConditions
from interlock.domain.agents import AgentPolicy, Engine, Rule
from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.calls import CallKey, ToolCall
from interlock.domain.contracts import Constraint, Kind, Tier, ToolContract, Upstream
from interlock.domain.decisions import Effect
from interlock.domain.ids import AgentId, CallId, PrincipalId, RunId, TenantId, ToolName
from interlock.domain.provenance import LeafOrigin, Place, Provenance, Role, Seen, Verdict
from interlock.domain.runs import Run
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.policy.policy_set import PolicySet, publish

SIZES = (10, 100, 1_000)
PER_TOOL = 10
ROUNDS, CALLS = 20, 100
TARGET_US, TARGET_1000_US = 100.0, 400.0
CONDITIONS = ("input.amount <= 50", "call.tier <= 3 && input.reason != 'gift'")


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to measure; `run` is one call."""

    name: str
    run: Callable[[], object]


def main() -> int:
    """Measure every subject in turn, again and again, so that all of them meet the same weather."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    options = parser.parse_args()
    figures = summary(measure(subjects()))
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        for name, figure in figures.items():
            print(f"{name:<44} {figure}")
    missed = not (figures["decide_p50_within_100_us"] and figures["decide_1000_policies_p50_within_400_us"])
    if missed:
        print("decide() takes longer than its target.", file=sys.stderr)
    return int(missed)


def subjects() -> tuple[Subject, ...]:
    """Return decide() with ever more policies, and what its engines cost alone."""
    contract = _contract("tool_0")
    call, facts = _call(contract), _facts(contract)
    bare = publish(facts.agent, {contract.name: contract}, {Engine.CEL: CelConditions()})
    found = [Subject("decide", _deciding(call, facts, bare)), Subject("bare CEL, two conditions", _bare_cel(call))]
    for size in SIZES:
        contracts = {each.name: each for each in (_contract(f"tool_{number}") for number in range(size // PER_TOOL))}
        texts = [_policy(number, f"tool_{number // PER_TOOL}") for number in range(size)]
        engine = CedarPolicies({"bench.cedar": "\n".join(texts)}, contracts)
        policies = publish(facts.agent, {contract.name: contract}, {Engine.CEL: CelConditions()}, (engine,))
        found += [
            Subject(f"decide, {size} Cedar policies", _deciding(call, facts, policies)),
            Subject(f"bare Cedar, {size} policies, sliced", _bare_cedar(texts[:PER_TOOL])),
            Subject(f"bare Cedar, {size} policies, unsliced", _bare_cedar(texts)),
        ]
    return tuple(found)


def measure(measured: tuple[Subject, ...]) -> dict[str, list[int]]:
    """Return the CPU time of every call, in nanoseconds, by subject."""
    times: dict[str, list[int]] = {subject.name: [] for subject in measured}
    for subject in measured:
        subject.run()
    gc.disable()
    for _ in range(ROUNDS):
        for subject in measured:
            kept = times[subject.name]
            for _ in range(CALLS):
                started = time.thread_time_ns()
                subject.run()
                kept.append(time.thread_time_ns() - started)
        gc.collect()
    gc.enable()
    return times


def summary(times: dict[str, list[int]]) -> dict[str, float | bool]:
    """Return p50 and p99 in microseconds, and how decide() compares with its engines."""
    figures: dict[str, float | bool] = {}
    for name, each in times.items():
        ordered = sorted(each)
        figures[f"{name}, p50 us"] = _us(ordered[len(ordered) // 2])
        figures[f"{name}, p99 us"] = _us(ordered[len(ordered) * 99 // 100])
    largest = f"{SIZES[-1]} Cedar policies"
    whole = figures[f"decide, {largest}, p50 us"]
    for kind in ("sliced", "unsliced"):
        alone = figures[f"bare Cedar, {SIZES[-1]} policies, {kind}, p50 us"]
        figures[f"decide, {largest} / bare Cedar {kind}"] = round(whole / alone, 2)
    figures["decide / bare CEL"] = round(figures["decide, p50 us"] / figures["bare CEL, two conditions, p50 us"], 2)
    figures["decide_p50_within_100_us"] = figures["decide, p50 us"] <= TARGET_US
    figures["decide_1000_policies_p50_within_400_us"] = whole <= TARGET_1000_US
    return figures


def _us(nanoseconds: int) -> float:
    return round(nanoseconds / 1_000, 1)


def _deciding(call: ToolCall, facts: Facts, policies: PolicySet) -> Callable[[], object]:
    decision = decide(call, facts, policies)
    if decision.effect is not Effect.ALLOW:
        raise SystemExit(f"the measured call is not allowed: {decision.reasons}")
    return lambda: decide(call, facts, policies)


def _bare_cel(call: ToolCall) -> Callable[[], object]:
    programs = [cel.compile(text) for text in CONDITIONS]
    document = {"input": dict(call.arguments), "call": {"tier": 2}}
    return lambda: [program.execute(document) for program in programs]


def _bare_cedar(texts: list[str]) -> Callable[[], object]:
    policies = cedarpy.PolicySet.from_str('@id("base") permit(principal, action, resource);\n' + "\n".join(texts))
    entities = cedarpy.Entities.from_json_str("[]")
    request = {
        "principal": {"type": "Agent", "id": "refunds"},
        "action": {"type": "Action", "id": "tool_0"},
        "resource": {"type": "Tool", "id": "tool_0"},
        "context": {"input": {"amount": {"__extn": {"fn": "decimal", "arg": "49.0000"}}, "reason": "late", "count": 1}},
    }
    return lambda: cedarpy.is_authorized(request, policies, entities)


def _policy(number: int, tool: str) -> str:
    return (
        f'@id("p{number}") forbid(principal, action == Action::"{tool}", resource) when {{ '
        f'context.input.amount.greaterThan(decimal("{50 + number}.0")) || context.input.reason == "r{number}" '
        f"|| (context.input has count && context.input.count > {10 + number}) }};"
    )


def _contract(name: str) -> ToolContract:
    schema = {
        "type": "object",
        "properties": {
            "amount": {"type": "number"},
            "reason": {"type": "string"},
            "count": {"type": "integer"},
            "to": {"type": "string"},
        },
        "required": ["amount", "reason"],
    }
    bounds = (Constraint("/amount", maximum=500), Constraint("/reason", one_of=("late", "broken", "twice")))
    return ToolContract(
        ToolName(name), "", schema, None, Kind.WRITE, Tier.REVERSIBLE, Upstream("python", "bench", name),
        constraints=bounds, hash="c" * 64,
    )  # fmt: skip


def _call(contract: ToolContract) -> ToolCall:
    return ToolCall(
        CallKey(TenantId("acme"), RunId("run"), CallId("call")),
        AgentId("refunds"),
        PrincipalId("bot"),
        contract.name,
        {"amount": 49.0, "reason": "late", "count": 1, "to": "anna@example.com"},
    )


def _facts(contract: ToolContract) -> Facts:
    rules = tuple(Rule(f"r{number}", text, Engine.CEL, Effect.DENY) for number, text in enumerate(CONDITIONS))
    agent = AgentPolicy(
        AgentId("refunds"),
        frozenset({contract.name}),
        limits=(Limit("daily", Measure.MONEY, Scope.AGENT, 100_000, Window.DAY, "USD"),),
        rules=rules,
        constraints={contract.name: (Constraint("/amount", maximum=100, source="agent"),)},
        version="a" * 64,
    )
    leaf = LeafOrigin(
        "/amount",
        Role.AMOUNT,
        guessed=False,
        seen=Seen.USER,
        supported=True,
        value="49",
        support=(Place(0, "", "user"),),
    )
    leaves = (
        leaf,
        replace(leaf, pointer="/to", role=Role.RECIPIENT),
        replace(leaf, pointer="/reason", role=Role.PLAIN),
    )
    run = Run(RunId("run"), TenantId("acme"), agent.id, PrincipalId("bot"), 0, 10**13)
    return Facts(10**12, agent, contract, run, Provenance(Verdict.SUPPORTED, leaves), sample_roll=9_999)


if __name__ == "__main__":
    sys.exit(main())
