"""A provider's credential: had from where secrets live, kept for a moment, shown to nobody."""

import re
import time
from collections.abc import Callable

from interlock.domain.errors import ModelUnavailable, ToolUnavailable
from interlock.gateway.ports import Secrets

KEPT_S = 60.0
"""How long a credential is used before it is looked up again: so late at most is a rotated one seen."""
_FIT = re.compile(r"[\x21-\x7e]+")


class Credential:
    """One secret."""

    __slots__ = ("_now", "_provider", "_reference", "_secrets", "_until", "_value")

    def __init__(
        self, secrets: Secrets, reference: str, provider: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`reference` is what `secrets` resolves; `provider` is named in errors; `now` tells passing seconds."""
        self._now = now
        self._secrets = secrets
        self._reference = reference
        self._provider = provider
        self._value = ""
        self._until = 0.0

    def __repr__(self) -> str:
        return f"Credential({self._reference})"

    @property
    def at_hand(self) -> str:
        """The secret while it may be used without being looked up, else nothing."""
        return self._value if self._now() < self._until else ""

    async def value(self) -> str:
        """Return the secret. Raises ModelUnavailable, which names only the reference."""
        if at_hand := self.at_hand:
            return at_hand
        try:
            found = (await self._secrets.resolve(self._reference)).strip()
        except ToolUnavailable as error:
            raise ModelUnavailable(
                f"The provider '{self._provider}' cannot be asked: {error.what}", why=error.why, do=error.do
            ) from None
        if not _FIT.fullmatch(found):
            raise ModelUnavailable(
                f"The provider '{self._provider}' cannot be asked",
                why="its credential holds characters that no header may hold",
                do=f"Put the bare key behind {self._reference}",
            )
        self._value, self._until = found, self._now() + KEPT_S
        return found

    def forget(self) -> None:
        """Look the secret up again at the next use: the provider did not take it."""
        self._until = 0.0
