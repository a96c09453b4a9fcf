"""Tokens of texts: by OpenAI's own vocabularies where the extra `tokens` is installed, else by an estimate that is high."""

import importlib.machinery
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

_WRAPPING = 32
"""Tokens that formats put around even the shortest request."""
_CL100K = ("gpt-3.5", "gpt-4-", "gpt-4", "gpt-35", "text-embedding-")
_O200K = ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-6", "gpt-oss", "chatgpt", "codex", "o1", "o3", "o4")
_OTHER_MAKERS = (7, 5)
"""Other makers' vocabularies cut finer: Claude's make up to 1.35 tokens of one of OpenAI's."""


class Counter(Protocol):
    """Counts tokens of texts."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def count(self, text: str, model: str) -> int:
        """Return how many tokens `text` is for `model`."""

    def method(self, model: str) -> str:
        """Return what a record says about how tokens of `model` were counted."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts from the length of a text alone: three tokens for eight bytes of ASCII, three for four of other bytes.

    Prose, code and JSON have fewer. Keys, hashes and base64 have more: up to three for four bytes.
    """

    name: str = "estimate"
    version: str = "1"

    def count(self, text: str, model: str) -> int:  # noqa: ARG002 - the same for every model
        """Return a number of tokens that texts with words do not have for any `model`."""
        if text.isascii():
            return -(-3 * len(text) // 8)
        size, plain = len(text.encode("utf-8", "surrogatepass")), len(text.encode("ascii", "ignore"))
        return -(-3 * (plain + 2 * (size - plain)) // 8)

    def method(self, model: str) -> str:  # noqa: ARG002 - the same for every model
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """Counts by OpenAI's vocabularies, which the package bpe-openai carries. Exact for OpenAI's models; for those of
    others, the same and two fifths more.

    A vocabulary is made at its first use: a tenth of a second, 65 MB.
    """

    version: str
    _encoding: Callable[[str], "_Encoding"]
    _read: dict[str, "_Encoding"] = field(default_factory=dict)
    name: str = "bpe-openai"

    def count(self, text: str, model: str) -> int:
        vocabulary, exact = _vocabulary(model)
        if vocabulary not in self._read:
            self._read[vocabulary] = self._encoding(vocabulary)
        # A lone half of a surrogate pair is no text; what replaces it has no fewer tokens.
        total = self._read[vocabulary].count(text.encode("utf-8", "replace").decode())
        more, of = _OTHER_MAKERS
        return total if exact else -(-total * more // of)

    def method(self, model: str) -> str:
        vocabulary, exact = _vocabulary(model)
        more, of = _OTHER_MAKERS
        return f"{self.name} {self.version} {vocabulary}{'' if exact else f' x {more}/{of}'}"


class _Encoding(Protocol):
    def count(self, text: str) -> int: ...


def _vocabulary(model: str) -> tuple[str, bool]:
    """Return the vocabulary to count `model` with, and whether it is the model's own."""
    plain = model.lower().removeprefix("ft:").rsplit("/", 1)[-1].removeprefix("openai.")
    if plain.startswith(_O200K):
        return "o200k_base", True
    if plain.startswith(_CL100K):
        return "cl100k_base", True
    return "o200k_base", False


def counter() -> Counter:
    """Return the best counter that is installed. A vocabulary is not read before it is needed."""
    package = importlib.util.find_spec("bpe_openai")
    if package is None or package.submodule_search_locations is None:
        return Estimate()
    # Importing the package would read every vocabulary into tables of its own: a second and 70 MB for nothing.
    compiled = importlib.machinery.PathFinder.find_spec("_bindings", package.submodule_search_locations)
    if compiled is None or compiled.loader is None:
        return Estimate()
    bindings = importlib.util.module_from_spec(compiled)
    compiled.loader.exec_module(bindings)
    return Vocabularies(importlib.metadata.version("bpe-openai"), bindings.tokenizer_for_encoding)


def likely(body_bytes: int, image_tokens: int = 0) -> int:
    """Return about a third of the bytes: still half again what conversations with tools have, though no bound.

    For reservations: what a provider charges beyond it is taken when the call is settled.
    """
    return -(-body_bytes // 3) + _WRAPPING + image_tokens
