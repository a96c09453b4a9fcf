"""Hold arguments and results to a contract's JSON Schemas, and say in a sentence what does not fit."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import jsonschema_rs

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import ToolContract
from interlock.domain.errors import ConfigurationError, InvalidArguments
from interlock.domain.pointers import build
from interlock.domain.schema_paths import property_names
from interlock.tools.names import nearest

_MOST_PROBLEMS = 5
_LONGEST = 60
# Patterns come from upstreams: one that needs more steps back than this does not match, and the value is refused.
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)


@dataclass(frozen=True, slots=True)
class Problem:
    """One way in which a value does not fit. It never holds the value itself, which may be a secret."""

    pointer: str
    expected: str

    def __str__(self) -> str:
        return f"{self.pointer or 'the whole'} {self.expected}"


class Schema:
    """A compiled JSON Schema."""

    def __init__(self, schema: JsonObject, what: str) -> None:
        """Compile `schema`, draft 2020-12 unless it names another; `what` says in messages whose it is.

        Raises ConfigurationError when it is no valid schema or refers to anything outside itself: nothing is fetched.
        """
        self._schema = schema
        try:
            self._validator = jsonschema_rs.validator_for(
                dict(schema), validate_formats=True, offline=True, pattern_options=_PATTERNS
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            message = str(getattr(error, "message", error))
            raise ConfigurationError(
                f"The schema of {what} cannot be used", why=_shortened(message, 300), do="Mend it at the upstream"
            ) from None

    def fits(self, value: Json) -> bool:
        """Return whether `value` satisfies the schema; a value that is not JSON does not."""
        try:
            return self._validator.is_valid(value)
        except ValueError:
            return False

    def problems(self, value: Json) -> tuple[Problem, ...]:
        """Return what does not fit, at most five problems; none means that `value` satisfies the schema."""
        if self.fits(value):
            return ()
        try:
            found = tuple(islice(self._describe(value), _MOST_PROBLEMS))
        except ValueError:
            found = ()
        return found or (Problem("", "is not JSON"),)

    def _describe(self, value: Json) -> Iterator[Problem]:
        for error in self._validator.iter_errors(value):
            yield Problem(build(error.instance_path), _expected(self._schema, error))


@dataclass(frozen=True, slots=True)
class ContractSchemas:
    """The compiled schemas of one contract."""

    arguments: Schema
    result: Schema | None

    def check_arguments(self, arguments: JsonObject, tool: str) -> None:
        """Raise InvalidArguments, naming pointer and expectation but no value, unless `arguments` fit."""
        problems = self.arguments.problems(arguments)
        if problems:
            raise InvalidArguments(
                f"The arguments do not fit the contract of '{tool}'",
                why="; ".join(map(str, problems)),
                do="Correct them and propose the call again",
            )


class CompiledSchemas:
    """The compiled schemas of contracts, each compiled at its first use and kept as long as the contract is known."""

    def __init__(self) -> None:
        self._known: dict[str, ContractSchemas] = {}

    def of(self, contract: ToolContract) -> ContractSchemas:
        """Return both schemas of `contract`. Raises ConfigurationError when one of them is no usable schema."""
        known = self._known.get(contract.hash)
        if known is None:
            known = compile_schemas(contract)
            self._known[contract.hash] = known
        return known

    def keep(self, hashes: frozenset[str]) -> None:
        """Forget the schemas of every contract whose hash is not among `hashes`."""
        self._known = {hash_: schemas for hash_, schemas in self._known.items() if hash_ in hashes}


def compile_schemas(contract: ToolContract) -> ContractSchemas:
    """Return the compiled schemas of `contract`. Raises ConfigurationError when one of them is no usable schema."""
    arguments = Schema(contract.input_schema, f"the arguments of '{contract.name}'")
    if contract.output_schema is None:
        return ContractSchemas(arguments, None)
    return ContractSchemas(arguments, Schema(contract.output_schema, f"the result of '{contract.name}'"))


def _expected(schema: JsonObject, error: jsonschema_rs.ValidationError) -> str:
    sentence = _SENTENCES.get(error.kind.name)
    if sentence is not None:
        return sentence(error.kind.as_dict())
    if error.kind.name in {"additionalProperties", "unevaluatedProperties"}:
        return _unexpected(schema, error)
    return f"breaks the rule '{_shortened(error.kind.name, _LONGEST)}' of the schema"


def _unexpected(schema: JsonObject, error: jsonschema_rs.ValidationError) -> str:
    extra = [str(name) for name in error.kind.as_dict().get("unexpected", ())]
    known = property_names(schema, build(["*" if isinstance(step, int) else step for step in error.instance_path]))
    close = nearest(extra[0], known) if extra else None
    names = ", ".join(f"'{_shortened(name, _LONGEST)}'" for name in extra[:3])
    hint = f" (did you mean '{close}'?)" if close else f" (known are {_listed(known)})" if known else ""
    return f"may not have {names}{hint}"


def _listed(values: object, most: int = 12) -> str:
    items = [str(value) for value in values] if isinstance(values, list | tuple) else [str(values)]
    shown = ", ".join(_shortened(item, _LONGEST) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def _shortened(text: str, most: int) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


_Facts = Mapping[str, Json]
_SENTENCES: dict[str, Callable[[_Facts], str]] = {
    "type": lambda facts: f"must be {' or '.join(facts['types'])}",
    "required": lambda facts: f"lacks '{_shortened(str(facts['property']), _LONGEST)}'",
    "enum": lambda facts: f"must be one of {_listed(facts['options'])}",
    "const": lambda facts: f"must be {_listed([facts['expected_value']])}",
    "maximum": lambda facts: f"must be at most {facts['limit']}",
    "minimum": lambda facts: f"must be at least {facts['limit']}",
    "exclusiveMaximum": lambda facts: f"must be below {facts['limit']}",
    "exclusiveMinimum": lambda facts: f"must be above {facts['limit']}",
    "multipleOf": lambda facts: f"must be a multiple of {facts['multiple_of']}",
    "maxLength": lambda facts: f"must have at most {facts['limit']} characters",
    "minLength": lambda facts: f"must have at least {facts['limit']} characters",
    "maxItems": lambda facts: f"must have at most {facts['limit']} elements",
    "minItems": lambda facts: f"must have at least {facts['limit']} elements",
    "uniqueItems": lambda _: "must not hold the same element twice",
    "pattern": lambda facts: f"must match {_shortened(str(facts.get('pattern', 'its pattern')), _LONGEST)}",
    "format": lambda facts: f"must have the format {_shortened(str(facts['format']), _LONGEST)}",
    "anyOf": lambda _: "has none of the forms that the schema allows",
    "oneOf": lambda _: "does not have exactly one of the forms that the schema allows",
    "not": lambda _: "has a form that the schema excludes",
    "falseSchema": lambda _: "may not be there",
}
