"""Budgets and the audit trail."""

from interlock.domain.identity import Role
from interlock.server.api import views
from interlock.server.api.documents import BudgetsDocument, EventsDocument
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import AuditQuery, BudgetQuery, bounded


async def list_budgets(asked: Asked) -> BudgetsDocument:
    """List budgets."""
    query: BudgetQuery = asked.query
    most = bounded(query.limit)
    found = await asked.desks.records.budgets(asked.principal, query.prefix)
    return BudgetsDocument(tuple(views.budget(one) for one in found[:most]))


async def list_events(asked: Asked) -> EventsDocument:
    """List audit events."""
    query: AuditQuery = asked.query
    found = await asked.desks.records.audit(
        asked.principal, query.subject, bounded(query.limit), kind=query.kind, since=query.since
    )
    return EventsDocument(tuple(views.event(one) for one in found))


OPERATIONS = (
    Operation(
        Description(
            "GET",
            PREFIX + "/budgets",
            "listBudgets",
            "List budgets: the limit, what is spent and what is held, in the unit of each measure.",
            frozenset({Role.OPERATOR, Role.AUDITOR}),
            BudgetQuery,
            answer=BudgetsDocument,
        ),
        list_budgets,
    ),
    Operation(
        Description(
            "GET",
            PREFIX + "/audit",
            "listEvents",
            "List audit events, the newest first.",
            frozenset({Role.AUDITOR}),
            AuditQuery,
            answer=EventsDocument,
        ),
        list_events,
    ),
)
"""The operations that read records."""
