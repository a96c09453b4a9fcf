"""Find the name that somebody probably meant."""

import difflib
from collections.abc import Iterable

_LONGEST = 200


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name among `known` that is most like `name`, or None when none is close."""
    matches = difflib.get_close_matches(name[:_LONGEST].lower(), lowered := {text.lower(): text for text in known}, n=1)
    return lowered[matches[0]] if matches else None
