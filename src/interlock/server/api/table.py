"""The one table of operations, from which routes and reference follow."""

from interlock.server.api import access, approvals, controls, records, runs
from interlock.server.api.operations import Operation

OPERATIONS: tuple[Operation, ...] = (
    *runs.OPERATIONS,
    *approvals.OPERATIONS,
    *controls.OPERATIONS,
    *access.OPERATIONS,
    *records.OPERATIONS,
)
"""Every operation of the management API."""
