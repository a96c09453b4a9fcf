"""Model calls and what they cost."""

import time

from interlock.domain.identity import Role
from interlock.domain.ids import ModelCallId, RunId
from interlock.models.ports import ModelCallFilter
from interlock.server.api import models_views
from interlock.server.api.models_documents import ModelCallDocument, ModelCallsDocument, SpendingDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import ModelCallQuery, SpendingQuery, bounded
from interlock.server.api.runs import READERS


async def list_model_calls(asked: Asked) -> ModelCallsDocument:
    """List model calls."""
    query: ModelCallQuery = asked.query
    wanted = ModelCallFilter(
        tenant=asked.principal.tenant,
        run=RunId(query.run) if query.run is not None else None,
        agent=query.agent,
        limit=bounded(query.limit),
    )
    found = await asked.desks.model_calls.calls(asked.principal, wanted)
    return ModelCallsDocument(tuple(models_views.model_call(one) for one in found))


async def show_model_call(asked: Asked) -> ModelCallDocument:
    """Show one model call."""
    found = await asked.desks.model_calls.call(asked.principal, ModelCallId(asked.path["model_call"]))
    return models_views.shown_model_call(found)


async def show_spending(asked: Asked) -> SpendingDocument:
    """Add up what model calls used and cost."""
    query: SpendingQuery = asked.query
    most = bounded(query.limit)
    until = time.time_ns() // 1_000_000 + 1 if query.until is None else query.until
    found = await asked.desks.model_calls.spending(asked.principal, by=query.by, since=query.since, until=until)
    return models_views.spending(query.by, query.since, until, found, most)


CALLS = PREFIX + "/model-calls"
OPERATIONS = (
    Operation(
        Description(
            "GET",
            CALLS,
            "listModelCalls",
            "List model calls; an agent sees its own, a run token those of its run.",
            READERS,
            ModelCallQuery,
            answer=ModelCallsDocument,
        ),
        list_model_calls,
    ),
    Operation(
        Description(
            "GET",
            CALLS + "/{model_call}",
            "showModelCall",
            "Show one model call: why this model, what was tried, what it cost.",
            READERS,
            answer=ModelCallDocument,
        ),
        show_model_call,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/spending",
            "showSpending",
            "Add up what model calls used and cost, and what a successful run cost.",
            frozenset({Role.OPERATOR, Role.AUDITOR}),
            SpendingQuery,
            answer=SpendingDocument,
        ),
        show_spending,
    ),
)
"""The operations on model calls."""
