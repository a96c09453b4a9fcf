"""Policies in Rego: package `interlock`, whose rules `deny`, `escalate`, `require_approval`, ... give ids."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from interlock.adapters.rego.engine import UNDEFINED, Entrypoint, as_input, is_plain
from interlock.adapters.rego.text import check_orderings, check_text, orderings, reads_text
from interlock.domain.agents import Engine
from interlock.domain.calls import ToolCall
from interlock.domain.canonical import Json, digest
from interlock.domain.conditions import TokenKind, references, tokens
from interlock.domain.contracts import ToolContract
from interlock.domain.decisions import Duty, Effect, Finding, Obligation
from interlock.domain.errors import ConfigurationError, PolicyError
from interlock.domain.ids import ToolName
from interlock.policy.document import document_of
from interlock.policy.facts import Facts
from interlock.policy.naming import FIELDS
from interlock.policy.ports import PolicyEngine

_EFFECTS = {
    "deny": Effect.DENY,
    "escalate": Effect.ESCALATE,
    "dry_run": Effect.DRY_RUN,
    "require_approval": Effect.REQUIRE_APPROVAL,
}
_DUTIES = {"alert": Duty.ALERT, "sample": Duty.SAMPLE, "redact": Duty.REDACT}
_INPUT: Mapping[str, frozenset[str]] = {
    "arguments": frozenset(),
    **{name: FIELDS[name] for name in ("call", "run", "agent")},
}
_WORDS = frozenset({*_EFFECTS, *_DUTIES, "allow"})


class RegoPolicies(PolicyEngine):
    """A published bundle. Compiled once; asked for every call."""

    def __init__(
        self,
        modules: Mapping[str, str],
        data: Json = None,
        *,
        contracts: Mapping[ToolName, ToolContract] | None = None,
    ) -> None:
        """Compile `modules` (file name -> source), with `data` as base document.

        Raises ConfigurationError for text that does not compile, names or calls what there is not, or has no package
        `interlock` with at least one rule that this gate reads. With `contracts`, an argument that none of them has is
        such a name.
        """
        if data is not None and not is_plain(data):
            raise ConfigurationError("The data of the Rego policies holds a quote, a backslash or a control character")
        text = "\n".join(modules[name] for name in sorted(modules))
        defined = frozenset(
            token.text
            for source in modules.values()
            for token in tokens(source, Engine.OPA)
            if token.kind is TokenKind.NAME and source[max(0, token.position - 1) : token.position] in ("", "\n")
        )
        for name, source in sorted(modules.items()):
            _check(name, source, defined)
        if not defined & _WORDS:
            raise ConfigurationError(
                "The Rego policies decide nothing",
                why=f"package interlock has none of the rules {', '.join(sorted(_WORDS))}",
            )
        _refuse_aliases(text)
        _refuse_unknown_fields(text, contracts)
        self._decides_allow = "allow" in defined
        self._orderings = orderings(text)
        read = [reference for reference in references(text, Engine.OPA) if reference.path[:2] == ("input", "arguments")]
        guarded = {reference.path[2] for reference in read if reference.guarded and len(reference.path) > 2}
        self._bare = frozenset(reference.path[2] for reference in read if len(reference.path) > 2) - guarded
        self._looked_into = (
            frozenset(path.path[2] if len(path.path) > 2 else "*" for path in read) if reads_text(text) else frozenset()
        )
        self._entry = Entrypoint(sorted(modules.items()), "interlock", data)
        # Without the names: the same policies in another folder are the same version.
        self._version = digest({"modules": sorted(modules.values()), "data": data})

    @property
    def name(self) -> str:
        return "rego"

    @property
    def version(self) -> str:
        return self._version

    def evaluate(self, call: ToolCall, facts: Facts) -> tuple[Finding, ...]:
        try:
            self._refuse_missing(call, facts)
            values = dict(document_of(call, facts).values)
            values["arguments"] = values.pop("input")
            check_orderings(self._orderings, {"input": values})
            answer = self._entry.value(as_input(values))
            if answer is UNDEFINED or not isinstance(answer, dict):
                raise PolicyError("The package `interlock` is undefined for this call")
            return self._findings(answer)
        except PolicyError as error:
            return (Finding("rego:error", Effect.DENY, str(error), "policy_error", self._version),)

    def _refuse_missing(self, call: ToolCall, facts: Facts) -> None:
        """A comparison with what is not there is undefined, and a rule that denies would be passed over in silence."""
        declared = facts.contract.input_schema.get("properties", {}) if facts.contract else {}
        for name in sorted(self._bare):
            if name in declared and call.arguments.get(name) is None:
                raise PolicyError(
                    f"The Rego policies read `{name}`, which this call does not give",
                    do=f'Read it as object.get(input.arguments, "{name}", ...)',
                )
        for name, value in call.arguments.items():
            if (name in self._looked_into or "*" in self._looked_into) and not is_plain(value):
                raise PolicyError(
                    f"The Rego policies look into `{name}`, which Rego cannot read exactly",
                    why="it holds a quote, a backslash or a control character",
                )

    def _findings(self, answer: dict[str, Any]) -> tuple[Finding, ...]:
        found: list[Finding] = []
        for word, effect in _EFFECTS.items():
            for name, reason in _ids(word, answer.get(word, [])):
                code = "policy_denied" if effect is Effect.DENY else ""
                found.append(Finding(f"rego:{name}", effect, reason, code, self._version))
        for word, duty in _DUTIES.items():
            for name, reason in _ids(word, answer.get(word, [])):
                owed = (Obligation(duty, f"rego:{name}"),)
                found.append(Finding(f"rego:{name}", Effect.ALLOW, reason, "", self._version, owed))
        if self._decides_allow and answer.get("allow") is not True:
            reason = "The Rego policies do not allow this call."
            found.append(Finding("rego:allow", Effect.DENY, reason, "policy_denied", self._version))
        return tuple(found)


def _refuse_aliases(text: str) -> None:
    """What is read under another name cannot be checked for being there."""
    stream = tokens(text, Engine.OPA)
    for reference in references(text, Engine.OPA):
        before = stream[reference.first - 1].text if reference.first else ""
        whole = len(reference.path) < 3 and reference.path[:2] in (("input",), ("input", "arguments"))
        if whole and before in {":=", "=", "import", "as"}:
            raise ConfigurationError(
                f"The Rego policies give another name to `{'.'.join(reference.path)}`",
                why="an argument that is missing could then not be noticed",
                do="Read arguments as input.arguments.<name>",
            )


def _refuse_unknown_fields(text: str, contracts: Mapping[ToolName, ToolContract] | None) -> None:
    """A misspelt field is undefined for every call, and a rule that denies by it would never apply."""
    for reference in references(text, Engine.OPA):
        subject, *below = reference.path[1:] or ("*",)
        if reference.path[0] != "input" or subject == "*":
            continue
        if subject not in _INPUT:
            raise _unknown(f"input.{subject}", subject, _INPUT)
        known: frozenset[str] = _INPUT[subject]
        if subject == "arguments":
            known = frozenset(
                name for each in (contracts or {}).values() for name in each.input_schema.get("properties", {})
            )
        if known and below and below[0] != "*" and below[0] not in known:
            raise _unknown(f"input.{subject}.{below[0]}", below[0], known)


def _unknown(path: str, name: str, known: Iterable[str]) -> ConfigurationError:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    do = f"Did you mean '{near[0]}'?" if near else "See the policy reference for what there is"
    return ConfigurationError(
        f"The Rego policies read `{path}`", why="no call has it, so the rule would never apply", do=do
    )


def _ids(word: str, value: Json) -> list[tuple[str, str]]:
    """Return (id, sentence) of every member of a rule: a set of ids, or an object from id to sentence."""
    if isinstance(value, Mapping):
        return [(name, _sentence(word, name, said)) for name, said in value.items()]
    if isinstance(value, list):
        if all(isinstance(name, str) for name in value):
            return [(name, _sentence(word, name, None)) for name in value]
        if all(isinstance(each, Mapping) and isinstance(each.get("id"), str) for each in value):
            return [(each["id"], _sentence(word, each["id"], each.get("reason"))) for each in value]
    raise PolicyError(f"The Rego rule `{word}` gives something else than ids")


def _sentence(word: str, name: str, said: Json) -> str:
    return said if isinstance(said, str) and said else f"The Rego policy '{name}' says {word.replace('_', ' ')}."


def _check(name: str, source: str, defined: frozenset[str]) -> None:
    stream = tokens(source, Engine.OPA)
    package = "".join(token.text for token in stream[1:2]) if stream and stream[0].text == "package" else ""
    if package != "interlock":
        raise ConfigurationError(
            f"{name}: the package is not `interlock`", do="Begin the file with `package interlock`"
        )
    try:
        check_text(source, defined)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{name}: {error.what[:1].lower()}{error.what[1:]}", why=error.why, do=error.do
        ) from None
