"""What a file may hold, declared once: the reader, the published JSON Schema and the reference page follow from it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from interlock.config.nodes import Node, Scalar, Series, Table
from interlock.config.problems import Findings, echo
from interlock.domain.canonical import Json
from interlock.domain.errors import InterlockError
from interlock.domain.ids import ToolName
from interlock.domain.problems import Spot

Read = Any  # what a shape makes of a node: a type of its own for each shape, which only travels


class _Refused:
    """The type of REFUSED."""


REFUSED: Final = _Refused()
"""What a shape returns for a node that it refused; the problem has been noted."""


def spot_of(node: Node, file: str, key: str) -> Spot:
    """Return where `node` stands."""
    return Spot(file, node.line, node.column, key)


class Shape(ABC):
    """A kind of value. `read` notes every problem it meets and returns REFUSED or the value."""

    words: str
    """What is expected, for messages and the reference page."""

    @abstractmethod
    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        """Return the value of `node`, or REFUSED."""

    @abstractmethod
    def schema(self) -> Json:
        """Return the JSON Schema that editors check with. It may take more than `read` takes, never less."""

    def refuse(self, node: Node, spot: Spot, found: Findings, near: str = "") -> _Refused:
        """Note that `node` is not what this shape takes."""
        found.add(spot, describe(node), self.words, near)
        return REFUSED


def describe(node: Node) -> str:
    """Return what stands there, for a message."""
    match node:
        case Scalar(value=None):
            return "There is nothing here"
        case Scalar(value=str()):
            return f"This is the text {echo(node.text)}"
        case Scalar(value=bool()):
            return f"This is the flag {node.text}"
        case Scalar():
            return f"This is the number {node.text}"
        case Series():
            return "This is a list"
        case Table():
            return "This is a mapping"


@dataclass(frozen=True, slots=True)
class Text(Shape):
    """Text, as it stands or turned into a value by `convert`, which raises ValueError or an InterlockError to refuse."""

    words: str = "a text"
    pattern: str = r"(?s).+"
    convert: Callable[[str], Any] = str
    numbers: bool = False
    """Whether a bare number or flag may stand for its text (`3: ...` as a key)."""

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or not (
            isinstance(node.value, str) or (self.numbers and node.value is not None)
        ):
            return self.refuse(node, spot, found)
        if re.fullmatch(self.pattern, node.text) is None:
            return self.refuse(node, spot, found)
        try:
            return self.convert(node.text)
        except InterlockError as error:
            found.add(spot, error.what, " ".join(part for part in (self.words, error.why and f"({error.why})") if part))
        except ValueError:
            return self.refuse(node, spot, found)
        return REFUSED

    def schema(self) -> Json:
        text: Json = {"type": "string"}
        if self.pattern != r"(?s).+":
            text = {**text, "pattern": f"^(?:{self.pattern})$"}
        return {**text, "type": ["string", "integer"]} if self.numbers else text


@dataclass(frozen=True, slots=True)
class ToolRef(Shape):
    """The name of a tool. Every use is kept, so that names are resolved as soon as there is a catalogue."""

    words: str = "the name of a tool"
    pattern: ClassVar[str] = r"[A-Za-z0-9_][A-Za-z0-9_./:{}-]{0,199}"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not re.fullmatch(self.pattern, node.text):
            return self.refuse(node, spot, found)
        found.mentions.append((ToolName(node.text), spot))
        return ToolName(node.text)

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


@dataclass(frozen=True, slots=True)
class TierRef(Shape):
    """The name of a model tier. Every use is kept, so that names are resolved as soon as there is a router file."""

    words: str = "the name of a tier"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.text:
            return self.refuse(node, spot, found)
        found.tiers.append((node.text, spot))
        return node.text

    def schema(self) -> Json:
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Whole(Shape):
    """A whole number within bounds."""

    least: int = 0
    most: int = 2**53 - 1

    @property
    def words(self) -> str:  # type: ignore[override]
        if self.most == 2**53 - 1:
            return f"a whole number of at least {self.least}"
        return f"a whole number from {self.least} to {self.most}"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            return self.refuse(node, spot, found)
        return value

    def schema(self) -> Json:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number(Shape):
    """Any finite number."""

    words: str = "a number"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.refuse(node, spot, found)
        return value

    def schema(self) -> Json:
        return {"type": "number"}


@dataclass(frozen=True, slots=True)
class Flag(Shape):
    """True or false."""

    words: str = "true or false"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or not isinstance(node.value, bool):
            near = {"yes": "true", "on": "true", "no": "false", "off": "false"}
            return self.refuse(node, spot, found, near.get(node.text.lower(), "") if isinstance(node, Scalar) else "")
        return node.value

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Constant(Shape):
    """A scalar that stands for itself: text, number or flag."""

    words: str = "a text, a number, true or false"

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if not isinstance(node, Scalar) or node.value is None:
            return self.refuse(node, spot, found)
        return node.value

    def schema(self) -> Json:
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Choice(Shape):
    """One of a few words, each standing for a value."""

    options: Mapping[str, Any]
    numeric: bool = False
    """Whether the words are numbers and are written bare."""

    @property
    def words(self) -> str:  # type: ignore[override]
        names = list(self.options)
        return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        expected = int if self.numeric else str
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or not isinstance(node.value, expected):
            return self.refuse(node, spot, found)
        if node.text not in self.options:
            return self.refuse(node, spot, found, "" if self.numeric else found.near(node.text, self.options))
        return self.options[node.text]

    def schema(self) -> Json:
        return {"enum": [int(name) if self.numeric else name for name in self.options]}
