"""What a run is in a trace: a span that follows from its record, and what it shares with the spans of its tool calls."""

from collections.abc import Iterable, Mapping

from interlock.domain.canonical import Json
from interlock.domain.runs import Run, RunOutcome, RunState
from interlock.domain.spans import Category, Span, SpanEvent, SpanStatus, Value
from interlock.domain.trace_context import span_of_run, trace_of_run

EVALUATION = "gen_ai.evaluation.result"
NS_PER_MS = 1_000_000
_SCORES = {RunOutcome.SUCCEEDED: 1.0, RunOutcome.PARTIAL: 0.5, RunOutcome.FAILED: 0.0}

MEANINGS: Mapping[str, str] = {
    "gen_ai.agent.name": "The agent.",
    "gen_ai.agent.version": "Of a run: the version of the agent's file, where all of its calls were decided under one.",
    "gen_ai.tool.name": "The tool.",
    "gen_ai.tool.call.id": "The id of the tool call in the model's reply, where the call names its proposal; else the call's.",
    "gen_ai.evaluation.name": "What was looked at: `run.outcome` or `tool.result`.",
    "gen_ai.evaluation.score.label": "What was found: the outcome of the run; `pass`, `tool_error` or `withheld` of a result.",
    "gen_ai.evaluation.score.value": "1 for what passed or succeeded, 0.5 for a run that did some of its work, 0 for failures.",
    "interlock.run.state": "Of a run: `open`, `closed` or `stopped`.",
    "interlock.run.outcome": "Of a run: what came of it, in the words of whoever drove it.",
    "interlock.principal": "Who opened the run, or made the call: the id of the key.",
    "interlock.versions": "Everything that the run was decided under, as `name=hash`, each once: the agent, the policies, the "
    "contract of each tool as `contract:TOOL`, the price book, the router file, the release.",
    "interlock.contract.version": "Of a tool call: the hash of the tool's contract.",
    "interlock.dry_run": "`true` for a call that only asked what would happen.",
    "interlock.approval.id": "The question that the call waited for, or waits for.",
    "interlock.tool.attempts": "Of a tool call: how often the tool was asked.",
    "interlock.tool.busy_ms": "Of a tool call: how long the tool was busy with it, over all attempts.",
    "interlock.attempt.delivery": "Of an attempt at a tool: `answered`, `not_sent` or `uncertain`.",
    "interlock.decision.effect": "`allow`, `require_approval`, `dry_run`, `escalate` or `deny`.",
    "interlock.decision.rules": "The rules that determined the effect.",
    "interlock.decision.codes": "Their error codes, each once.",
    "interlock.decision.findings": "Everything that applied, as `rule=effect`, the most severe first.",
    "interlock.decision.obligations": "What had to be done besides, as `duty:rule`.",
    "interlock.decision.versions": "The hash of every policy and contract that was consulted, as `name=hash`.",
    "interlock.decision.near": "By how little it came out as it did: `rule=kind` of every near miss.",
    "interlock.decision.provenance": "What the arguments rest on: the verdict on where their values come from; of writes.",
    "interlock.decision.proposed": "Whether a model of the run proposed the call.",
    "interlock.decision.brakes": "The ids of the brakes that were on.",
    "interlock.decision.approvers": "How many different people had to say yes.",
    "interlock.approval.state": "`open`, `granted`, `denied`, `expired`, `edited`, `used` or `void`.",
    "interlock.approval.needed": "How many different people had to say yes.",
    "interlock.approval.approved": "How many people said yes.",
    "interlock.approval.refused": "How many people said no.",
    "interlock.approval.overdue": "`true` when nobody had answered as the clock of the tier ran out.",
    "interlock.check.redacted": "Of the check of a result: the kinds of personal data that were taken out of it.",
}
"""What the spans of runs and tool calls carry besides what those of model calls do. None holds words, arguments or results."""


def trace_of(run: Run) -> str:
    """Return the trace that `run` is."""
    return run.trace or trace_of_run(run.tenant, run.id)


def span_of(run: Run, versions: tuple[str, ...], last_ns: int) -> Span:
    """Return the span of the run itself.

    `versions` are those of its calls, as `name=hash`; `last_ns` is the end of the last of them, which stands in for the
    end of a run that has none yet.
    """
    start = run.opened_at * NS_PER_MS
    end = run.ended_at * NS_PER_MS if run.ended_at is not None else last_ns
    agents = tuple(one.removeprefix("agent=") for one in versions if one.startswith("agent="))
    said: dict[str, Value | None] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": run.agent,
        "gen_ai.agent.version": agents[0] if len(agents) == 1 else None,
        "gen_ai.conversation.id": run.id,
        "interlock.tenant": run.tenant,
        "interlock.agent": run.agent,
        "interlock.run": run.id,
        "interlock.principal": run.principal,
        "interlock.run.state": run.state.value,
        "interlock.run.outcome": run.outcome.value if run.outcome is not None else None,
        "interlock.versions": versions or None,
    }
    failed = run.outcome is RunOutcome.FAILED or run.state is RunState.STOPPED
    return Span(
        trace_id=trace_of(run),
        span_id=span_of_run(run.tenant, run.id),
        parent_id=run.parent_span or None,
        name=f"invoke_agent {run.agent}",
        category=Category.AGENT,
        start_ns=start,
        end_ns=max(start, end),
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
        attributes=known(said | {"error.type": (run.outcome or run.state).value if failed else None}),
        events=_outcome(run, max(start, end)),
    )


def _outcome(run: Run, at_ns: int) -> tuple[SpanEvent, ...]:
    if run.outcome is None:
        return ()
    said: dict[str, Value | None] = {
        "gen_ai.evaluation.name": "run.outcome",
        "gen_ai.evaluation.score.label": run.outcome.value,
        "gen_ai.evaluation.score.value": _SCORES.get(run.outcome),
    }
    return (SpanEvent(EVALUATION, at_ns, known(said)),)


def known(said: Mapping[str, Value | None]) -> dict[str, Value]:
    """Return what is known of what could be said."""
    return {name: value for name, value in said.items() if value is not None}


def text(value: Json) -> str | None:
    """Return a text that says something, or None."""
    return value if isinstance(value, str) and value else None


def count(value: Json) -> int | None:
    """Return a number, or None."""
    return value if type(value) is int else None


def mapping(value: Json) -> Mapping[str, Json]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def once(values: Iterable[Json]) -> tuple[str, ...] | None:
    """Return the texts among `values`, each once, in order; None for none."""
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value)) or None
