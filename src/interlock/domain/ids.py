"""Identifiers: opaque text, made here when the caller did not choose one."""

import os
import re
import threading
from typing import NewType

from interlock.domain.errors import BadInput

TenantId = NewType("TenantId", str)
AgentId = NewType("AgentId", str)
UserId = NewType("UserId", str)
"""The person on whose behalf a run acts."""
PrincipalId = NewType("PrincipalId", str)
"""Who is calling Interlock: a person or a service that holds a key."""
RunId = NewType("RunId", str)
CallId = NewType("CallId", str)
"""Chosen by the caller; unique within its run. One call id has one outcome, for ever."""
ApprovalId = NewType("ApprovalId", str)
ToolName = NewType("ToolName", str)
ModelCallId = NewType("ModelCallId", str)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/#+=-]{0,199}", re.ASCII)


class _Randomness:
    """Random bytes of the operating system, fetched a block at a time: a system call for each id is dear."""

    def __init__(self) -> None:
        self._block = b""
        self._position = 0
        self._lock = threading.Lock()

    def take(self, length: int) -> bytes:
        """Return bytes that were never handed out before, to any thread."""
        with self._lock:
            end = self._position + length
            if end > len(self._block):
                self._block, self._position, end = os.urandom(max(_BLOCK, length)), 0, length
            start, self._position = self._position, end
            return self._block[start:end]

    def forget(self) -> None:
        """Start anew: a forked child must not hand out what its parent does."""
        self.__init__()  # type: ignore[misc]


_BLOCK = 4096
_randomness = _Randomness()
os.register_at_fork(after_in_child=_randomness.forget)


def random_bytes(length: int) -> bytes:
    """Return `length` bytes that nobody can guess."""
    return _randomness.take(length)


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `run_6f1c...`: 128 random bits, never guessed, never reused."""
    return f"{prefix}_{_randomness.take(16).hex()}"


def checked_id(text: str, what: str) -> str:
    """Return `text` if it may serve as an identifier that a caller chose, or raise BadInput."""
    if _ID.fullmatch(text) is None:
        raise BadInput(f"The {what} is not usable as an id", do="Use 1 to 200 letters, digits or _ . : @ / # + = -")
    return text
