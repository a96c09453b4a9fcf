"""Brakes and contracts: what operators stop, and what they let through."""

from interlock.domain.errors import BadInput
from interlock.domain.identity import Role
from interlock.server.api import views
from interlock.server.api.documents import (
    BrakeDocument,
    BrakesDocument,
    DiffDocument,
    PinDocument,
    ToolDocument,
    ToolsDocument,
)
from interlock.server.api.operations import PREFIX, Asked, Description, Operation
from interlock.server.api.queries import ApproveContractBody, BrakeBody

_READERS = frozenset({Role.OPERATOR, Role.APPROVER, Role.AUDITOR})
_OPERATORS = frozenset({Role.OPERATOR})
_LONGEST_S = 366 * 24 * 3600


async def list_brakes(asked: Asked) -> BrakesDocument:
    """List the brakes that are on."""
    return BrakesDocument(tuple(views.brake(one) for one in await asked.desks.brakes.status(asked.principal)))


async def put_on(asked: Asked) -> BrakeDocument:
    """Pull the brake."""
    body: BrakeBody = asked.body
    length = seconds(body.for_seconds, "for_seconds") * 1000
    brake = await asked.desks.brakes.on(asked.principal, body.target, body.name, reason=body.reason, for_ms=length)
    return views.brake(brake)


async def lift(asked: Asked) -> BrakeDocument:
    """Lift a brake."""
    return views.brake(await asked.desks.brakes.off(asked.principal, asked.path["brake"]))


async def list_tools(asked: Asked) -> ToolsDocument:
    """List contracts."""
    return ToolsDocument(tuple(views.tool(one) for one in await asked.desks.contracts.list(asked.principal)))


async def show_tool(asked: Asked) -> ToolDocument:
    """Show a contract."""
    return views.contract(await asked.desks.contracts.review(asked.principal, asked.path["tool"]))


async def diff_tool(asked: Asked) -> DiffDocument:
    """Show what changed since the review."""
    return views.diff(await asked.desks.contracts.review(asked.principal, asked.path["tool"]))


async def approve_tool(asked: Asked) -> PinDocument:
    """Approve what is offered now."""
    body: ApproveContractBody = asked.body
    return views.pin(await asked.desks.contracts.approve(asked.principal, asked.path["tool"], body.surface_hash))


def seconds(length: int, name: str) -> int:
    """Return a number of seconds that makes sense as a length of time, or raise BadInput."""
    if not 1 <= length <= _LONGEST_S:
        raise BadInput(f"'{name}' is out of range", do=f"Give 1 to {_LONGEST_S} seconds (366 days)")
    return length


BRAKES, TOOLS = PREFIX + "/brakes", PREFIX + "/tools"
OPERATIONS = (
    Operation(
        Description("GET", BRAKES, "listBrakes", "List the brakes that are on.", _READERS, answer=BrakesDocument),
        list_brakes,
    ),
    Operation(
        Description(
            "POST",
            BRAKES,
            "setBrake",
            "Stop a tool, a category, an agent, all writes or everything. It holds from the moment of the answer.",
            _OPERATORS,
            body=BrakeBody,
            answer=BrakeDocument,
            status=201,
        ),
        put_on,
    ),
    Operation(
        Description(
            "DELETE",
            BRAKES + "/{brake}",
            "liftBrake",
            "Lift a brake; who did is recorded.",
            _OPERATORS,
            answer=BrakeDocument,
        ),
        lift,
    ),
    Operation(
        Description("GET", TOOLS, "listTools", "List every tool and its standing.", _READERS, answer=ToolsDocument),
        list_tools,
    ),
    Operation(
        Description(
            "GET", TOOLS + "/{tool}", "showTool", "Show the contract of a tool.", _READERS, answer=ToolDocument
        ),
        show_tool,
    ),
    Operation(
        Description(
            "GET",
            TOOLS + "/{tool}/diff",
            "diffTool",
            "Show what the upstream changed since the tool was reviewed.",
            _READERS,
            answer=DiffDocument,
        ),
        diff_tool,
    ),
    Operation(
        Description(
            "POST",
            TOOLS + "/{tool}/approve",
            "approveTool",
            "Approve what the upstream offers now, if it is still what you looked at.",
            _OPERATORS,
            body=ApproveContractBody,
            answer=PinDocument,
        ),
        approve_tool,
    ),
)
"""The operations on brakes and contracts."""
