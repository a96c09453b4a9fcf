"""What a model says in the test kit, and what a provider makes of it on the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from interlock.domain.models import Usage


@dataclass(frozen=True, slots=True)
class Told:
    """What the model says."""

    words: tuple[str, ...]
    calls: tuple[tuple[str, str, str], ...] = ()
    """(id, name, arguments as JSON text)."""
    usage: Usage = field(default_factory=Usage)
    model: str = "m"

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def pieces(self) -> Iterator[str]:
        for number, word in enumerate(self.words):
            yield word if number == 0 else f" {word}"


class Format(Protocol):
    """One provider's formats."""

    stream_type: str

    def whole(self, told: Told) -> Any: ...

    def head(self, told: Told) -> list[bytes]:
        """Events before the first words."""
        ...

    def piece(self, words: str) -> bytes: ...

    def tail(self, told: Told) -> list[bytes]:
        """Events behind the last words: calls, usage, and the terminator as the last one."""
        ...

    def error(self, status: int, message: str) -> Any: ...

    def stream_error(self, message: str) -> bytes: ...

    def models(self, names: tuple[str, ...]) -> Any: ...


def sse(value: Any, name: str = "") -> bytes:
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()
