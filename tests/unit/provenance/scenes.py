"""Runs in a few words, for the tests of provenance."""

import json

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.provenance import (
    FieldKind,
    LeafOrigin,
    Origin,
    OutputFields,
    Provenance,
    Role,
    Source,
    Trust,
    Verdict,
)
from interlock.provenance import Evidence, trace

RECORDS = OutputFields(trust=Trust.TRUSTED)
PROSE = OutputFields()
FILES = OutputFields(default=FieldKind.PROSE, record=("/*/id", "/*/name", "/*/size", "/*/shared_with"))
MAIL = OutputFields(default=FieldKind.PROSE, record=("/*/id", "/*/sender", "/*/recipients"), author=("/*/sender",))
PAYMENTS = OutputFields(trust=Trust.TRUSTED, prose=("/*/subject",), author=("/*/sender",))

SEND = (("/to", Role.RECIPIENT), ("/body", Role.TEXT_OUT))
PAY = (("/to", Role.ACCOUNT), ("/amount", Role.AMOUNT), ("/subject", Role.TEXT_OUT))
DELETE = (("/file_id", Role.FILE),)


def user(text: str) -> Source:
    """A message of the user."""
    return Source(Origin.USER, text)


def me(text: str) -> Source:
    """A fact about the user that the host knows."""
    return Source(Origin.IDENTITY, text)


def answer(
    tool: str, value: Json, output: OutputFields = RECORDS, roles: tuple[tuple[str, Role], ...] = (), **asked: Json
) -> Source:
    """What a tool answered when it was asked `asked`."""
    text = value if isinstance(value, str) else json.dumps(value)
    return Source(Origin.TOOL, text, tool, asked, roles, output)


def call(
    arguments: JsonObject, roles: tuple[tuple[str, Role], ...], *sources: Source, **more: tuple[str, ...]
) -> Provenance:
    """What is found about a call proposed after `sources`."""
    return trace(arguments, roles, Evidence(sources), **more)


def leaf(found: Provenance, pointer: str) -> LeafOrigin:
    """The label of one argument."""
    return next(one for one in found.leaves if one.pointer == pointer)


def stands(found: Provenance) -> bool:
    """Whether the call has support."""
    return found.verdict is Verdict.SUPPORTED
