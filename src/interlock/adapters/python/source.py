"""Find the decorated functions of a module."""

import importlib
from types import ModuleType
from typing import Any

from interlock.adapters.python.decorator import PythonTool
from interlock.domain.errors import ConfigurationError
from interlock.tools.offers import Offer


def load_module(name: str, connection: str) -> ModuleType:
    """Import the module that the configuration names. Raises ConfigurationError when it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a module may fail in any way while it is imported
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"The module '{name}' of the connection '{connection}' cannot be imported",
            why=f"{type(error).__name__}: {error}"[:300],
            do="Run 'python -c \"import " + name + "\"' in the environment of Interlock",
        ) from None


def tools_of(module: ModuleType) -> tuple[PythonTool[Any, Any], ...]:
    """Return the tools that `module` defines or imports, by name."""
    found = {id(value): value for value in vars(module).values() if isinstance(value, PythonTool)}
    return tuple(sorted(found.values(), key=lambda each: each.name))


class PythonSource:
    """The tools of one connection, as offers."""

    def __init__(self, connection: str, tools: tuple[PythonTool[Any, Any], ...]) -> None:
        """Offer `tools` as `connection`. Raises ConfigurationError when there are none, or two of one name."""
        names = [each.name for each in tools]
        double = next((name for name in names if names.count(name) > 1), None)
        if not tools or double:
            problem = f"has two tools called '{double}'" if double else "has no decorated function"
            raise ConfigurationError(f"The connection '{connection}' {problem}", do="Decorate functions with @tool")
        self._connection = connection
        self._offers = tuple(each.offer(connection) for each in tools)

    @property
    def name(self) -> str:
        """The connection's name in the configuration."""
        return self._connection

    async def offers(self) -> tuple[Offer, ...]:
        """Return every tool."""
        return self._offers
