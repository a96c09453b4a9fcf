"""Read the signature of a function as JSON Schemas, and convert JSON to its parameters and its result back."""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NewType

import pydantic
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError

Credential = NewType("Credential", str)
"""Annotate a parameter with it to be given the tool's secret; the model never sees it."""
IdempotencyKey = NewType("IdempotencyKey", str)
"""Annotate a parameter with it to be given the call's key, the same for every attempt; the model never sees it."""

_INJECTED = (Credential, IdempotencyKey)
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Example|Examples|Note):\s*$")
_GOOGLE = re.compile(r"^\s+\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.+)$")
_SPHINX = re.compile(r"^\s*:param (?:[^:]* )?(\w+):\s*(.+)$")


class _Untitled(GenerateJsonSchema):
    """JSON Schemas without titles that only repeat the name of a field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        return False


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's parameters and result as schemas, with converters both ways."""

    input_schema: JsonObject
    output_schema: JsonObject | None
    description: str
    credential: str | None
    """The parameter that takes the secret."""
    key: str | None
    """The parameter that takes the idempotency key."""
    names: Mapping[str, str]
    """Parameter by field of `model`."""
    model: type[pydantic.BaseModel]
    result: "pydantic.TypeAdapter[Any]"

    def bind(self, arguments: JsonObject) -> dict[str, Any]:
        """Return keyword arguments for the function. Raises ValueError when `arguments` do not fit."""
        bound = self.model.model_validate(arguments)
        return {name: getattr(bound, field) for field, name in self.names.items() if field in bound.model_fields_set}

    def render(self, value: object) -> Json:
        """Return the function's result as JSON. Raises ValueError when it is not of the declared type."""
        return self.result.dump_python(self.result.validate_python(value), mode="json")


def read_signature(function: Callable[..., Any]) -> Signature:
    """Return the signature of `function` as schemas.

    Raises ConfigurationError, naming function and parameter, for a parameter without type, `*args`, `**kwargs`,
    positional-only parameters, and types that have no JSON form.
    """
    where = f"{function.__module__}.{function.__qualname__}"
    hints = _hints(function, where)
    summary, words = _documented(inspect.getdoc(function) or "")
    injected: dict[Any, str] = {}
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise _unsupported(where, name, "it cannot be given by name")
        if name not in hints:
            raise _unsupported(where, name, "it has no type")
        if hints[name] in _INJECTED:
            injected[hints[name]] = name
            continue
        # Fields are numbered, so that no parameter name can clash with a name of the model class.
        field = f"p{len(fields)}"
        fields[field] = (hints[name], _field(name, parameter, hints[name], words.get(name)))
        names[field] = name
    model, schema = _model(function.__name__, fields, where)
    result, output = _result(hints.get("return", Any), where)
    return Signature(
        schema, output, summary, injected.get(Credential), injected.get(IdempotencyKey), names, model, result
    )


def _hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigurationError(
            f"The types of the tool {where} cannot be read", why=str(error), do="Import what its annotations name"
        ) from None


def _field(name: str, parameter: inspect.Parameter, hint: Any, words: str | None) -> FieldInfo:  # noqa: ANN401
    said = words
    if typing.get_origin(hint) is Annotated:
        said = next((extra for extra in typing.get_args(hint)[1:] if isinstance(extra, str)), words)
    default = ... if parameter.default is parameter.empty else parameter.default
    # A description in a Field of the annotation wins: None here leaves it alone.
    given: dict[str, Any] = {"description": said} if said else {}
    info: FieldInfo = pydantic.Field(default, alias=name, **given)
    return info


def _model(name: str, fields: dict[str, Any], where: str) -> tuple[type[pydantic.BaseModel], JsonObject]:
    config = pydantic.ConfigDict(extra="forbid")
    try:
        model = pydantic.create_model(name, __config__=config, **fields)
        schema = model.model_json_schema(schema_generator=_Untitled)
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation, TypeError) as error:
        raise _unsupported(where, None, str(error).partition("\n")[0]) from None
    return model, {key: value for key, value in schema.items() if key != "title"}


def _result(hint: Any, where: str) -> tuple["pydantic.TypeAdapter[Any]", JsonObject | None]:  # noqa: ANN401
    actual = Any if hint in (None, type(None)) else hint
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(actual)
        schema = adapter.json_schema(mode="serialization", schema_generator=_Untitled)
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticUndefinedAnnotation, TypeError) as error:
        raise _unsupported(where, "return", str(error).partition("\n")[0]) from None
    return adapter, (schema or None)


def _unsupported(where: str, name: str | None, why: str) -> ConfigurationError:
    subject = f"The result of the tool {where}" if name == "return" else f"The tool {where}"
    place = "" if name in (None, "return") else f": its parameter '{name}'"
    return ConfigurationError(
        f"{subject}{place} cannot be described in JSON",
        why=why,
        do="Use str, int, float, bool, Literal, Enum, list, dict, dataclasses, TypedDict or pydantic models",
    )


def _documented(docstring: str) -> tuple[str, dict[str, str]]:
    """Return the docstring without its section on parameters, and what that section says of each."""
    words: dict[str, str] = {}
    kept: list[str] = []
    section = ""
    for line in docstring.splitlines():
        heading = _SECTION.match(line)
        sphinx = _SPHINX.match(line)
        if heading:
            section = heading[1]
        elif section and line.strip() and not line[:1].isspace():
            section = ""
        listed = _GOOGLE.match(line) if section in {"Args", "Arguments", "Parameters"} else None
        found = sphinx or listed
        if found:
            words[found[1]] = found[2].strip()
        elif not section and not line.strip().startswith((":param", ":return", ":raises", ":rtype", ":type")):
            kept.append(line)
    return "\n".join(kept).strip(), words
