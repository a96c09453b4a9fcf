"""What is kept: erasure, legal holds, retention."""

from interlock.domain.identity import Role
from interlock.domain.ids import RunId
from interlock.server.api.keeping_documents import (
    EraseBody,
    ErasureDocument,
    HoldDocument,
    HoldQuery,
    HoldsDocument,
    PlaceHoldBody,
    RetentionDocument,
    erasure_document,
    hold_document,
    retention_document,
)
from interlock.server.api.operations import PREFIX, Asked, Description, Operation

_ADMINS = frozenset({Role.ADMIN})
_READERS = frozenset({Role.OPERATOR, Role.AUDITOR})


async def erase(asked: Asked) -> ErasureDocument:
    """Erase what is kept of a user or a run."""
    body: EraseBody = asked.body
    run = RunId(body.run) if body.run else None
    return erasure_document(
        await asked.desks.keeping.erase(asked.principal, user=body.user, run=run, because=body.because)
    )


async def list_holds(asked: Asked) -> HoldsDocument:
    """List holds."""
    query: HoldQuery = asked.query
    found = await asked.desks.keeping.holds(asked.principal, lifted=query.lifted)
    return HoldsDocument(tuple(hold_document(one) for one in found))


async def place_hold(asked: Asked) -> HoldDocument:
    """Place a hold."""
    body: PlaceHoldBody = asked.body
    return hold_document(await asked.desks.keeping.place(asked.principal, body.scope, body.name, body.reason))


async def lift_hold(asked: Asked) -> HoldDocument:
    """Lift a hold."""
    return hold_document(await asked.desks.keeping.lift(asked.principal, asked.path["hold"]))


async def show_retention(asked: Asked) -> RetentionDocument:
    """Show for how long what is kept."""
    return retention_document(await asked.desks.keeping.due(asked.principal))


ERASURES, HOLDS, RETENTION = PREFIX + "/erasures", PREFIX + "/holds", PREFIX + "/retention"
OPERATIONS = (
    Operation(
        Description(
            "POST",
            ERASURES,
            "erase",
            "Erase what is kept of a user or of a run, for good. Rows, sums and proofs stay.",
            _ADMINS,
            body=EraseBody,
            answer=ErasureDocument,
            status=201,
        ),
        erase,
    ),
    Operation(
        Description(
            "GET",
            HOLDS,
            "listHolds",
            "List the legal holds that stand.",
            _READERS,
            query=HoldQuery,
            answer=HoldsDocument,
        ),
        list_holds,
    ),
    Operation(
        Description(
            "POST",
            HOLDS,
            "placeHold",
            "Place a legal hold: nothing that it covers is erased or expires while it stands.",
            _ADMINS,
            body=PlaceHoldBody,
            answer=HoldDocument,
            status=201,
        ),
        place_hold,
    ),
    Operation(
        Description(
            "DELETE",
            HOLDS + "/{hold}",
            "liftHold",
            "Lift a legal hold; who did is recorded.",
            _ADMINS,
            answer=HoldDocument,
        ),
        lift_hold,
    ),
    Operation(
        Description(
            "GET",
            RETENTION,
            "showRetention",
            "Show for how long what is kept, and how much has been kept long enough.",
            _READERS,
            answer=RetentionDocument,
        ),
        show_retention,
    ),
)
"""The operations on what is kept."""
