"""Conditions and policies written in Cedar, evaluated by the Rust implementation."""

from interlock.adapters.cedar.conditions import CedarConditions
from interlock.adapters.cedar.policies import CedarPolicies

__all__ = ["CedarConditions", "CedarPolicies"]
