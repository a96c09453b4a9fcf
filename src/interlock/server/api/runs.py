"""Runs and their calls."""

from collections.abc import Mapping

from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput
from interlock.domain.identity import Role
from interlock.domain.ids import AgentId, CallId, RunId, ToolName, UserId
from interlock.gateway.run_desk import Opening
from interlock.runs.ports import CallFilter
from interlock.server.api import views
from interlock.server.api.documents import CallDocument, CallsDocument, OpenedRunDocument, RunDocument, RunsDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import (
    CallQuery,
    CloseRunBody,
    InstructionBody,
    OpenRunBody,
    Page,
    ResolveBody,
    bounded,
)

DRIVERS = frozenset({Role.AGENT, Role.OPERATOR})
READERS = frozenset({Role.AGENT, Role.OPERATOR, Role.APPROVER, Role.AUDITOR})
_OPERATORS = frozenset({Role.OPERATOR})


async def open_run(asked: Asked) -> OpenedRunDocument:
    """Open a run."""
    body: OpenRunBody = asked.body
    user, identity = _user(body.user)
    opening = Opening(
        agent=AgentId(body.agent) if body.agent is not None else None,
        user=user,
        identity=identity,
        system=body.system,
        instruction=body.instruction,
        labels=tuple(sorted((body.labels or {}).items())),
        tools=frozenset(ToolName(tool) for tool in body.tools) if body.tools is not None else None,
        run=RunId(body.run) if body.run is not None else None,
        trace=asked.trace,
    )
    return views.opened_run(await asked.desks.runs.open(asked.principal, opening))


async def list_runs(asked: Asked) -> RunsDocument:
    """List runs."""
    found = await asked.desks.runs.runs(asked.principal, bounded(asked.query.limit))
    return RunsDocument(tuple(views.run(one) for one in found))


async def show_run(asked: Asked) -> RunDocument:
    """Show one run."""
    return views.run(await asked.desks.runs.find(asked.principal, RunId(asked.path["run"])))


async def list_run_calls(asked: Asked) -> CallsDocument:
    """List the calls of one run."""
    query = CallFilter(run=RunId(asked.path["run"]), limit=bounded(asked.query.limit))
    found = await asked.desks.runs.calls(asked.principal, query)
    return CallsDocument(tuple(views.call(one) for one in found))


async def list_calls(asked: Asked) -> CallsDocument:
    """List calls of every run."""
    query: CallQuery = asked.query
    wanted = CallFilter(
        run=RunId(query.run) if query.run is not None else None,
        agent=AgentId(query.agent) if query.agent is not None else None,
        tool=ToolName(query.tool) if query.tool is not None else None,
        statuses=frozenset({query.status}) if query.status is not None else None,
        limit=bounded(query.limit),
    )
    found = await asked.desks.runs.calls(asked.principal, wanted)
    return CallsDocument(tuple(views.call(one) for one in found))


async def instruct(asked: Asked) -> None:
    """Add what the user said next."""
    await asked.desks.runs.instruct(asked.principal, RunId(asked.path["run"]), asked.body.text)


async def close(asked: Asked) -> None:
    """End a run."""
    await asked.desks.runs.close(asked.principal, RunId(asked.path["run"]), outcome=asked.body.outcome)


async def stop(asked: Asked) -> None:
    """Stop a run."""
    await asked.desks.runs.close(asked.principal, RunId(asked.path["run"]), stop=True)


async def resolve(asked: Asked) -> CallDocument:
    """Settle an unknown outcome."""
    body: ResolveBody = asked.body
    run, call = RunId(asked.path["run"]), CallId(asked.path["call"])
    record = await asked.desks.runs.resolve(
        asked.principal, run, call, happened=body.happened, note=body.note, result=body.result
    )
    return views.call(record)


def _user(given: Mapping[str, Json] | None) -> tuple[UserId | None, dict[str, Json] | None]:
    """Return the user's id and everything that is known of the user, the id among it."""
    if not given:
        return None, None
    id = given.get("id")
    if id is not None and not isinstance(id, str):
        raise BadInput("'user.id' is not text")
    return (UserId(id) if id else None), dict(given)


RUNS = PREFIX + "/runs"
OPERATIONS = (
    Operation(
        Description(
            "POST",
            RUNS,
            "openRun",
            "Open a run: the gate learns what counts as trusted, and the agent gets its token.",
            DRIVERS,
            body=OpenRunBody,
            answer=OpenedRunDocument,
            status=201,
        ),
        open_run,
    ),
    Operation(
        Description("GET", RUNS, "listRuns", "List runs; an agent sees its own.", READERS, Page, answer=RunsDocument),
        list_runs,
    ),
    Operation(Description("GET", RUNS + "/{run}", "showRun", "Show one run.", READERS, answer=RunDocument), show_run),
    Operation(
        Description(
            "GET",
            RUNS + "/{run}/calls",
            "listRunCalls",
            "List the calls of one run.",
            READERS,
            Page,
            answer=CallsDocument,
        ),
        list_run_calls,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/calls",
            "listCalls",
            "List calls of every run, for instance those of unknown outcome; an agent sees its own.",
            READERS,
            CallQuery,
            answer=CallsDocument,
        ),
        list_calls,
    ),
    Operation(
        Description(
            "POST",
            RUNS + "/{run}/instructions",
            "addInstruction",
            "Add what the user said next. Run tokens may not: an agent does not speak for its user.",
            DRIVERS,
            body=InstructionBody,
            status=204,
        ),
        instruct,
    ),
    Operation(
        Description(
            "POST",
            RUNS + "/{run}/close",
            "closeRun",
            "End a run: no call is admitted any more. May say what came of it.",
            DRIVERS,
            body=CloseRunBody,
            body_needed=False,
            status=204,
        ),
        close,
    ),
    Operation(
        Description(
            "POST", RUNS + "/{run}/stop", "stopRun", "End a run as an operator's intervention.", _OPERATORS, status=204
        ),
        stop,
    ),
    Operation(
        Description(
            "POST",
            RUNS + "/{run}/calls/{call}/resolve",
            "resolveCall",
            "Say what became of a call of unknown outcome, and settle its budgets accordingly.",
            _OPERATORS,
            body=ResolveBody,
            answer=CallDocument,
        ),
        resolve,
    ),
)
"""The operations on runs and calls."""
