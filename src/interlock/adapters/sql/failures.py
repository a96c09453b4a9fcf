"""What a database's errors mean for the caller. A driver's own words may carry data and are never passed on."""

import sqlite3
from typing import Any

from interlock.domain.errors import BadInput, InterlockError, StoreUnavailable

_RESULT_CODE = 0xFF
"""SQLite's extended codes carry the primary one in the lowest byte."""

_SQLITE = {
    sqlite3.SQLITE_BUSY: ("another program holds its lock", "Find what else has the file open, then try again"),
    sqlite3.SQLITE_LOCKED: ("another connection holds its lock", "Try again"),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space; nothing else is needed"),
    sqlite3.SQLITE_READONLY: ("it may not be written", "Check the rights on the file and its folder"),
    sqlite3.SQLITE_PERM: ("it may not be opened", "Check the rights on the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "Check that the folder exists and who may use it"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "Stop all writers, keep a copy, and restore a backup"),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", "Check the path in the store's address"),
    sqlite3.SQLITE_IOERR: ("the disk failed to read or write", "Check the disk and the system's log"),
}

_POSTGRES = {
    "08": ("the connection failed", "Check that the server runs and can be reached"),
    "25006": ("it is read-only", "Point the store at the primary server"),
    "28": ("it refused the login", "Check user and password in the store's address"),
    "3D": ("there is no such database", "Create it, or correct the store's address"),
    "40": ("other transactions were in the way too often", "Try again"),
    "53100": ("its disk is full", "Free some space on the server"),
    "53300": ("it has no connections left", "Raise max_connections, or lower the store's pool"),
    "53": ("it is out of resources", "Look at the server's load and log"),
    "55P03": ("a lock was not granted in time", "Find the transaction that holds it (pg_locks), then try again"),
    "57": ("it is shutting down or starting", "Try again once it is up"),
    "58": ("its disk failed to read or write", "Check the server's disk and log"),
    "XX": ("it is damaged or met a bug", "Look at the server's log"),
}


def closed_failure() -> StoreUnavailable:
    """Return what a caller gets who comes too late."""
    return StoreUnavailable("The store is closed", do="Start the process again; this one is shutting down")


def sqlite_failure(error: sqlite3.Error) -> StoreUnavailable:
    """Return what `error` means."""
    code = getattr(error, "sqlite_errorcode", None)
    why, do = _SQLITE.get(code & _RESULT_CODE, ("", "")) if code is not None else ("", "")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return _failure("The SQLite database did not take it", why, do, name)


def postgres_failure(error: BaseException) -> InterlockError:
    """Return what `error`, raised by the driver or the pool, means."""
    state = sqlstate(error)
    if state.startswith("22") or type(error).__name__ == "DataError":
        return BadInput(
            "A value cannot be recorded",
            why="it holds a null character, or a number beyond 64 bits",
            do="Send texts without null characters and smaller numbers",
        )
    known = next((words for code, words in _POSTGRES.items() if state.startswith(code)), None)
    # Errors without a state come from the connection: nobody answered.
    why, do = known or (_POSTGRES["08"] if not state else ("", ""))
    return _failure("The PostgreSQL database did not take it", why, do, state or type(error).__name__)


def sqlstate(error: BaseException) -> str:
    """Return the SQL state of a driver's error, also when the pool has wrapped it; empty where there is none."""
    inner: Any = getattr(error, "orig", None) or error
    return getattr(inner, "sqlstate", None) or ""


def _failure(what: str, why: str, do: str, code: str) -> StoreUnavailable:
    reason = f"{why} ({code})" if why else f"it answered {code}"
    return StoreUnavailable(what, why=reason, do=do or "Look at the log of the database; nothing was recorded")
