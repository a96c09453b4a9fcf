"""The rules of a scripted model as a file states them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from interlock.domain.canonical import Json, JsonObject
from interlock.domain.errors import ConfigurationError
from interlock.models.dialogue import Stop


@dataclass(frozen=True, slots=True)
class Wish:
    """A tool call that a rule proposes; its arguments are a template."""

    tool: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True)
class ScriptedError:
    """An answer that is a failure."""

    status: int = 500
    code: str = ""
    """The provider's own word for it, where its format has a place for one."""
    message: str = "The script says so"
    body: str = ""
    """Sent as it stands, in place of an error in the caller's format."""
    retry_after: float | None = None
    """Seconds."""
    after: int | None = None
    """With HTTP 200 and behind so many events of the stream; a whole reply is then a 200 with an error inside."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a reply is delivered."""

    error: ScriptedError | None = None
    first_byte_ms: int = 0
    between_ms: int = 0
    """Before each further event of a stream."""
    cut_after: int | None = None
    """The connection breaks behind so many events; a whole reply then breaks off in its body."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """Fields of Usage that are reported in place of what is counted."""


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """One rule. It applies when all that it names is the case; the first rule that applies gives the reply."""

    id: str
    model: re.Pattern[str] | None = None
    """Must be found in the name of the model that is asked."""
    user: re.Pattern[str] | None = None
    """Must be found in the user's words; its named groups become values."""
    last: re.Pattern[str] | None = None
    """Must be found in the latest words of the user; its named groups become values."""
    result: re.Pattern[str] | None = None
    """Must be found in the result of a call; its named groups become values."""
    after: tuple[str, ...] = ()
    """Tools that have been called."""
    ended: tuple[str, ...] = ()
    """The last call's status is one of these."""
    step: tuple[int, ...] = ()
    """How many replies the conversation has had is one of these."""
    times: int = 1
    """How often the rule may propose in one conversation."""
    calls: tuple[Wish, ...] = ()
    """Proposed together."""
    say: str = ""
    """The words of the reply; beside calls, the stated reason."""
    think: str = ""
    json: Json = None
    """Said as JSON text, in place of `say`."""
    stop: Stop | None = None
    """Why the reply ends, if not for what it holds."""
    conduct: Conduct = Conduct()


_PATTERNS: Final = ("model", "user", "last", "result")
_KEYS: Final = frozenset(
    {*_PATTERNS, "id", "after", "ended", "step", "times", "tool", "arguments", "calls", "say", "think", "json", "stop"}
    | {"error", "delay", "cut_after", "usage"}
)
_ERROR_KEYS: Final = frozenset({"status", "code", "message", "body", "retry_after", "after"})
_USAGE_KEYS: Final = frozenset(
    {"input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input", "audio_output"}
)


def rule_of(said: Json, position: int) -> ScriptRule:
    """Return the rule that `said` describes, keys as the fields of ScriptRule; `tool` and `arguments` are one call.

    Raises ConfigurationError, naming the rule by its id or `position`.
    """
    if not isinstance(said, Mapping) or not isinstance(said.get("id"), str) or not said["id"]:
        raise _wrong(f"Rule {position}", "it has no id", "Give each rule an id of its own")
    where = f"Rule '{said['id']}'"
    _known(said, _KEYS, where)
    return ScriptRule(
        id=said["id"],
        **{key: _pattern(said[key], where) for key in _PATTERNS if key in said},
        after=_texts(said, "after", where),
        ended=_texts(said, "ended", where),
        step=_steps(said.get("step", ()), where),
        times=_whole(said, "times", where, 1) or 0,
        calls=_wishes(said, where),
        say=_text(said, "say", where),
        think=_text(said, "think", where),
        json=said.get("json"),
        stop=_stop(said.get("stop"), where),
        conduct=_conduct(said, where),
    )


