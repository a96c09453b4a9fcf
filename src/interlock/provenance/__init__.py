"""Provenance: where each value of a proposed call was seen, and whether anything trusted stands behind it."""

from interlock.provenance.evidence import Evidence
from interlock.provenance.roles import guess_role
from interlock.provenance.trace import trace

__all__ = ["Evidence", "guess_role", "trace"]
