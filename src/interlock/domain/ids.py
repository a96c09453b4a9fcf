"""Identifiers: opaque text, made here when the caller did not choose one."""

import os
import re
from collections import deque
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


_random: deque[bytes] = deque()
"""Random bytes of the operating system, sixteen at a time, fetched in blocks: a system call for each id is dear."""
_SIXTEEN, _BLOCK = 16, 4096
os.register_at_fork(after_in_child=_random.clear)  # a child must not hand out what its parent does


def random_bytes(length: int) -> bytes:
    """Return `length` bytes, a multiple of 16, that nobody can guess and that were never handed out, to any thread."""
    return b"".join([_sixteen() for _ in range(length // _SIXTEEN)])


def _sixteen() -> bytes:
    try:
        # One step for the interpreter, so that no two threads get the same.
        return _random.pop()
    except IndexError:
        block = os.urandom(_BLOCK)
        _random.extend(block[start : start + _SIXTEEN] for start in range(_SIXTEEN, _BLOCK, _SIXTEEN))
        return block[:_SIXTEEN]


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `run_6f1c...`: 128 random bits, never guessed, never reused."""
    return f"{prefix}_{_sixteen().hex()}"


def ordered_id(prefix: str, now: int) -> str:
    """Return a fresh identifier that sorts by `now` (milliseconds since the epoch), with 80 random bits behind it.

    For rows that come by the thousand: an index grows at its end, which costs a fraction of growing everywhere.
    """
    return f"{prefix}_{now:012x}{_sixteen()[:10].hex()}"


def checked_id(text: str, what: str) -> str:
    """Return `text` if it may serve as an identifier that a caller chose, or raise BadInput."""
    if _ID.fullmatch(text) is None:
        raise BadInput(f"The {what} is not usable as an id", do="Use 1 to 200 letters, digits or _ . : @ / # + = -")
    return text
