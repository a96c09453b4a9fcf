"""`interlock explain`."""

from typing import Annotated

import typer

from interlock.cli.models_calls import calls_table
from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Session, on_deployment
from interlock.cli.times import shown
from interlock.domain.approvals import Approval
from interlock.domain.calls import CallRecord
from interlock.domain.canonical import Json, canonical_json
from interlock.domain.money import usd
from interlock.gateway.explain.accounts import (
    Account,
    CallAccount,
    InputAccount,
    LogAccount,
    ModelCallAccount,
    ProposalAccount,
    StepAccount,
    TodayAccount,
)
from interlock.server.api.explain import explanation

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_STANDINGS = {
    "bound": "a model of the run proposed exactly this",
    "person": "a person wrote it in place of what a model proposed",
    "other": "the proposal that it names is of another tool or has other arguments",
    "none": "no model of the run proposed it",
    "not_asked": "nobody asked whether a model had proposed it",
}


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="RUN, RUN/CALL, a model call, an approval, an audit event, an idempotency key, or a value that a tool answered "
            "with, such as the number of a refund.",
        ),
    ],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Tell why something was, or was not, done: proposal, inputs, decision, people, proof, and what today's rules say."""

    async def work(session: Session) -> Account:
        return await session.desks.explain.explain(session.principal, what)

    account = on_deployment(config, work)
    output = Output(as_json)
    output.data(explanation(account))
    if as_json:
        return
    match account:
        case CallAccount():
            _call(output, account)
        case ModelCallAccount():
            _model_call(output, account)
        case _:
            output.say(f"Run {account.run.id} of {account.run.agent} ({account.run.outcome or account.run.state})")
            output.say()
            _calls(output, account.calls)
            if account.model_calls:
                output.say()
                calls_table(output, account.model_calls)
            _log(output, account.log)
            if account.calls:
                output.say(f"\nNext: interlock explain {account.run.id}/{account.calls[-1].call.key.call}")


def _call(output: Output, account: CallAccount) -> None:
    record = account.record
    call = record.call
    output.say(f"{call.tool}: {record.status}")
    output.say(f"  call       {call.key.run}/{call.key.call} of {call.agent}, by {call.principal}")
    output.say(f"  user       {call.user or '-'}")
    _proposal(output, account.proposal, call.reason)
    if record.erased:
        output.say(
            "  erased     arguments, decision and answer are gone for good; what happened when, and its proof, remain"
        )
    output.say("\nWhat each argument goes back to")
    if not account.inputs and record.erased:
        output.say("  It was erased.")
    elif not account.inputs:
        output.say("  Nothing was looked up: the call only reads, or was refused before.")
    for one in account.inputs:
        _input(output, one)
    for step in account.steps:
        _step(output, step)
    for approval in account.approvals:
        _approval(output, approval)
    _execution(output, record)
    _today(output, account.today)
    _log(output, account.log)


def _proposal(output: Output, proposal: ProposalAccount, reason: str) -> None:
    output.say(f"  proposal   {_STANDINGS.get(proposal.standing, proposal.standing)}")
    found = proposal.model_call
    if found is not None:
        served = found.attempts[-1].model if found.attempts else "-"
        output.say(
            f"             {served} at {shown(found.started_at)}, {usd(found.cost_nano_usd)} USD ({found.call.id})"
        )
    if reason:
        output.say(f'  it said    "{reason}"')


def _input(output: Output, one: InputAccount) -> None:
    mark = "ok" if one.supported else "!!"
    value = "(erased)" if one.value is None else _brief(one.value)
    output.say(f"  {mark} {one.pointer} = {value}" if one.pointer else f"  {mark} the act")
    output.say(f"     {one.sentence}")
    for source in one.sources:
        where = f" at {source.pointer}" if source.pointer else ""
        whose = f" (call {source.call})" if source.call else ""
        output.say(f"     {'from' if source.trusted else 'also in, untrusted:'} {source.name}{where}{whose}")


def _step(output: Output, step: StepAccount) -> None:
    decision = step.decision
    output.say(f"\nDecided: {decision.effect}" + (f", {shown(step.at)}" if step.at is not None else ""))
    for finding in decision.findings:
        mark = "=>" if finding.effect is decision.effect else "  "
        output.say(f"  {mark} {finding.rule} ({finding.effect}): {finding.reason}")
    versions = {**decision.versions, **({"release": step.release} if step.release else {})}
    for name, version in sorted(versions.items()):
        output.say(f"     {name} {version}")


def _approval(output: Output, approval: Approval) -> None:
    output.say(f"\nAsked: {approval.id} ({approval.state}), {shown(approval.created_at)}")
    for reason in approval.reasons:
        output.say(f"  because {reason}")
    for vote in approval.votes:
        said = f': "{vote.reason}"' if vote.reason else ""
        output.say(f"  {vote.by} said {vote.verdict}, {shown(vote.at)}{said}")


def _execution(output: Output, record: CallRecord) -> None:
    output.say("\nCarried out")
    if not record.attempt:
        output.say("  Nothing was sent to the tool.")
    else:
        busy, attempts = record.extras.get("busy_ms"), record.extras.get("attempts")
        output.say(
            f"  {record.status}, attempts {attempts if attempts is not None else '-'}, {busy if busy is not None else '-'} ms"
        )
        output.say(f"  idempotency key {record.idempotency_key}")
    if record.result is not None:
        output.say(f"  answer {_brief(record.result.content)}")
    if record.failure is not None:
        output.say(f"  {record.failure.what}. {record.failure.why} {record.failure.do}".rstrip())


def _today(output: Output, today: TodayAccount) -> None:
    output.say("\nToday")
    if today.decision is None:
        output.say(f"  Nobody can tell: {today.why}")
        return
    output.say(f"  {'It would be' if today.changed else 'Still'} {today.decision.effect}, on the facts of then.")
    for finding in today.because:
        output.say(f"  => {finding.rule} ({finding.effect}): {finding.reason}")


def _model_call(output: Output, account: ModelCallAccount) -> None:
    calls_table(output, (account.record,))
    output.say()
    _calls(output, account.calls, empty="No tool call came of it.")
    _log(output, account.log)
    output.say(f"\nNext: interlock models show {account.record.call.id}")


def _calls(output: Output, calls: tuple[CallRecord, ...], empty: str = "No tool was called.") -> None:
    rows = [(one.call.key.call, one.call.tool, one.status, _words(one), _rule(one)) for one in calls]
    output.table(("call", "tool", "status", "arguments", "because"), rows, empty=empty)


def _words(record: CallRecord) -> str:
    return "(erased)" if record.erased else _brief(dict(record.call.arguments))


def _rule(record: CallRecord) -> str:
    effect = record.decision.get("effect")
    return next((one["rule"] for one in record.decision.get("findings", ()) if one["effect"] == effect), "")


def _log(output: Output, log: LogAccount) -> None:
    output.say(f"\nProof: {log.origin}, a signed tree of {log.size} events")
    for one in log.events:
        held = [name for name, holds in one.commitments if holds]
        broken = [name for name, holds in one.commitments if holds is False]
        said = f"; holds: {', '.join(held)}" if held else ""
        wrong = f"; NOT what was committed to: {', '.join(broken)}" if broken else ""
        output.say(f"  {one.index:>8}  {one.kind}  {one.event}{said}{wrong}")
    if log.problem:
        output.say(f"  {log.problem}")
    if log.events:
        output.say(f"  interlock audit prove {log.events[0].event}")


def _brief(value: Json) -> str:
    text = canonical_json(value).decode()
    return text if len(text) <= 100 else text[:99] + "…"
