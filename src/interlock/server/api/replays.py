"""The past, looked at anew: replay a run, fork it, list what was close."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from interlock.domain.canonical import Json
from interlock.domain.identity import Role
from interlock.domain.ids import RunId
from interlock.gateway.replay.exact import Derivation, Happening
from interlock.server.api import views
from interlock.server.api.documents import Instant, OpenedRunDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import Limited, bounded

_READERS = frozenset({Role.OPERATOR, Role.AUDITOR})
_FORKERS = frozenset({Role.OPERATOR, Role.AGENT})


@dataclass(frozen=True, slots=True)
class ForkBody:
    """Where to fork."""

    at: Annotated[str, "The number of a tool call of the run, from 1, or its id: what came before it is taken over."]


@dataclass(frozen=True, slots=True)
class NearQuery:
    """Which near misses."""

    since: Annotated[int, "Only of runs opened at or after this, in milliseconds since the epoch."] = 0
    limit: Limited = 100


@dataclass(frozen=True, slots=True)
class MomentDocument:
    """One thing that happened in a run."""

    at: Instant
    what: Annotated[Happening, "What it is about."]
    text: Annotated[str, "What happened, in a line."]
    step: Annotated[int | None, "Which tool call of the run, from 1."]
    call: Annotated[str, "The id of the tool call or model call."]
    derived: Annotated[
        Derivation | None, "For a decision: whether it comes out byte for byte when it is derived again."
    ]
    why: Annotated[str, "Why it cannot be derived, or in what it differs."]


@dataclass(frozen=True, slots=True)
class ReplayDocument:
    """A run, replayed from its record."""

    run: str
    same: Annotated[int, "Decisions that come out byte for byte."]
    different: Annotated[int, "Decisions that do not: the record or the archive was changed."]
    unknown: Annotated[int, "Decisions that the record does not say enough to derive."]
    moments: Annotated[tuple[MomentDocument, ...], "What happened, in order."]


@dataclass(frozen=True, slots=True)
class NearMissDocument:
    """A call that was close."""

    run: str
    call_id: str
    agent: str
    tool: str
    at: Instant
    near: Annotated[
        tuple[Mapping[str, Json], ...], "Each rule that almost decided otherwise: `rule`, `kind`, `margin`."
    ]


@dataclass(frozen=True, slots=True)
class NearMissesDocument:
    """Calls that were close, the newest first."""

    near_misses: tuple[NearMissDocument, ...]


async def replay_run(asked: Asked) -> ReplayDocument:
    """Replay one run."""
    found = await asked.desks.replays.replay(asked.principal, RunId(asked.path["run"]))
    moments = tuple(
        MomentDocument(one.at, one.what, one.text, one.step, one.call, one.derivation, one.why) for one in found.moments
    )
    same, different, unknown = (found.count(each) for each in Derivation)
    return ReplayDocument(found.past.run.id, same, different, unknown, moments)


async def fork_run(asked: Asked) -> OpenedRunDocument:
    """Fork one run."""
    return views.opened_run(await asked.desks.replays.fork(asked.principal, RunId(asked.path["run"]), asked.body.at))


async def list_near_misses(asked: Asked) -> NearMissesDocument:
    """List near misses."""
    query: NearQuery = asked.query
    found = await asked.desks.replays.near_misses(asked.principal, query.since, bounded(query.limit))
    return NearMissesDocument(
        tuple(
            NearMissDocument(
                one.record.call.key.run,
                one.record.call.key.call,
                one.record.call.agent,
                one.record.call.tool,
                one.record.created_at,
                one.near,
            )
            for one in found
        )
    )


OPERATIONS = (
    Operation(
        Description(
            "GET",
            PREFIX + "/runs/{run}/replay",
            "replayRun",
            "Replay a run from its record, every decision derived again under its own rules. No tool is called.",
            _READERS,
            answer=ReplayDocument,
        ),
        replay_run,
    ),
    Operation(
        Description(
            "POST",
            PREFIX + "/runs/{run}/fork",
            "forkRun",
            "Open a run that has seen and done what another had before a step. No tool is called again.",
            _FORKERS,
            body=ForkBody,
            answer=OpenedRunDocument,
            status=201,
        ),
        fork_run,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/near-misses",
            "listNearMisses",
            "List calls that were allowed with little room, or only because a person said so.",
            _READERS,
            NearQuery,
            answer=NearMissesDocument,
        ),
        list_near_misses,
    ),
)
"""The operations on the past."""
