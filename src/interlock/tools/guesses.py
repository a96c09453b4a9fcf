"""What to assume of a tool that nobody has reviewed: always the side on which less can go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock.domain.canonical import JsonObject
from interlock.domain.contracts import Idempotency, Kind, Tier
from interlock.tools.offers import Offer

_READS = frozenset({"GET", "HEAD"})
# DELETE is not among them: repeated, it answers 404, which would be recorded as a failure of what has worked.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})


@dataclass(frozen=True, slots=True)
class Guess:
    """Kind, tier and idempotency as far as the offer implies them."""

    kind: Kind
    tier: Tier
    idempotency: Idempotency


def guess(offer: Offer, kind: Kind | None = None) -> Guess:
    """Return what `offer` implies; `kind` is what a reviewer said, if anything.

    A tool is a read only if a reviewer or its HTTP method says so: the hint `readOnlyHint` of a server never makes it
    one. A write is of tier 3, and of tier 4 when it deletes or calls itself destructive: hints only tighten.
    """
    actual = kind if kind is not None else Kind.READ if offer.method in _READS else Kind.WRITE
    if actual is Kind.READ:
        return Guess(actual, Tier.READ_ONLY, Idempotency.NATURAL)
    destroys = offer.method == "DELETE" or _destructive(offer.hints)
    return Guess(
        actual,
        Tier.IRREVERSIBLE if destroys else Tier.HIGH_IMPACT,
        Idempotency.NATURAL if offer.method in _REPEATABLE else Idempotency.NONE,
    )


def _destructive(hints: JsonObject) -> bool:
    annotations = hints.get("annotations")
    stated = annotations if isinstance(annotations, Mapping) else hints
    return stated.get("destructiveHint") is True
