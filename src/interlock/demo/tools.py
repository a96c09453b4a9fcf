"""The shop's tools as plain typed functions. What a reviewer says of them stands in deployment/contracts/shop.yaml."""

import asyncio

from interlock.adapters.python.decorator import tool
from interlock.adapters.python.invoker import ToolError
from interlock.adapters.python.signatures import IdempotencyKey
from interlock.demo.shop import SHOP
from interlock.domain.canonical import JsonObject

_LOST_S = 5.0
"""Longer than any contract of the demo waits for."""


@tool
def read_order(order_id: str) -> JsonObject:
    """Return an order: customer, total, status, parcel."""
    order = SHOP.get().orders.get(order_id)
    if order is None:
        raise ToolError(f"There is no order {order_id}.")
    return {"order_id": order_id, **order}


@tool
def read_inbox() -> str:
    """Return the new e-mails of customers."""
    return SHOP.get().inbox


@tool
async def refund_order(order_id: str, amount_usd: float, reason: str, key: IdempotencyKey) -> JsonObject:
    """Pay a part of an order back, or all of it, the way it was paid."""
    shop = SHOP.get()
    if order_id not in shop.orders:
        raise ToolError(f"There is no order {order_id}.")
    receipt = shop.book("refund", order_id, amount_usd, key)
    shop.orders[order_id] = {**shop.orders[order_id], "status": "refunded"}
    if shop.loses_the_answer("refund_order"):
        await asyncio.sleep(_LOST_S)
    return {**receipt, "reason": reason}


@tool
async def issue_voucher(customer: str, amount_usd: float) -> JsonObject:
    """Send a customer a voucher. The voucher service does not recognise a repeated request."""
    shop = SHOP.get()
    if shop.loses_the_answer("issue_voucher"):
        await asyncio.sleep(_LOST_S)
    return shop.book("voucher", customer, amount_usd)


@tool
def change_address(order_id: str, address: str) -> JsonObject:
    """Change where an order is delivered to."""
    shop = SHOP.get()
    shop.orders[order_id] = {**shop.orders[order_id], "address": address}
    return {"order_id": order_id, "address": address}


@tool
def send_mail(to: str, subject: str, body: str) -> JsonObject:
    """Send an e-mail in the shop's name."""
    SHOP.get().outbox.append(to)
    return {"sent": True, "to": to, "subject": subject, "characters": len(body)}


@tool
def wire_payout(iban: str, amount_usd: float, purpose: str) -> JsonObject:
    """Wire money to a bank account. It cannot be called back."""
    return {**SHOP.get().book("payout", iban, amount_usd), "purpose": purpose}


@tool
def erase_customer(customer: str) -> JsonObject:
    """Erase a customer and all that is known of them, for good."""
    SHOP.get().customers.pop(customer, None)
    return {"erased": customer}
