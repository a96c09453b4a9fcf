"""Amounts of money, exactly: from the words and numbers that people write to integers in minor units."""

from decimal import Decimal

from interlock.domain.errors import BadInput

NANO = 9
"""Decimal places of a nano-dollar."""
_LARGEST = 2**53 - 1
_LARGEST_ADJUSTED = 16
"""Power of ten of the first digit of the largest amount, roughly; keeps 1e999999999 from being multiplied out."""

_TWO_PLACES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_NO_PLACES = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_PLACES = "BHD IQD JOD KWD LYD OMR TND"

EXPONENTS = {
    **dict.fromkeys(_TWO_PLACES.split(), 2),
    **dict.fromkeys(_NO_PLACES.split(), 0),
    **dict.fromkeys(_THREE_PLACES.split(), 3),
}
"""Decimal places of each currency of ISO 4217 that people pay with."""


def exponent(currency: str) -> int:
    """Return how many decimal places `currency` has, or raise BadInput for a code that ISO 4217 does not have."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise BadInput("The currency is not one of ISO 4217", do="Use a code of three capitals such as USD") from None


def minor_units(amount: Decimal, currency: str) -> int:
    """Return `amount` (whole units, such as dollars) in minor units (cents).

    Raises BadInput for an unknown currency, a fraction of a minor unit, or an amount too large to be exact in JSON.
    """
    return _whole(amount, exponent(currency), f"{currency} has {exponent(currency)} decimal places")


def nano_usd(amount: Decimal) -> int:
    """Return `amount` of US dollars in nano-dollars (10^-9 USD). Raises BadInput for what is finer or too large."""
    return _whole(amount, NANO, "costs are kept to 9 decimal places")


def usd(nano: int) -> str:
    """Return nano-dollars as a decimal number of dollars, exactly: 2230000 is `0.00223`."""
    return f"{Decimal(nano).scaleb(-NANO).normalize():f}"


def _whole(amount: Decimal, places: int, why: str) -> int:
    if not amount.is_finite():
        raise BadInput("The amount of money is not a number")
    if amount.adjusted() > _LARGEST_ADJUSTED:
        raise BadInput("The amount of money is too large to be exact", why="it is beyond 2^53 of the smallest unit")
    sign, digits, power = amount.as_tuple()
    # Decimal's own arithmetic would round to the context's precision; integers of the digits cannot.
    shift = int(power) + places
    number = int("".join(map(str, digits)))
    scale: int = 10 ** (shift if shift >= 0 else min(-shift, len(digits) + 1))
    whole, rest = (number * scale, 0) if shift >= 0 else divmod(number, scale)
    if rest:
        raise BadInput("The amount of money is finer than its smallest unit", why=why)
    if whole > _LARGEST:
        raise BadInput("The amount of money is too large to be exact", why="it is beyond 2^53 of the smallest unit")
    return -whole if sign else whole
