"""`interlock approvals`."""

from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.output import AsJson, Output
from interlock.cli.session import HERE, Config, Limited, Session, needs_key, on_deployment
from interlock.cli.times import shown
from interlock.domain.approvals import Approval, ApprovalState, Verdict
from interlock.domain.canonical import Json, canonical_json, parse_json
from interlock.domain.errors import BadInput
from interlock.domain.ids import ApprovalId, RunId
from interlock.gateway.requests import CallAnswer
from interlock.server.api import views

app = typer.Typer(
    help="What people are asked, and what they say.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id, as `interlock approvals list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why, in a sentence; needed where two people must agree.")]


@app.command("list")
def list_(
    config: Config = HERE,
    state: Annotated[ApprovalState | None, typer.Option(help="Only those that stand there.")] = ApprovalState.OPEN,
    every: Annotated[bool, typer.Option("--all", help="Whatever their state.")] = False,
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    limit: Limited = 50,
    as_json: AsJson = False,
) -> None:
    """List approvals, the most urgent first."""
    states = frozenset({state}) if state is not None and not every else None

    async def work(session: Session) -> tuple[Approval, ...]:
        of = RunId(run) if run is not None else None
        return await session.desks.approvals.list(session.principal, states, of, limit)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"approvals": [views.approval(one) for one in found]})
    columns = ("approval", "tool", "agent", "arguments", "votes", "due", "state")
    output.table(columns, [_row(one) for one in found], empty="Nobody is waiting for an answer.")
    if found:
        output.say(f"\nNext: interlock approvals show {found[0].id}")


@app.command()
def show(id: Id, config: Config = HERE, as_json: AsJson = False) -> None:
    """Show one approval: the exact call, why a person is asked, and where each value came from."""

    async def work(session: Session) -> Approval:
        return await session.desks.approvals.find(session.principal, ApprovalId(id))

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data(views.approval(found))
    _print(output, found)


@app.command()
def approve(id: Id, config: Config = HERE, reason: Reason = "", as_json: AsJson = False) -> None:
    """Say yes. Takes a key with the role `approver` in INTERLOCK_KEY."""
    _answer(config, id, Verdict.APPROVE, reason, Output(as_json))


@app.command()
def deny(id: Id, config: Config = HERE, reason: Reason = "", as_json: AsJson = False) -> None:
    """Say no, which ends the call. Takes a key with the role `approver` in INTERLOCK_KEY."""
    _answer(config, id, Verdict.DENY, reason, Output(as_json))


@app.command()
def edit(
    id: Id,
    arguments: Annotated[
        str, typer.Option("--arguments", "-a", help="The arguments as JSON, or @FILE that holds them.")
    ],
    config: Config = HERE,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make another call of it, which is decided from the start as your own request."""
    needs_key()
    wanted = _arguments(arguments)

    async def work(session: Session) -> tuple[Approval, CallAnswer]:
        edited = await session.desks.approvals.edit(session.principal, ApprovalId(id), wanted, reason)
        return edited.approval, await session.desks.gate.repeat(session.principal, edited)

    approval, answer = on_deployment(config, work, discover=True)
    output = Output(as_json)
    failure = answer.failure
    output.data(
        {
            "approval": views.approval(approval),
            "call": {"call_id": answer.key.call, "run": answer.key.run, "status": answer.status.value},
            "approval_of_the_new_call": answer.approval,
            "failure": failure.code if failure is not None else None,
        }
    )
    output.say(f"Closed {id}. The new call {answer.key.call} is {answer.status}.")
    if failure is not None:
        output.say(f"{failure.what} {failure.why} {failure.do}".strip())
    if answer.approval is not None and failure is None:
        output.say(f"\nNext: somebody else answers {answer.approval}; you are its requester now.")


def _answer(config: Path, id: str, verdict: Verdict, reason: str, output: Output) -> None:
    needs_key()

    async def work(session: Session) -> Approval:
        return await session.desks.approvals.answer(session.principal, ApprovalId(id), verdict, reason)

    given = on_deployment(config, work)
    output.data(views.approval(given))
    match given.state:
        case ApprovalState.GRANTED:
            output.say(f"Approved. The call runs when its agent makes it again, until {shown(given.expires_at)}.")
        case ApprovalState.OPEN:
            missing = given.needed - len({one.by for one in given.votes if one.verdict is Verdict.APPROVE})
            output.say(
                f"Your yes is recorded; {missing} more of other people {'is' if missing == 1 else 'are'} needed."
            )
        case _:
            output.say("Denied. The call will not be made, and its budget is free again.")


def _row(one: Approval) -> tuple[str, ...]:
    yes = len({given.by for given in one.votes if given.verdict is Verdict.APPROVE})
    arguments = _json(one.arguments)
    brief = arguments if len(arguments) <= 80 else arguments[:79] + "…"
    return (one.id, one.binding.tool, one.binding.agent, brief, f"{yes}/{one.needed}", shown(one.due_at), one.state)


def _print(output: Output, found: Approval) -> None:
    bound = found.binding
    output.say(f"{bound.agent} wants to call {bound.tool}   ({found.state})")
    output.say(f"  with       {_json(found.arguments)}")
    output.say(f"  call       {bound.key.call} of run {bound.key.run}, requested by {found.requested_by}")
    output.say(f"  asked      {shown(found.created_at)}")
    output.say(f"  due        {shown(found.due_at)}{'  OVERDUE' if found.escalated_at else ''}")
    output.say(f"  expires    {shown(found.expires_at)}")
    for reason in found.reasons:
        output.say(f"  because    {reason}")
    for leaf in (found.evidence or {}).get("leaves", ()):
        output.say(f"  {'known ' if leaf['supported'] else 'DOUBT '}     {leaf['pointer']}: {leaf['reason']}")
    for vote in found.votes:
        output.say(f"  {vote.verdict:<10} {vote.by} {shown(vote.at)} {vote.reason}")
    if found.state is ApprovalState.OPEN:
        note = ' --reason "..."' if found.reasons_required else ""
        output.say(f"\nNeeds {found.needed} different people. Next:")
        output.say(f"  interlock approvals approve {found.id}{note}")
        output.say(f"  interlock approvals deny {found.id}{note}")


def _arguments(text: str) -> dict[str, Json]:
    raw = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode("utf-8", "surrogatepass")
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise BadInput(
            "The arguments are not a JSON object", do="Write for instance --arguments '{\"amount_usd\": 20}'"
        )
    return value


def _json(value: Json) -> str:
    return canonical_json(value).decode()
