"""Read JSON of which nothing is known yet, and say which field is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadInput, BadModelReply

MOST_TOKENS = 1_000_000_000
"""A thousand times what the longest context windows hold."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value and where it stands. Every method returns what its name says or raises `wrong`; null is the same as absent."""

    value: Json
    at: str = ""
    """Path from the top, as in `messages[0].content`; empty for the top."""
    wrong: type[BadInput] | type[BadModelReply] = BadInput

    def __getitem__(self, key: str) -> "Field":
        """Return the field `key` of this object; either may be absent. Raises `wrong` when this is something else."""
        found = None if self.value is None else self.object().get(key)
        return Field(found, f"{self.at}.{key}" if self.at else key, self.wrong)

    @property
    def given(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def object(self) -> JsonObject:
        """Return the object."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        return self.value

    def members(self) -> JsonObject:
        """Return the object; an empty one when it is absent."""
        return {} if self.value is None else self.object()

    def items(self) -> Iterator["Field"]:
        """Yield the members of the list; none when it is absent."""
        if self.value is None:
            return iter(())
        if not isinstance(self.value, list):
            raise self.error("a list")
        return (Field(item, f"{self.at}[{position}]", self.wrong) for position, item in enumerate(self.value))

    def text(self, default: str | None = None) -> str:
        """Return the text, or `default` when it is absent and there is one."""
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            raise self.error("text")
        return self.value

    def name(self) -> str:
        """Return the text, which must not be empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.error("text that is not empty")
        return self.value

    def flag(self) -> bool | None:
        """Return true or false, or None when it is absent."""
        if self.value is not None and not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def number(self) -> float | None:
        """Return the number, or None when it is absent."""
        if self.value is not None and (isinstance(self.value, bool) or not isinstance(self.value, int | float)):
            raise self.error("a number")
        return self.value

    def integer(self, least: int = 0) -> int | None:
        """Return the whole number, or None when it is absent."""
        if self.value is None:
            return None
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            raise self.error(f"a whole number of at least {least}")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return the list of texts; empty when it is absent."""
        return tuple(item.text() for item in self.items())

    def error(self, expected: str) -> BadInput | BadModelReply:
        """Return the error that says what this field must be."""
        where = f"`{self.at}`" if self.at else "The body"
        if self.wrong is BadModelReply:
            return BadModelReply(
                "The model's reply cannot be read", why=f"{where[0].lower()}{where[1:]} is not {expected}"
            )
        found = "is missing" if self.value is None else f"is {_kind(self.value)}"
        return self.wrong(f"{where} must be {expected}", why=f"it {found}", do="Correct the request and send it again")


def reply(body: Json) -> Field:
    """Return the body of a reply, whose mistakes are the provider's."""
    return Field(body, "", BadModelReply)


def count(value: Json) -> int:
    """Return a number of tokens as a provider said it; 0 for anything that is none."""
    return value if is_count(value) else 0


def is_count(value: Json) -> TypeGuard[int]:
    """Return whether `value` is a number of tokens that one call can have: beyond it no ledger could hold the cost."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "text" if isinstance(value, str) else "a number that does not fit"
