"""`interlock runs replay | fork | near-misses`: the past, looked at anew."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.comparing import LIMITS, OTHER_MODEL, show
from interlock.cli.exits import Exit
from interlock.cli.output import AsJson, Output, counted
from interlock.cli.session import HERE, Config, Limited, Session, on_deployment
from interlock.cli.times import duration_ms, shown
from interlock.config.edits import edit
from interlock.domain.errors import BadInput
from interlock.domain.ids import RunId
from interlock.gateway.replay.desk import NearCall
from interlock.gateway.replay.exact import Derivation, Happening, Moment, Replay
from interlock.gateway.replay.tally import comparison
from interlock.gateway.replay.where import where
from interlock.gateway.run_desk import OpenedRun
from interlock.server.api import views
from interlock.wiring.backtesting import ask
from interlock.wiring.candidates import Question

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `interlock runs list` shows it.")]
Since = Annotated[str, typer.Option(help="Only runs opened within this time, such as 30d; empty for all.")]
Edits = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="A setting that differs, such as budgets.max_tool_calls=6. Repeatable."
    ),
]
Processes = Annotated[int, typer.Option(min=0, max=64, help="How many processes to use; 0 leaves it to the machine.")]


def replay(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Replay this run exactly. Without it: many runs.")
    ] = None,
    which: Annotated[
        str, typer.Option("--where", help="Which runs: 'agent=refunds outcome=succeeded label.case=7'.")
    ] = "",
    edits: Edits = None,
    policy: Annotated[Path | None, typer.Option(help="A folder with other rules.")] = None,
    model: Annotated[
        str, typer.Option(help="recorded:FILE or recorded:FOLDER: what another model proposed in the same cases.")
    ] = "",
    since: Since = "",
    processes: Processes = 0,
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Replay a run from its record, every decision derived again; or hold many runs against other rules.

    No tool is called. Exits with 1 when a decision of RUN comes out differently, with 4 when one cannot be derived.
    """
    if run is not None:
        if which or edits or policy is not None or model:
            raise BadInput(
                "One run is replayed exactly, under its own rules",
                do=f"Write --where run={run} to hold it against others",
            )
        _exact(run, config, Output(as_json))
        return
    if not edits and policy is None and not model:
        raise BadInput(
            "Nothing would differ", do="Give RUN, or --set PATH=VALUE, --policy FOLDER, --model recorded:FILE"
        )
    compare(config, which, since, policy, edits or [], model, processes, Output(as_json))


def compare(
    config: Path,
    which: str,
    since: str,
    policy: Path | None,
    edits: list[str],
    model: str,
    processes: int,
    output: Output,
) -> None:
    """Hold the runs of the past against other rules, and print what would change."""
    question = Question(config, where(which, _instant(since)), policy, tuple(edit(one) for one in edits), model)
    tally = asyncio.run(ask(question, processes))
    show(output, comparison(tally), "Another model" if model else "Back-test", OTHER_MODEL if model else LIMITS)


def fork(
    run: RunArgument,
    at: Annotated[
        str, typer.Option("--at", metavar="STEP", help="The number or id of the call before which it forks.")
    ],
    config: Config = HERE,
    as_json: AsJson = False,
) -> None:
    """Open a new run that has seen and done what RUN had before STEP. No tool is called again."""

    async def work(session: Session) -> OpenedRun:
        return await session.desks.replays.fork(session.principal, RunId(run), at)

    opened = on_deployment(config, work)
    output = Output(as_json)
    output.data(views.opened_run(opened))
    output.say(f"Run {opened.run.id} goes on from before step {at} of {run}.")
    output.say(f"  token   {opened.token}")
    output.say("  It is shown here and nowhere else. Calls before the step answer from the record, under their ids.")


def near_misses(since: Since = "7d", config: Config = HERE, limit: Limited = 50, as_json: AsJson = False) -> None:
    """List calls that were allowed with little room, or only because a person said so."""
    start = _instant(since)

    async def work(session: Session) -> tuple[NearCall, ...]:
        return await session.desks.replays.near_misses(session.principal, start, limit)

    found = on_deployment(config, work)
    output = Output(as_json)
    output.data({"near_misses": [_near(one) for one in found]})
    rows = [
        (
            f"{one.record.call.key.run}/{one.record.call.key.call}",
            one.record.call.tool,
            near["rule"],
            near["kind"],
            f"{near['margin']} %" if near["kind"] in ("cap", "budget") else "-",
            shown(one.record.created_at),
        )
        for one in found
        for near in one.near
    ]
    output.table(("call", "tool", "rule", "how", "left", "made"), rows, empty="Nothing was close.")


def _near(one: NearCall) -> dict[str, object]:
    key = one.record.call.key
    return {
        "run": key.run,
        "call": key.call,
        "agent": one.record.call.agent,
        "tool": one.record.call.tool,
        "at": one.record.created_at,
        "near": list(one.near),
    }


def _exact(run: str, config: Path, output: Output) -> None:
    async def work(session: Session) -> Replay:
        return await session.desks.replays.replay(session.principal, RunId(run))

    found = on_deployment(config, work)
    same, different, unknown = (found.count(each) for each in Derivation)
    output.data(
        {
            "run": run,
            "same": same,
            "different": different,
            "unknown": unknown,
            "moments": [_moment(one) for one in found.moments],
        }
    )
    rows = [(one.step or "", _clock(one, found), one.text, one.derivation or "", one.why) for one in found.moments]
    output.table(("step", "after", "what happened", "derived again", "why"), rows)
    output.say()
    if different:
        output.say(
            f"{counted(different, 'decision')} of {run} came out differently. The record or the archive was changed."
        )
        raise typer.Exit(Exit.FAILED)
    if unknown:
        output.say(
            f"{counted(unknown, 'decision')} of {run} cannot be derived again; the other {same} came out the same."
        )
        raise typer.Exit(Exit.INCONCLUSIVE)
    output.say(f"All {counted(same, 'decision')} of {run} came out byte for byte as recorded.")


def _moment(one: Moment) -> dict[str, object]:
    return {
        "at": one.at,
        "what": one.what.value,
        "text": one.text,
        "step": one.step,
        "call": one.call,
        "derived": one.derivation.value if one.derivation is not None else None,
        "why": one.why,
    }


def _clock(one: Moment, replayed: Replay) -> str:
    if one.what is Happening.OPENED:
        return shown(one.at)
    return f"{(one.at - replayed.past.run.opened_at) / 1000:.3f} s"


def _instant(since: str) -> int:
    return time.time_ns() // 1_000_000 - duration_ms(since, "--since") if since else 0
