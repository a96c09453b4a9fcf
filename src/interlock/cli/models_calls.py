"""`interlock models calls` and `interlock models show`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.canonical import Json, JsonObject, canonical_json
from interlock.domain.ids import ModelCallId, RunId
from interlock.domain.models import Attempt, ModelCallRecord, Usage, UsageSource
from interlock.domain.money import usd
from interlock.models.ports import ModelCallFilter
from interlock.server.api import models_views

app = typer.Typer(rich_markup_mode=None)

_SOURCES = {
    UsageSource.PROVIDER: "the provider",
    UsageSource.COUNTED: "counted here",
    UsageSource.NONE: "-",
}


@app.command()
def calls(
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only those of this agent.")] = None,
    config: Config = HERE,
    limit: Limited = 20,
    as_json: AsJson = False,
) -> None:
    """List model calls, the newest first: who asked, which model answered, what it cost."""

    async def work(session: Session) -> tuple[ModelCallRecord, ...]:
        wanted = ModelCallFilter(
            session.principal.tenant, run=RunId(run) if run is not None else None, agent=agent, limit=limit
        )
        return await session.desks.model_calls.calls(session.principal, wanted)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"model_calls": [models_views.model_call(one) for one in found]})
    calls_table(output, found)
    if found:
        output.say(f"\nNext: interlock models show {found[0].call.id}")


@app.command()
def show(
    call: Annotated[str, typer.Argument(metavar="ID", help="The call, as x-interlock-call told it.")],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Show one model call: why this model, what was tried, what was done to it, what it cost."""

    async def work(session: Session) -> ModelCallRecord:
        return await session.desks.model_calls.call(session.principal, ModelCallId(call))

    record = on_deployment(config, work)
    output = Output(as_json)
    output.data(models_views.shown_model_call(record))
    for line in _summary(record):
        output.say(line)
    _why(output, record.route)
    _tried(output, record.attempts)
    if record.events:
        output.say("\nWhat was done")
        for event in record.events:
            output.say(f"  {_event(event)}")
    if record.proposals:
        output.say("\nWhat it proposed")
        rows = [(one.id, one.tool, one.arguments_hash[:16] or "unreadable") for one in record.proposals]
        output.table(("proposal", "tool", "arguments (hash)"), rows)


def calls_table(output: Output, records: Sequence[ModelCallRecord]) -> None:
    """Print model calls, a row each."""
    rows = [
        (
            one.call.id,
            one.call.agent,
            one.call.step or "-",
            _answered(one) or one.call.model,
            one.failure.code if one.failure is not None else one.cache or one.status,
            one.usage.input,
            one.usage.output,
            usd(one.cost_nano_usd),
            shown(one.started_at),
        )
        for one in records
    ]
    columns = ("model call", "agent", "step", "model", "status", "in", "out", "USD", "made")
    output.table(columns, rows, empty="There are no such model calls.")


def _summary(record: ModelCallRecord) -> Iterator[str]:
    asked, usage = record.call, record.usage
    yield f"{asked.id} of {asked.agent}   ({record.status})"
    yield f"  asked      {asked.model} in {asked.dialect}{', streamed' if asked.streamed else ''}"
    first = f", first bytes after {record.first_byte_ms} ms" if record.first_byte_ms is not None else ""
    yield f"  answered   {_answered(record) or _unanswered(record)}"
    yield f"  took       {record.duration_ms} ms{first}"
    yield f"  started    {shown(record.started_at)}"
    yield f"  run        {asked.run or '-'}   step {asked.step or '-'}   user {asked.user or '-'}"
    yield f"  tokens     {_tokens(usage)}"
    yield f"  cost       {usd(record.cost_nano_usd)} USD{f'   (prices {record.prices})' if record.prices else ''}"
    if record.failure is not None:
        failure = record.failure
        said = ". ".join(part.rstrip(".") for part in (failure.what, failure.why, failure.do) if part)
        yield f"  failed     {failure.code}: {said}."


def _answered(record: ModelCallRecord) -> str:
    last = record.attempts[-1] if record.attempts else None
    if last is None or last.outcome != "served":
        return ""
    return f"{last.model} at {last.provider}"


def _unanswered(record: ModelCallRecord) -> str:
    return f"the {record.cache} cache" if record.cache else "by no model"


def _tokens(usage: Usage) -> str:
    parts = (
        (usage.cache_read, "read from the provider's cache"),
        (usage.cache_write + usage.cache_write_1h, "written to it"),
    )
    held = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    thought = f" ({usage.reasoning:,} of reasoning)" if usage.reasoning else ""
    return f"{usage.input:,} in{f' ({held})' if held else ''}, {usage.output:,} out{thought}"


def _why(output: Output, route: JsonObject) -> None:
    if not route:
        return
    output.say("\nWhy this model")
    for line in _reasons(route):
        output.say(f"  {line}")
    rows = [
        (one.get("model", ""), one.get("tier") or "-", one.get("for", ""), one.get("against", ""))
        for one in route.get("candidates", ())
    ]
    if rows:
        output.table(("model", "tier", "for it", "against it"), rows)


def _reasons(route: Mapping[str, Any]) -> Iterator[str]:
    use = f", which says {route['use']}" if route.get("use") else ""
    match route.get("by"):
        case "rule":
            yield f"rule {route.get('rule')} of the router file{use}"
        case "step":
            yield f"the agent's file names a tier for the step{use}"
        case "default":
            yield f"nothing else decided: the router file's default{use}"
        case "name":
            yield f"the caller asked for {route.get('asked')} by name"
        case other:
            # Calls that Interlock makes itself, for a classifier or the semantic cache.
            yield f"asked by Interlock itself: {other}{f', rule {rule}' if (rule := route.get('rule')) else ''}"
    share = route.get("share")
    if isinstance(share, Mapping):
        yield f"share: place {share.get('bucket')} by {share.get('by')}, of {_json(share.get('of'))}"
    classifier = route.get("classifier")
    if isinstance(classifier, Mapping):
        yield f"classifier: {_json(classifier)}"
    if route.get("router"):
        yield f"router file: version {route['router']}"


def _tried(output: Output, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        return
    output.say("\nWhat was tried")
    rows = [
        (
            one.model,
            one.provider,
            one.outcome,
            f"{one.duration_ms} ms",
            one.usage.input,
            one.usage.output,
            _SOURCES[one.usage_source],
            usd(one.cost_nano_usd),
            usd(one.excess_nano_usd) if one.excess_nano_usd else "-",
        )
        for one in attempts
    ]
    output.table(("model", "provider", "outcome", "took", "in", "out", "tokens from", "USD", "beyond budget"), rows)


def _event(event: JsonObject) -> str:
    facts = {name: value for name, value in event.items() if name != "kind"}
    return f"{event.get('kind')}{f': {_json(facts)}' if facts else ''}"


def _json(value: Json) -> str:
    return canonical_json(value).decode()
