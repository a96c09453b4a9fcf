"""The one table of operations, from which routes and reference follow."""

from interlock.server.api import access, approvals, controls, explain, keeping, models, records, replays, runs, traces
from interlock.server.api.operations import Operation

OPERATIONS: tuple[Operation, ...] = (
    *runs.OPERATIONS,
    *models.OPERATIONS,
    *approvals.OPERATIONS,
    *controls.OPERATIONS,
    *access.OPERATIONS,
    *records.OPERATIONS,
    *traces.OPERATIONS,
    *keeping.OPERATIONS,
    *explain.OPERATIONS,
    *replays.OPERATIONS,
)
"""Every operation of the management API."""
