"""Find personal data and secrets in a result, and take them out: by form only, in time linear in its size."""

from interlock.checks.redactor import by_form
from interlock.domain.canonical import Json


def contains_personal_data(value: Json) -> bool:
    """Return whether any text in `value`, keys included, holds something that a detector knows."""
    return bool(by_form().value(value)[1])


def redact(value: Json) -> tuple[Json, tuple[str, ...]]:
    """Return `value` with everything found replaced by its kind in brackets, such as `[email]`, and the kinds found.

    What holds nothing comes back as it is. A text in which something was found comes back in its plain form (NFKC,
    without invisible characters).
    """
    return by_form().value(value)
