"""What a client may say in `_meta` besides the call: its run, the user's instruction, its own name for the call."""

from dataclasses import dataclass

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import BadInput

RUN = "interlock.dev/run"
"""Id of the run, of the caller's own choice; opened when there is none of this id yet."""
INSTRUCTION = "interlock.dev/instruction"
"""What the user asked for. Trusted, so it is for the program around the model to send, and models cannot."""
SYSTEM = "interlock.dev/system"
"""The agent's own instructions; read when the run is opened."""
USER = "interlock.dev/user"
"""On whose behalf the run acts; read when the run is opened."""
IDENTITY = "interlock.dev/identity"
"""What is known of the user (an object: name, e-mail, account ids); read when the run is opened."""
CALL_ID = "interlock.dev/call-id"
"""The caller's name for the call: the same id again returns the same outcome and never a second effect."""
REASON = "interlock.dev/reason"
PROPOSAL = "interlock.dev/proposal"
"""Id of the tool call in the model reply that proposed this."""
CONSTRAINTS = "interlock.dev/constraints"
"""Bounds that travel with the call, such as `{"max_amount_usd": 50}`."""
REQUIRES_APPROVAL = "interlock.dev/requires-approval"
DRY_RUN = "interlock.dev/dry-run"

STATUS = "interlock.dev/status"
"""In results: what became of the call."""
APPROVAL = "interlock.dev/approval"
"""In results: the approval that the call waits for."""

_PREFIX = "interlock.dev/"
_TEXTS = frozenset({RUN, INSTRUCTION, SYSTEM, USER, CALL_ID, REASON, PROPOSAL})
_FLAGS = frozenset({REQUIRES_APPROVAL, DRY_RUN})
_OBJECTS = frozenset({IDENTITY, CONSTRAINTS})


@dataclass(frozen=True, slots=True)
class Said:
    """The entries of `_meta` that are ours, checked."""

    entries: JsonObject

    def text(self, key: str) -> str | None:
        """Return a text entry, or None."""
        found: str | None = self.entries.get(key)
        return found

    def flag(self, key: str) -> bool:
        """Return a true-or-false entry; False when it is not there."""
        return self.entries.get(key) is True

    def mapping(self, key: str) -> JsonObject | None:
        """Return an object entry, or None."""
        found: JsonObject | None = self.entries.get(key)
        return found


NOTHING = Said({})


def said(meta: Json) -> Said:
    """Return our entries of `meta`. Raises BadInput for an unknown one or a wrong type: a control is never ignored."""
    if meta is None:
        return NOTHING
    if not isinstance(meta, dict):
        raise BadInput("_meta is not an object")
    ours = {key: value for key, value in meta.items() if key.startswith(_PREFIX)}
    if not ours:
        return NOTHING
    for key, value in ours.items():
        if key in _TEXTS:
            fits, wanted = isinstance(value, str), "text"
        elif key in _FLAGS:
            fits, wanted = isinstance(value, bool), "true or false"
        elif key in _OBJECTS:
            fits, wanted = isinstance(value, dict), "an object"
        else:
            known = ", ".join(sorted(_TEXTS | _FLAGS | _OBJECTS))
            raise BadInput(f"_meta has an unknown entry {key[:80]}", do=f"The entries are {known}")
        if not fits:
            raise BadInput(f"The _meta entry {key} is not {wanted}")
    return Said(ours)
