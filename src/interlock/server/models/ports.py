"""The use case that the model surface calls; the road of a model call fits it."""

from typing import Protocol

from interlock.domain.identity import Principal
from interlock.gateway.models.requests import ModelAsk, ModelReply, OpenModel, Outlet


class Gate(Protocol):
    """`interlock.gateway.model_call.ModelGate`."""

    async def reply(self, ask: ModelAsk) -> ModelReply:
        """Take one request down the road and return the whole reply. Raises InterlockError."""

    async def stream(self, ask: ModelAsk, outlet: Outlet) -> None:
        """Take one request down the road and let the reply out as it comes.

        Raises InterlockError before `outlet.start` only; afterwards errors travel in the stream.
        """

    def models_for(self, principal: Principal) -> tuple[OpenModel, ...]:
        """Return the models and tiers that `principal` may ask for."""

    async def count(self, ask: ModelAsk) -> int:
        """Return how many tokens the request would bring in. Raises InterlockError."""
