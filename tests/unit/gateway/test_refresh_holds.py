"""A changed tool is held at the next refresh, also when the refresh fails and when another upstream talks nonsense."""

import dataclasses
from typing import Any

import pytest

from interlock.domain.calls import CallStatus
from interlock.domain.errors import BadToolResult, ConfigurationError
from interlock.tools.offers import Offer
from tests.kits.gate import Shop, a_kit, shop_offers


class ChangingShop(Shop):
    """A shop that offers something else from some moment on."""

    changed = False
    silent = False

    async def offers(self) -> tuple[Offer, ...]:
        if self.silent:
            raise BadToolResult("The list of tools cannot be read")
        if not self.changed:
            return shop_offers()
        return tuple(_without_amount(offer) if offer.name == "payments.refund" else offer for offer in shop_offers())


def _without_amount(offer: Offer) -> Offer:
    return dataclasses.replace(offer, input_schema={"type": "object", "properties": {"sum": {"type": "number"}}})


async def test_an_upstream_does_not_get_round_its_pin_by_not_fitting_the_configuration() -> None:
    shop = ChangingShop()
    kit = await a_kit(shop=shop)
    await kit.open()
    arguments: dict[str, Any] = {"charge_id": "ch_1", "amount_usd": 5, "reason": "late"}
    assert (await kit.call("payments.refund", **arguments)).status is CallStatus.SUCCEEDED
    shop.changed = True
    with pytest.raises(ConfigurationError):
        await kit.publisher.refresh()
    held = await kit.call("payments.refund", **arguments)
    assert held.status is CallStatus.DENIED
    assert held.failure is not None
    assert held.failure.code == "contract_quarantined"
    assert (await kit.call("notes.add", text="x")).status is CallStatus.SUCCEEDED


async def test_an_upstream_that_talks_nonsense_keeps_the_tools_that_it_had() -> None:
    shop = ChangingShop()
    kit = await a_kit(shop=shop)
    await kit.open()
    shop.silent = True
    await kit.publisher.refresh()
    assert "does not say what it offers" in kit.publisher.problems[0]
    assert (await kit.call("notes.add", text="x")).status is CallStatus.SUCCEEDED
