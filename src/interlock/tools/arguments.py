"""What a call's arguments mean to the gate: how much money, how many recipients, and where the idempotency key goes."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import AmountField, Idempotency, Money, ToolContract
from interlock.domain.errors import BadInput, InvalidArguments
from interlock.domain.money import exponent, minor_units
from interlock.domain.pointers import resolve

_LARGEST = 2**53 - 1
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,10})?", re.ASCII)
_BETWEEN_RECIPIENTS = re.compile(r"[,;\n]")


def amount_of(contract: ToolContract, arguments: JsonObject) -> Money | None:
    """Return the money that the call moves, exact in minor units; None when the contract says that it moves none.

    Amounts in several places add up. Raises InvalidArguments when it cannot be told: no amount where one is needed,
    no number, a fraction of a minor unit, a negative amount, an unknown currency.
    """
    where = contract.amount
    if where is None:
        return None
    found = [(pointer, value) for pointer, value in resolve(arguments, where.pointer) if value is not None]
    if not found:
        if where.optional:
            return None
        raise InvalidArguments(
            f"The call of '{contract.name}' does not say how much money it moves",
            why="no limit can hold an amount that is not known",
            do=f"Give {where.pointer}",
        )
    currency = _currency(where, arguments)
    total = sum(_minor(pointer, value, currency, where) for pointer, value in found)
    if total > _LARGEST:
        raise _refused(where.pointer, "is too large")
    return Money(total, currency)


def recipients_of(contract: ToolContract, arguments: JsonObject) -> int:
    """Return how many recipients the call reaches; a text counts each address between commas or semicolons."""
    if contract.recipients is None:
        return 0
    return sum(_count(value) for _, value in resolve(arguments, contract.recipients))


def with_key(contract: ToolContract, arguments: JsonObject, key: str) -> JsonObject:
    """Return the arguments to send: with the idempotency key in its field, where the contract has one."""
    if contract.idempotency is not Idempotency.FIELD:
        return arguments
    return {**arguments, contract.idempotency_name: key}


def _currency(where: AmountField, arguments: JsonObject) -> str:
    if not where.currency.startswith("@"):
        code = where.currency.upper()
    else:
        pointer = where.currency[1:]
        named = {value.upper() for _, value in resolve(arguments, pointer) if isinstance(value, str)}
        if len(named) != 1:
            raise _refused(pointer, "does not name one currency")
        code = named.pop()
    try:
        exponent(code)
    except BadInput as error:
        raise InvalidArguments(error.what, do=error.do) from None
    return code


def _minor(pointer: str, value: Json, currency: str, where: AmountField) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _refused(pointer, "is not a number")
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is None:
        raise _refused(pointer, "is not a plain number such as 49.00")
    # repr of a float is the shortest text that gives the same float: 49.1 is exactly the 49.10 that was typed.
    amount = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    if not amount.is_finite():
        raise _refused(pointer, "is not a number")
    if amount < 0:
        raise _refused(pointer, "is negative")
    if where.minor_units and amount != amount.to_integral_value():
        raise _refused(pointer, "holds a fraction of the smallest coin")
    try:
        return minor_units(amount.scaleb(-exponent(currency)) if where.minor_units else amount, currency)
    except BadInput as error:
        raise InvalidArguments(f"The value at {pointer} cannot be counted", why=error.what, do=error.do) from None


def _count(value: Json) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return sum(1 for part in _BETWEEN_RECIPIENTS.split(value) if part.strip())
    if isinstance(value, Mapping):
        return len(value)
    if isinstance(value, Sequence):
        return sum(_count(inner) for inner in value)
    return 1


def _refused(pointer: str, problem: str) -> InvalidArguments:
    return InvalidArguments(f"The value at {pointer} {problem}", do="Correct it and propose the call again")
