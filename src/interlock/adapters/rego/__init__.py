"""Conditions and policy bundles written in Rego, evaluated by rego-cpp."""

from interlock.adapters.rego.bundle import RegoPolicies
from interlock.adapters.rego.conditions import RegoConditions

__all__ = ["RegoConditions", "RegoPolicies"]
