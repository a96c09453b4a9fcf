"""What `interlock models prices` prints."""

from collections.abc import Iterable
from decimal import Decimal

from interlock.cli.output import Output
from interlock.models.prices.book import PriceBook
from interlock.models.prices.price import Price

_KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


def print_prices(book: PriceBook, wanted: Iterable[Price], output: Output) -> None:
    """Print prices in USD per million tokens, and where they are from."""
    found = list(wanted)
    output.data(
        {"version": book.version, "reviewed": book.origin.reviewed, "prices": [_plain(price) for price in found]}
    )
    rows = [
        (
            price.model,
            *("free" if price.free else _dollars(price.standard.per_million(kind)) for kind in _KINDS),
            ", ".join(sorted(price.services)) or "-",
            price.source,
        )
        for price in found
    ]
    output.table(("model", *_KINDS, "services", "source"), rows, empty="No model of that name has a price.")
    output.say(
        f"\nUSD per million tokens; longer prompts may cost more. {book.version}, reviewed {book.origin.reviewed}."
    )


def _dollars(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _plain(price: Price) -> dict[str, object]:
    steps = [
        {
            "above_tokens": start,
            **{kind: str(Decimal(getattr(rates, kind)) / price.standard.unit / 1000) for kind in _KINDS},
        }
        for start, rates in price.standard.steps
    ]
    return {
        "provider": price.provider,
        "model": price.model,
        "matched": price.matched,
        "source": price.source,
        "free": price.free,
        "usd_per_million": {kind: _dollars(price.standard.per_million(kind)) for kind in _KINDS},
        "long_prompts": steps,
        "services": sorted(price.services),
        "context_window": price.context_window,
        "max_output": price.max_output,
        "not_included": list(price.beside),
    }
