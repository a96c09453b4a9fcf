"""Compile and ask CEL conditions. Numbers of the call are doubles, however the caller spelt them."""

from collections.abc import Mapping
from typing import Any

import cel

from interlock.domain.agents import Engine, Rule
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.conditions import SUBJECTS, Token, TokenKind, references, tokens
from interlock.domain.errors import PolicyError
from interlock.policy.naming import refuse_unknown_names, wrong
from interlock.policy.ports import Condition, ConditionEngine, Document

FUNCTIONS = frozenset(
    {
        "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
        "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "has",
        "int", "matches", "size", "startsWith", "string", "timestamp", "type", "uint",
    }
)  # fmt: skip
"""The functions that a condition may call; an unknown one would only fail when it is reached."""
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_ARITHMETIC = frozenset("+-*/%")


class CelConditions(ConditionEngine):
    """The language `cel`."""

    def compile(self, rule: Rule, arguments: JsonObject | None) -> Condition:
        try:
            program = cel.compile(rule.condition)
        except ValueError as error:
            raise wrong(rule, "is not a CEL expression", str(error).splitlines()[0]) from None
        stream = tokens(rule.condition, Engine.CEL)
        _refuse_unknown_functions(rule, program)
        _refuse_unknown_subjects(rule, program, stream)
        _refuse_mixed_numbers(rule, stream)
        refuse_unknown_names(rule, arguments)
        return CelCondition(rule.condition, program)


class CelCondition(Condition):
    """One compiled expression."""

    __slots__ = ("_program", "_text")

    def __init__(self, text: str, program: cel.Program) -> None:
        self._text = text
        self._program = program

    def holds(self, document: Document) -> bool:
        context = document.forms.get("cel")
        if context is None:
            context = document.forms["cel"] = cel.Context(as_doubles(document.values))
        try:
            answer = self._program.execute(context)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic of the engine is a BaseException, and denies like any error
            raise PolicyError(f"`{self._text}` has no answer for this call", why=_why(error)) from None
        if answer is not True and answer is not False:
            raise PolicyError(f"`{self._text}` is neither true nor false", do="Write a comparison")
        return answer


def as_doubles(value: Json) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with every number as a double: 49 and 49.0 are one JSON number and must compare and add alike."""
    kind = type(value)
    if kind is str or kind is float or kind is bool or value is None:
        return value
    if kind is int:
        return float(value)
    if isinstance(value, Mapping):
        return {key: as_doubles(inner) for key, inner in value.items()}
    return [as_doubles(inner) for inner in value] if isinstance(value, list | tuple) else value


def _why(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"the call does not give {error}"
    if isinstance(error, TypeError):
        return "it puts together values of different kinds"
    return f"it ended in {type(error).__name__}"


def _refuse_unknown_functions(rule: Rule, program: cel.Program) -> None:
    for name in program.functions():
        if name[0].isalpha() and name not in FUNCTIONS:
            raise wrong(rule, f"calls `{name}`", "there is no such function", "See the list in the policy reference")


def _refuse_unknown_subjects(rule: Rule, program: cel.Program, stream: tuple[Token, ...]) -> None:
    texts = [token.text for token in stream]
    bound = {
        name
        for macro, bracket, name, comma in zip(texts, texts[1:], texts[2:], texts[3:], strict=False)
        if macro in _MACROS and bracket == "(" and comma == ","
    }
    for name in program.variables():
        if name not in SUBJECTS | bound | _TYPES:
            known = ", ".join(f"`{subject}`" for subject in sorted(SUBJECTS))
            raise wrong(rule, f"reads `{name}`", "there is no such value", f"Use one of {known}")


def _refuse_mixed_numbers(rule: Rule, stream: tuple[Token, ...]) -> None:
    """CEL adds no integer to a double, and the numbers of a call are doubles: `input.x + 1` would always fail."""
    ends = {reference.last for reference in references(rule.condition, Engine.CEL)}
    starts = {reference.first for reference in references(rule.condition, Engine.CEL)}
    for index, token in enumerate(stream):
        if token.kind is not TokenKind.SIGN or token.text not in _ARITHMETIC or not 0 < index < len(stream) - 1:
            continue
        left, right = stream[index - 1], stream[index + 1]
        for number, beside in ((right, index - 1 in ends), (left, index + 1 in starts)):
            if beside and number.kind is TokenKind.NUMBER and number.text.isdecimal():
                raise wrong(
                    rule,
                    f"calculates with `{number.text}`",
                    "numbers of a call are doubles in CEL, and CEL adds no integer to a double",
                    f"Write {number.text}.0",
                )
