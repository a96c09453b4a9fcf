"""Hold a reply to the JSON Schema that was asked for, and ask once more when it does not fit (requirement M5)."""

from dataclasses import dataclass, replace

import jsonschema_rs
import orjson

from interlock.domain.canonical import Json
from interlock.domain.errors import BadInput
from interlock.models.dialogue import Message, OutputSchema, Reply, Request, Role, Stop, Text

_MOST_PROBLEMS = 8
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of the output that one request asks for, compiled."""

    validator: jsonschema_rs.Validator | None
    """None: any JSON object will do."""

    def problems(self, reply: Reply) -> tuple[str, ...]:
        """Return what is wrong with `reply`, a sentence each; nothing when it fits, or when it only proposes tool calls."""
        if reply.stop is Stop.TOOLS or (reply.proposals and not reply.text.strip()):
            return ()
        if reply.stop is Stop.LENGTH:
            return ("The reply was cut at its cap on output tokens before the JSON was complete.",)
        if reply.stop in (Stop.REFUSAL, Stop.FILTERED):
            return ()
        try:
            value: Json = orjson.loads(reply.text)
        except orjson.JSONDecodeError as error:
            return (f"The reply is not JSON: {error}.",)
        if self.validator is None:
            return () if isinstance(value, dict) else ("The reply is not a JSON object.",)
        found = []
        for problem in self.validator.iter_errors(value):
            where = "/" + "/".join(str(step) for step in problem.instance_path)
            found.append(f"At {where}: {problem.message}"[:_LONGEST])
            if len(found) == _MOST_PROBLEMS:
                break
        return tuple(found)


def shape_of(output: OutputSchema) -> Shape:
    """Return the shape that a request asks for. Raises BadInput for what is no JSON Schema."""
    if output.schema is None:
        return Shape(None)
    try:
        # No schema of a caller makes Interlock fetch anything.
        return Shape(jsonschema_rs.validator_for(dict(output.schema), retriever=_refuse_to_fetch))
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise BadInput(
            "The JSON Schema of the wanted output cannot be used", why=why[:_LONGEST], do="Mend the schema"
        ) from None


def repaired(request: Request, reply: Reply, problems: tuple[str, ...]) -> Request:
    """Return `request` with the reply that does not fit, and what is wrong with it, told to the model."""
    said = tuple(part for part in reply.parts if isinstance(part, Text) and part.text)
    told = "Your last reply does not have the required JSON shape:\n" + "\n".join(f"- {one}" for one in problems)
    told += "\nReply again with the corrected JSON only."
    messages = (
        *request.messages,
        Message(Role.ASSISTANT, said or (Text("(no text)"),)),
        Message(Role.USER, (Text(told),)),
    )
    return replace(request, messages=messages)


def _refuse_to_fetch(address: str) -> Json:
    raise ValueError(f"a schema may not refer to {address}")
