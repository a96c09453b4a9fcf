"""DuckDB in memory, held to one folder: no extension is loaded, no other file or address is touched."""

import contextlib
import importlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    # An extra, and heavy: it is loaded when it is used first.
    import duckdb

MEMORY = "512MB"
THREADS = 2


def installed() -> bool:
    """Return whether DuckDB is there, without loading it."""
    return importlib.util.find_spec("duckdb") is not None


def driver() -> Any:  # noqa: ANN401 - a module
    """Return DuckDB's module."""
    return importlib.import_module("duckdb")


def quoted(text: str | Path) -> str:
    """Return `text` as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def listed(paths: list[Path]) -> str:
    """Return the paths as a list of SQL."""
    return "[" + ", ".join(map(quoted, paths)) + "]"


@contextlib.contextmanager
def database() -> Iterator["duckdb.DuckDBPyConnection"]:
    """Yield a database that knows what is built in and stores nothing. Raises StoreUnavailable for what it cannot do."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": "",
        "preserve_insertion_order": False,
    }
    try:
        with contextlib.closing(driver().connect(":memory:", config=settings)) as connection:
            yield connection
    except driver().Error as error:
        raise StoreUnavailable(
            "The archive cannot be read or written",
            why=said(error),
            do="Check the disk and the files below the folder that traces.archive names",
        ) from None


def said(error: Exception) -> str:
    """Return the first line of what DuckDB says: what follows repeats the query."""
    return str(error).partition("\n")[0][:500]


@contextlib.contextmanager
def at_most(seconds: float, connection: "duckdb.DuckDBPyConnection") -> Iterator[None]:
    """Interrupt what the connection does when it takes longer."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def lock(connection: "duckdb.DuckDBPyConnection", folder: Path) -> None:
    """Let what follows read `folder` and nothing else. There is no way back."""
    connection.execute(f"SET allowed_directories = [{quoted(f'{folder}/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