def _conduct(said: JsonObject, where: str) -> Conduct:
    delay = _table(said, "delay", where)
    _known(delay, frozenset({"first_byte", "between"}), f"{where}, delay")
    usage = _table(said, "usage", where)
    _known(usage, _USAGE_KEYS, f"{where}, usage")
    return Conduct(
        error=_error(_table(said, "error", where), where) if "error" in said else None,
        first_byte_ms=_whole(delay, "first_byte", where, 0) or 0,
        between_ms=_whole(delay, "between", where, 0) or 0,
        cut_after=_whole(said, "cut_after", where, None),
        usage={key: _whole(usage, key, where, 0) or 0 for key in usage},
    )


def _error(said: JsonObject, where: str) -> ScriptedError:
    _known(said, _ERROR_KEYS, f"{where}, error")
    status = _whole(said, "status", where, 500) or 0
    if not 400 <= status <= 599:
        raise _wrong(where, f"{status} is not the status of an error", "Use 400 to 599")
    retry_after = said.get("retry_after")
    if retry_after is not None and (isinstance(retry_after, bool) or not isinstance(retry_after, int | float)):
        raise _wrong(where, "'retry_after' is not a number", "Say seconds")
    return ScriptedError(
        status=status,
        code=_text(said, "code", where),
        message=_text(said, "message", where) or "The script says so",
        body=_text(said, "body", where),
        retry_after=retry_after,
        after=_whole(said, "after", where, None),
    )


def _wishes(said: JsonObject, where: str) -> tuple[Wish, ...]:
    if "tool" in said and "calls" in said:
        raise _wrong(where, "it has both 'tool' and 'calls'", "Put every call under 'calls'")
    one = {key: said[key] for key in ("tool", "arguments") if key in said}
    listed = said.get("calls", [one] if one.get("tool") else [])
    if not isinstance(listed, list):
        raise _wrong(where, "'calls' is not a list", "List calls, each with 'tool' and 'arguments'")
    wishes = []
    for call in listed:
        if not isinstance(call, Mapping) or not _text(call, "tool", where):
            raise _wrong(where, "a call names no tool", "Give each call a 'tool' and its 'arguments'")
        _known(call, frozenset({"tool", "arguments"}), f"{where}, calls")
        wishes.append(Wish(call["tool"], _table(call, "arguments", where)))
    return tuple(wishes)


def _pattern(value: Json, where: str) -> re.Pattern[str]:
    try:
        return re.compile(value, re.IGNORECASE)
    except (re.error, TypeError) as error:
        raise _wrong(where, f"it has a bad pattern ({error})", "Write a regular expression") from None


def _stop(value: Json, where: str) -> Stop | None:
    if value is None:
        return None
    try:
        return Stop(value)
    except ValueError:
        raise _wrong(where, f"'{value}' is no reason to stop", f"Use one of {', '.join(Stop)}") from None


def _steps(value: Json, where: str) -> tuple[int, ...]:
    steps = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(step, int) and not isinstance(step, bool) and step >= 0 for step in steps):
        raise _wrong(where, "'step' is not a number of replies", "Say 0 for the first reply, or list several")
    return steps


def _texts(said: JsonObject, key: str, where: str) -> tuple[str, ...]:
    value = said.get(key, ())
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong(where, f"'{key}' is not a list of names", "Write it like [first, second]")
    return tuple(value)


def _text(said: JsonObject, key: str, where: str) -> str:
    value = said.get(key, "")
    if not isinstance(value, str):
        raise _wrong(where, f"'{key}' is not text", "Put it in quotes")
    return value


def _table(said: JsonObject, key: str, where: str) -> JsonObject:
    value = said.get(key) or {}
    if not isinstance(value, Mapping):
        raise _wrong(where, f"'{key}' is not a mapping", "Write it as keys and values")
    return value


def _whole(said: JsonObject, key: str, where: str, default: int | None) -> int | None:
    value = said.get(key, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise _wrong(where, f"'{key}' is not a whole number", "Use 0 or more; times are in milliseconds")
    return value


def _known(said: JsonObject, keys: frozenset[str], where: str) -> None:
    unknown = sorted(str(key) for key in said if key not in keys)
    if unknown:
        raise _wrong(where, f"it has a key '{unknown[0]}', which is not known", f"Use {', '.join(sorted(keys))}")


def _wrong(where: str, why: str, do: str) -> ConfigurationError:
    return ConfigurationError(f"{where} of the script cannot be used", why=why, do=do)
