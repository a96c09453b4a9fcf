"""What another model proposed in the same cases, taken from its recorded runs and decided as if it had been asked."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from interlock.budgets.charges import charges, tool_spender
from interlock.domain.budgets import Charge
from interlock.domain.calls import CallKey, ToolCall
from interlock.domain.canonical import Json, JsonObject, check_json
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.decisions import Decision, Effect, combine
from interlock.domain.errors import BudgetExceeded, Forbidden, InterlockError, MalformedJson
from interlock.domain.ids import CallId, ModelCallId, ToolName
from interlock.domain.provenance import Origin, Source
from interlock.domain.runs import Run
from interlock.gateway.replay.counterfactual import DraftedRun, Entry, model_entries
from interlock.gateway.replay.deriving import Rules
from interlock.gateway.replay.ledger import Settling
from interlock.gateway.steps import unbounded
from interlock.gateway.understanding import understood_again
from interlock.policy.decide import decide
from interlock.policy.facts import Facts
from interlock.provenance import Evidence, trace
from interlock.runs.replays import ModelCost

CASE: Final = "case"
"""The label by which a run says which recorded case it is."""
_PACE_MS: Final = 1_000
"""A recorded conversation does not say when its calls were made: one a second."""
_NANO: Final = 1_000_000_000
_UNGATED: Final = Decision(Effect.ALLOW, ())
"""What happens to a proposal that nothing decides about."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said, or one call with what came back."""

    origin: Origin
    text: str
    tool: str = ""
    """Empty where something was said."""
    arguments: JsonObject | None = None
    id: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded conversation of another model."""

    labels: tuple[str, ...]
    """source:suite:task, and with trial or injection."""
    model: str
    turns: tuple[Turn, ...]
    costs: tuple[tuple[int, int], ...]
    """(tokens, nano-dollars) of each reply, where the record says so."""


def case_of(record: JsonObject) -> Case:
    """Return the case that one line of a recording holds. Raises MalformedJson for what is none."""
    try:
        plain = f"{record['source']}:{record['suite']}:{record['task_id']}"
        particular = record.get("trial") if record.get("trial") is not None else record.get("injection_task_id")
        labels = (plain,) if particular is None else (plain, f"{plain}:{particular}")
        failed = {call["id"]: bool(call.get("error")) for call in record.get("tool_calls") or ()}
        return Case(
            labels, str(record["model"]), tuple(_turns(record["messages"], failed)), tuple(_costs(record["messages"]))
        )
    except (KeyError, TypeError, AttributeError, ValueError, InterlockError) as error:
        raise MalformedJson("A line is no recorded conversation", why=f"{type(error).__name__}: {error}") from None


def index(cases: Iterable[Case]) -> Mapping[str, Case]:
    """Return the cases by label; a label that stands for several stands for none."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        for label in case.labels:
            found.setdefault(label, []).append(case)
    return {label: those[0] for label, those in found.items() if len(those) == 1}


def draft_case(run: Run, identity: str, case: Case, place: int, rules: Rules) -> DraftedRun:
    """Decide what `case` proposes as if it had been proposed in `run`, but for its budgets."""
    evidence = Evidence()
    if identity:
        evidence.add(Source(Origin.IDENTITY, identity))
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    refused = 0
    for turn in case.turns:
        contract = rules.release.catalogue.contracts.get(ToolName(turn.tool)) if turn.tool else None
        if turn.tool and turn.arguments is not None:
            seen[turn.id] = seen.get(turn.id, 0) + 1
            name = turn.id if seen[turn.id] == 1 else f"{turn.id}-{seen[turn.id]}"
            call = ToolCall(
                CallKey(run.tenant, run.id, CallId(name)),
                run.agent,
                run.principal,
                ToolName(turn.tool),
                turn.arguments,
                run.user,
            )
            at = run.opened_at + _PACE_MS * (len(entries) + 1)
            entries.append(_entry(call, run, evidence, refused, at, (place, len(entries)), rules))
            refused += turn.failed and contract is not None and contract.kind is Kind.WRITE
        evidence.add(_source(turn, contract))
    costs = tuple(_cost(run, number, tokens, nano) for number, (tokens, nano) in enumerate(case.costs))
    entries += model_entries(run, costs, place, len(entries), rules)
    entries.sort(key=lambda one: (one.at, one.order))
    return DraftedRun(run, costs, place, tuple(entries), ())


