"""Which models serve a call, in which order, and why; how they have done of late."""

from interlock.domain.route_settings import Settings
from interlock.models.routing.classifier import classified
from interlock.models.routing.health import Circuit, Health
from interlock.models.routing.plan import Candidate, Classify, Plan, PriceOf, RouteAsk
from interlock.models.routing.retries import delays, may_mend, pause
from interlock.models.routing.router import Router

__all__ = [
    "Candidate",
    "Circuit",
    "Classify",
    "Health",
    "Plan",
    "PriceOf",
    "RouteAsk",
    "Router",
    "Settings",
    "classified",
    "delays",
    "may_mend",
    "pause",
]
