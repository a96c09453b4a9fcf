"""Compile and ask Rego conditions. `input` is the call's arguments; `output`, `call`, `run`, `agent` stand beside it."""

from regopy import Input

from interlock.adapters.rego.engine import Entrypoint, as_input, is_plain
from interlock.adapters.rego.text import Ordering, check_orderings, check_text, orderings, reads_text
from interlock.domain.agents import Engine, Rule
from interlock.domain.canonical import JsonObject
from interlock.domain.conditions import SUBJECTS, TokenKind, references, tokens
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.policy.naming import refuse_unknown_names, wrong
from interlock.policy.ports import Condition, ConditionEngine, Document

_BESIDE = "$interlock"
"""Where the other subjects travel inside Rego's one input; an argument of this name cannot reach a condition."""
_STATEMENT = frozenset({";", ":=", "=", "some", "every", "not", "with", "_"})
_TRUE, _FALSE, _UNDEFINED = '{"expressions":[true]}', '{"expressions":[false]}', "undefined"


class RegoConditions(ConditionEngine):
    """The language `opa`."""

    def compile(self, rule: Rule, arguments: JsonObject | None) -> Condition:
        try:
            check_text(rule.condition, SUBJECTS)
            refuse_unknown_names(rule, arguments)
            return RegoCondition(rule.condition)
        except ConfigurationError as error:
            if error.what.startswith("The Rego text "):
                raise wrong(rule, error.what.removeprefix("The Rego text "), error.why, error.do) from None
            raise


class RegoCondition(Condition):
    """One compiled expression, or several statements that must all hold."""

    __slots__ = ("_beside", "_body", "_entry", "_looked_into", "_orderings", "_text")

    def __init__(self, text: str) -> None:
        read = references(text, Engine.OPA)
        subjects = sorted({reference.path[0] for reference in read} - {"input"})
        self._text = text
        self._body = _is_body(text)
        self._beside = bool(subjects)
        self._orderings: tuple[Ordering, ...] = orderings(text)
        self._looked_into = tuple(reference.path for reference in read) if reads_text(text) else ()
        head = "holds if {\n\t" + text + "\n}\n" if self._body else "holds := " + text.strip() + "\n"
        beside = "".join(f'{name} := input["{_BESIDE}"].{name}\n' for name in subjects)
        source = f"package interlock.condition\n\n{beside}\n{head}"
        self._entry = Entrypoint([("condition.rego", source)], "interlock/condition/holds")

    def holds(self, document: Document) -> bool:
        check_orderings(self._orderings, document.values, every=True)
        for path in self._looked_into:
            if not is_plain(document.values.get(path[0]) if len(path) == 1 else _top(document, path)):
                raise PolicyError(
                    f"`{self._text}` looks into a text that Rego cannot read exactly",
                    why="the text holds a quote, a backslash or a control character",
                )
        answer = self._entry.ask(self._form(document))
        if answer == _TRUE:
            return True
        # A body that is not true is undefined, whether a comparison failed or a field was missing: it does not hold.
        if answer == _FALSE or (self._body and answer == _UNDEFINED):
            return False
        if answer == _UNDEFINED:
            raise PolicyError(f"`{self._text}` is undefined for this call", why="it reads something that is not there")
        raise PolicyError(f"`{self._text}` is neither true nor false", do="Write a comparison")

    def _form(self, document: Document) -> Input:
        key = "rego+" if self._beside else "rego"
        form: Input | None = document.forms.get(key)
        if form is None:
            values = dict(document.values["input"])
            if self._beside:
                values[_BESIDE] = {name: value for name, value in document.values.items() if name != "input"}
            form = document.forms[key] = as_input(values)
        return form


def _top(document: Document, path: tuple[str, ...]) -> object:
    subject = document.values.get(path[0])
    return subject.get(path[1]) if isinstance(subject, dict) and path[1] != "*" else subject


def _is_body(text: str) -> bool:
    """Return whether `text` is more than one plain expression; only of that can false be told from undefined."""
    stream = tokens(text, Engine.OPA)
    if "\n" in text.strip() or any(token.text in _STATEMENT for token in stream if token.kind is not TokenKind.TEXT):
        return True
    for index, token in enumerate(stream):
        if token.kind is not TokenKind.NAME or token.text in SUBJECTS | {"true", "false", "null", "in", "data"}:
            continue
        follower = stream[index + 1].text if index + 1 < len(stream) else ""
        after_dot = index > 0 and stream[index - 1].text == "."
        if not after_dot and follower not in {"(", "."}:
            return True
    return False
