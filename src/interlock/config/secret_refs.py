"""Secrets are named in files and never stand in them."""

import re
from collections.abc import Iterator

from interlock.config.nodes import Node, Scalar, Series, Table
from interlock.config.problems import Findings, looks_secret
from interlock.config.shapes import REFUSED, Read, Shape, spot_of
from interlock.domain.canonical import Json
from interlock.domain.problems import Spot

_REFERENCE = r"env:[A-Za-z_][A-Za-z0-9_]{0,199}|file:.{1,1000}|keyring:[^/\s]{1,200}/[^\s]{1,200}"
_EXPECTED = "a reference: env:NAME, file:PATH or keyring:SERVICE/NAME"


class _Credential(Shape):
    """A reference to a secret. What stands there instead may be the secret, so no message repeats it."""

    words = _EXPECTED

    def read(self, node: Node, spot: Spot, found: Findings) -> Read:
        if isinstance(node, Scalar) and isinstance(node.value, str) and re.fullmatch(_REFERENCE, node.text):
            return node.text
        found.add(spot, "This is not a reference to a secret", self.words)
        return REFUSED

    def schema(self) -> Json:
        return {"type": "string", "pattern": f"^(?:{_REFERENCE})$"}


CREDENTIAL = _Credential()


def refuse_literals(tree: Node, file: str, found: Findings) -> None:
    """Note every text under `tree` that has the shape of a secret; the message does not repeat it."""
    for scalar in _scalars(tree):
        if looks_secret(scalar.text):
            found.add(
                spot_of(scalar, file, ""), "This looks like a secret, and secrets do not stand in files", _EXPECTED
            )


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Series():
            for item in node.items:
                yield from _scalars(item)
        case Table():
            for key, value in node.entries:
                yield key
                yield from _scalars(value)
