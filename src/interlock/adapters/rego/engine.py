"""One compiled entry point of rego-cpp, with the traps of that engine closed."""

import json
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from regopy import Input, Interpreter, LogLevel, RegoError

from interlock.domain.canonical import Json
from interlock.domain.errors import ConfigurationError, PolicyError

UNDEFINED = object()
"""What a query gives when the rules say nothing: neither true nor false."""
_DEEPEST = 66


class Entrypoint:
    """A compiled query. Safe to ask from several threads."""

    def __init__(self, modules: Iterable[tuple[str, str]], path: str, data: Json = None) -> None:
        """Compile `modules` (name, source). Raises ConfigurationError when they do not parse."""
        self._path = path
        self._lock = threading.Lock()
        self._interpreter = Interpreter()
        self._interpreter.log_level = LogLevel.NONE
        # Without this a failing built-in is silently undefined, and a rule that denies would be skipped.
        self._interpreter.strict_built_in_errors = True
        try:
            if data is not None:
                self._interpreter.add_data_json(json.dumps(data, ensure_ascii=False))
            for name, source in modules:
                self._interpreter.add_module(name, source)
            self._bundle = self._interpreter.build(None, [path])
        except (RegoError, ValueError) as error:
            raise ConfigurationError("The Rego text does not compile", why=_message(error)) from None

    def ask(self, document: Input) -> str:
        """Return the answer as JSON text, or "undefined". Raises PolicyError when the engine errs."""
        with self._lock:
            try:
                self._interpreter.set_input(document)
                output = self._interpreter.query_bundle_entrypoint(self._bundle, self._path)
                if not output.ok():
                    raise PolicyError("The Rego rules ended in an error")
                return str(output)
            except (RegoError, ValueError) as error:
                raise PolicyError("The Rego rules ended in an error", why=type(error).__name__) from None

    def value(self, document: Input) -> Any:  # noqa: ANN401 - whatever the rules made
        """Return the answer, or UNDEFINED. Raises PolicyError when the engine errs."""
        answer = self.ask(document)
        if answer == "undefined":
            return UNDEFINED
        try:
            expressions = json.loads(answer)["expressions"]
            return expressions[0] if len(expressions) == 1 else UNDEFINED
        except (ValueError, KeyError, TypeError, IndexError):
            raise PolicyError("The Rego rules gave an answer that cannot be read") from None


def as_input(value: Json) -> Input:
    """Return `value` in the form that rego-cpp compares by: it keeps texts as JSON spells them."""
    return Input(_spelt(value, 0))


def is_plain(value: Json) -> bool:
    """Return whether every text in `value` is spelt as it is, so that functions over text see what the tool will see."""
    if isinstance(value, str):
        return _escaped(value) == value
    if isinstance(value, Mapping):
        return all(is_plain(key) and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return True


def _spelt(value: Json, depth: int) -> Json:
    if depth > _DEEPEST:
        raise PolicyError("The value is nested too deeply for Rego")
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return {_escaped(key): _spelt(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(inner, depth + 1) for inner in value]
    return value


def _escaped(text: str) -> str:
    if text.isalnum():
        return text
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _message(error: Exception) -> str:
    """Return the engine's own sentence out of the tree that it prints."""
    text = str(error)
    start = text.find("(errormsg ")
    if start < 0:
        return "it is not Rego"
    return text[start:].split(":", 1)[-1].split(")", 1)[0]
