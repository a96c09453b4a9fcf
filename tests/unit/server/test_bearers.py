"""A proof of identity is remembered briefly, and a refusal never."""

import pytest

from interlock.domain.errors import Unauthenticated
from interlock.domain.identity import Principal
from interlock.server.bearers import RememberedBearers
from tests.kits.gate import AGENT


class Registry:
    def __init__(self) -> None:
        self.asked = 0
        self.revoked = False

    async def authenticate(self, token: str) -> Principal:
        self.asked += 1
        if self.revoked or token != "good":
            raise Unauthenticated("no")
        return AGENT


async def test_a_proof_is_remembered_for_a_moment_and_then_asked_for_again() -> None:
    registry, instants = Registry(), [0.0, 0.2, 0.49, 0.5]
    bearers = RememberedBearers(registry.authenticate, for_s=0.5, now=lambda: instants.pop(0))
    for _ in range(3):
        assert await bearers("good") == AGENT
    assert registry.asked == 1
    registry.revoked = True
    with pytest.raises(Unauthenticated):
        await bearers("good")


async def test_a_refusal_is_never_remembered() -> None:
    registry = Registry()
    bearers = RememberedBearers(registry.authenticate, now=lambda: 0.0)
    for token in ("bad", "bad", "good"):
        if token == "good":
            assert await bearers(token) == AGENT
        else:
            with pytest.raises(Unauthenticated):
                await bearers(token)
    assert registry.asked == 3
