"""Identifiers: opaque text, made here when the caller did not choose one."""

import re
import secrets
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


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `run_6f1c...`: 128 random bits, never guessed, never reused."""
    return f"{prefix}_{secrets.token_hex(16)}"


def checked_id(text: str, what: str) -> str:
    """Return `text` if it may serve as an identifier that a caller chose, or raise BadInput."""
    if _ID.fullmatch(text) is None:
        raise BadInput(f"The {what} is not usable as an id", do="Use 1 to 200 letters, digits or _ . : @ / # + = -")
    return text
