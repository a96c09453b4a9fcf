"""What a provider's error stands for, in words that repeat neither credentials nor the request."""

import re

from interlock.domain.canonical import Json
from interlock.domain.errors import ModelFailed, ModelOverloaded, ModelRefused, ModelTimeout, ModelUnavailable

_LONGEST = 300
# Quoted text may be the caller's words, and a long run of letters and digits may be a key.
_QUOTED = re.compile(r"""(?<!\w)"[^"]{25,}"|`[^`]{25,}`|(?<!\w)'.{25,}'(?!\w)""")
_SECRET = re.compile(
    r"(?i)\b(?:bearer\s+\S+|(?:sk|pk|rk|gsk|xai|key|token)[-_][\w*.-]{6,}|AIza[\w-]{10,}|A[KS]IA\w{8,})|[\w+/=*-]{28,}"
)


def failure(status: int, kind: str, message: Json = "", *, retry_after_s: float | None = None) -> ModelFailed:
    """Return the failure that a provider's `status` stands for; `kind` is its own word for it."""
    said = f"status {status}" + (f", {plain_words(kind)}" if kind else "")
    # What is said of a credential tends to show it.
    words = plain_words(message) if status not in {401, 403} else ""
    why = f"{said}: {words}" if words else said
    error: ModelFailed
    if status in {429, 529}:
        error = ModelOverloaded("The provider limits how much it serves", why=why, do="Wait before the next attempt")
    elif status in {408, 504}:
        error = ModelTimeout("The provider ran out of time", why=why)
    elif status >= 500:
        error = ModelUnavailable("The provider cannot serve at the moment", why=why)
    elif status in {401, 403}:
        error = ModelRefused("The provider refused the credential", why=why, do="Check the key of this provider")
    else:
        error = ModelRefused("The provider refused the request", why=why, do="Another attempt would end the same way")
    error.retry_after_s = retry_after_s
    return error


def plain_words(message: Json) -> str:
    """Return what can be shown of a provider's words: one line, no keys, no long quotations, 300 characters."""
    if not isinstance(message, str):
        return ""
    line = " ".join(message[: 4 * _LONGEST].split())
    line = _SECRET.sub("…", _QUOTED.sub("…", line))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
