"""The management API under `/api/v1`: runs, approvals, brakes, contracts, keys, budgets and the audit trail."""