def _entry(
    call: ToolCall, run: Run, evidence: Evidence, refused: int, at: int, order: tuple[int, int], rules: Rules
) -> Entry:
    release = rules.release
    proposal = understood_again(call, release, rules.schemas)
    policies, contract = release.policies(call.agent), proposal.contract
    drawn: tuple[Charge, ...] = ()
    if proposal.faults or contract is None:
        decision = combine(proposal.faults, {"agent": policies.agent.version})
    else:
        write = contract.kind is Kind.WRITE
        facts = Facts(
            now=at,
            agent=policies.agent,
            contract=contract,
            run=run,
            provenance=trace(call.arguments, contract.roles, evidence, asked_by=contract.asked_by) if write else None,
            refused_writes=refused if write else 0,
            sample_roll=int(call.arguments_hash[8:16], 16) % 10_000,
        )
        decision = decide(call, facts, policies)
        try:
            drawn = charges(tool_spender(call, contract), release.limits_of(policies), proposal.demand, at)
        except BudgetExceeded as error:
            decision = combine((*decision.findings, unbounded(error)), decision.versions)
    return Entry(at, order, call.key.call, call.tool, _UNGATED, decision, decision, drawn, Settling(at))


def _source(turn: Turn, contract: ToolContract | None) -> Source:
    if not turn.tool or contract is None:
        return Source(turn.origin, turn.text, turn.tool, turn.arguments, failed=turn.failed)
    return Source(turn.origin, turn.text, turn.tool, turn.arguments, contract.roles, contract.output, turn.failed)


def _cost(run: Run, number: int, tokens: int, nano: int) -> ModelCost:
    return ModelCost(
        run.id,
        ModelCallId(f"other-{number}"),
        run.agent,
        run.principal,
        run.user,
        "",
        refused=False,
        started_at=run.opened_at + _PACE_MS * number,
        tokens=tokens,
        cost_nano_usd=nano,
    )


def _turns(messages: Iterable[JsonObject], failed: Mapping[str, bool]) -> Iterable[Turn]:
    """Yield what was said and called; a call whose result is not recorded was not carried out, and is left out."""
    asked: dict[str, tuple[str, JsonObject]] = {}
    for message in messages:
        text = _text(message.get("content"))
        match message["role"]:
            case "system":
                yield Turn(Origin.SYSTEM, text)
            case "user":
                yield Turn(Origin.USER, text)
            case "assistant":
                for call in message.get("tool_calls") or ():
                    arguments = call["function"]["arguments"]
                    whole = json.loads(arguments) if isinstance(arguments, str) else arguments
                    check_json(whole)
                    asked[call["id"]] = (call["function"]["name"], whole)
            case "tool" if message.get("tool_call_id") in asked:
                id = message["tool_call_id"]
                tool, arguments = asked[id]
                yield Turn(Origin.TOOL, text, tool, arguments, id, failed.get(id, False))


def _costs(messages: Iterable[JsonObject]) -> Iterable[tuple[int, int]]:
    for message in messages:
        usage, cost = message.get("usage"), message.get("cost_usd")
        if message["role"] == "assistant" and usage:
            yield usage["prompt_tokens"] + usage["completion_tokens"], round((cost or 0) * _NANO)


def _text(content: Json) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or part.get("content") or "") for part in content)
    return content or ""


def may_decide(run: Run, rules: Rules) -> bool:
    """Return whether the agent of `run` is declared in `rules`."""
    try:
        rules.release.policies(run.agent)
    except Forbidden:
        return False
    return True
