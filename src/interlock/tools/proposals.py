"""Read a model's proposal of a call, and hold it to the JSON Schema with which somebody bounds such proposals."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import BadInput, InvalidArguments
from interlock.domain.schema_paths import property_names
from interlock.tools.names import nearest
from interlock.tools.schemas import Schema

_APPROVAL = "requires_approval"
_ARGUMENT_KEYS = ("arguments", "args")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call as a model wrote it down."""

    tool: str
    arguments: JsonObject
    constraints: JsonObject = field(default_factory=dict)
    """As they came; `travelling` reads them against the contract."""
    requires_approval: bool = False


def read_proposal(document: Json) -> Proposal:
    """Return the proposal that `document` is: `{"tool", "args"}` or `{"tool", "arguments", "constraints"?}`.

    `requires_approval` may stand beside the arguments. Raises BadInput for any other form and for unknown keys.
    """
    if not isinstance(document, Mapping):
        raise BadInput("A proposal is not a JSON object", do='Send {"tool": ..., "arguments": {...}}')
    given = [key for key in _ARGUMENT_KEYS if key in document]
    tool = document.get("tool")
    if not isinstance(tool, str) or len(given) != 1 or not isinstance(document[given[0]], Mapping):
        raise BadInput(
            "The proposal cannot be read",
            why="it needs a tool's name and one object of arguments",
            do='Send {"tool": ..., "arguments": {...}}',
        )
    known = {"tool", given[0], "constraints", _APPROVAL}
    for key in document:
        if key not in known:
            close = nearest(str(key), known)
            raise BadInput(
                f"The proposal has an unknown key '{str(key)[:60]}'", do=f"Did you mean '{close}'?" if close else ""
            )
    constraints = document.get("constraints", {})
    if not isinstance(constraints, Mapping):
        raise BadInput("The constraints of the proposal are not an object", do='Send {"max_amount_usd": 50}')
    return Proposal(tool, document[given[0]], constraints, _flag(document.get(_APPROVAL, False)))


def settle_approval(proposal: Proposal, contract: ToolContract) -> Proposal:
    """Return `proposal` with a `requires_approval` among its arguments moved out, unless the tool has such an argument.

    True forces an approval; False never lifts one.
    """
    if _APPROVAL not in proposal.arguments or _APPROVAL in property_names(contract.input_schema):
        return proposal
    rest = {name: value for name, value in proposal.arguments.items() if name != _APPROVAL}
    asked = _flag(proposal.arguments[_APPROVAL])
    return dataclasses.replace(proposal, arguments=rest, requires_approval=asked or proposal.requires_approval)


class ProposalSchema:
    """A JSON Schema of `{"tool", "args"}` (or `{"tool", "arguments"}`) that every proposal of an agent must satisfy."""

    def __init__(self, schema: JsonObject, source: str) -> None:
        """Compile `schema`; `source` names the file in messages. Raises ConfigurationError when it cannot be used."""
        self._schema = Schema(schema, source)
        self._source = source
        self._key = "arguments" if "arguments" in property_names(schema) else "args"

    def check(self, tool: str, arguments: JsonObject) -> None:
        """Raise InvalidArguments unless a call of `tool` with `arguments` satisfies the schema."""
        problems = self._schema.problems({"tool": tool, self._key: dict(arguments)})
        if problems:
            raise InvalidArguments(
                f"The proposal to call '{tool[:100]}' does not fit {self._source}",
                why="; ".join(map(str, problems)),
                do="Propose a call that it permits",
            )


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"'{_APPROVAL}' is neither true nor false")
    return value
