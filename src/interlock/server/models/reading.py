"""Read a client's request: one JSON object, and what its headers say of run, step and labels."""

import re
from collections.abc import Mapping

import orjson
from starlette.types import Receive, Scope

from interlock.domain.canonical import MAX_BYTES, MAX_DEPTH, Json
from interlock.domain.errors import BadInput, Forbidden, TooLarge
from interlock.domain.identity import Principal
from interlock.domain.ids import RunId, checked_id
from interlock.domain.models import Dialect
from interlock.gateway.models.requests import Caching, ModelAsk
from interlock.models.ports import Operation
from interlock.server.guard import CALLER, HEADERS, body_of
from interlock.server.refusals import UnsupportedContent
from interlock.server.tracing import trace_in

RUN = b"x-interlock-run"
STEP = b"x-interlock-step"
LABEL = b"x-interlock-label-"
MAX_VALUES = 1_000_000
_SHORT = 8192
MAX_LABELS = 20
MAX_LABEL_LENGTH = 200

_OURS = (b"x-interlock-", b"anthropic-", b"cache-control")
_VENDOR = frozenset({b"anthropic-beta", b"anthropic-version"})
_LABEL_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


async def read_ask(scope: Scope, receive: Receive, dialect: Dialect, operation: Operation) -> ModelAsk:
    """Return the request. Raises BadInput, UnsupportedContent, TooLarge, Forbidden."""
    headers: dict[bytes, bytes] = scope[HEADERS]
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedContent("The body is not declared as JSON", do="Send Content-Type: application/json")
    raw = await body_of(receive)
    body = read_object(raw)
    principal: Principal = scope[CALLER].principal
    trace = trace_in(headers)
    said = {name: value for name, value in headers.items() if name.startswith(_OURS)}
    if not said and principal.scope is None:
        return ModelAsk(principal, dialect, body, len(raw), operation, trace=trace, raw=raw)
    return ModelAsk(
        principal,
        dialect,
        body,
        len(raw),
        operation,
        run=_run(principal, said),
        step=checked_id(_text(STEP, said[STEP]), "step") if STEP in said else "",
        labels=_labels(said),
        headers=_travelling(said) if dialect is Dialect.ANTHROPIC else {},
        caching=_caching(said),
        trace=trace,
        raw=raw,
    )


def read_object(raw: bytes) -> dict[str, Json]:
    """Return the JSON object that `raw` is. Raises BadInput, TooLarge."""
    # A long body is one of long texts and pictures. Millions of small values would hold everyone up while they are read.
    if len(raw) > MAX_BYTES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        raise TooLarge("The JSON holds too many values", why=f"the limit is about {MAX_VALUES}", do="Send less")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput(
            "The body is not valid JSON", why=_where(raw, error), do="Send one JSON object in UTF-8"
        ) from None
    if type(value) is not dict:
        raise BadInput("The body is not a JSON object", do="Send one JSON object")
    # What holds fewer brackets than there may be levels cannot be too deep; in a long text they take longer to count.
    if (len(raw) > _SHORT or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH) and _is_deep(value):
        raise TooLarge("The JSON is nested too deeply", why=f"the limit is {MAX_DEPTH} levels", do="Nest less")
    return value


def _where(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw:
        return "it is empty"
    # The library's own words may repeat what stands there, so only those of its place are used.
    return "it is not UTF-8" if "UTF-8" in error.msg else f"line {error.lineno}, column {error.colno}"


def _is_deep(value: dict[str, Json]) -> bool:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _run(principal: Principal, said: Mapping[bytes, bytes]) -> RunId | None:
    named = RunId(checked_id(_text(RUN, said[RUN]), "run id")) if RUN in said else None
    if principal.scope is None:
        return named
    if named is not None and named != principal.scope.run:
        raise Forbidden(
            "The token belongs to another run",
            do="Leave x-interlock-run out, or use the token of the run that it names",
        )
    return principal.scope.run


def _labels(said: Mapping[bytes, bytes]) -> dict[str, str]:
    named = [name for name in said if name.startswith(LABEL)]
    if len(named) > MAX_LABELS:
        raise BadInput("The request has too many labels", why=f"the limit is {MAX_LABELS}", do="Send fewer")
    return {_label(name): _label_value(name, said[name]) for name in named}


def _label(name: bytes) -> str:
    label = _text(name, name)[len(LABEL) :]
    if _LABEL_NAME.fullmatch(label) is None:
        raise BadInput("The name of a label cannot be used", do="Use up to 64 of a-z, 0-9, _ . -")
    return label


def _label_value(name: bytes, raw: bytes) -> str:
    value = _text(name, raw)
    if not value or len(value) > MAX_LABEL_LENGTH or not value.isprintable():
        raise BadInput(
            f"The header {_text(name, name)} cannot be used", do=f"Send 1 to {MAX_LABEL_LENGTH} printable characters"
        )
    return value


def _travelling(said: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): _text(name, said[name]) for name in said if name in _VENDOR}


def _caching(said: Mapping[bytes, bytes]) -> Caching:
    """Return what `Cache-Control` asks of us; what of it is not known asks for nothing."""
    words = {word.strip() for word in said.get(b"cache-control", b"").lower().split(b",")}
    if b"no-store" in words:
        return Caching.NONE
    return Caching.REFRESH if words & {b"no-cache", b"max-age=0"} else Caching.USUAL


def _text(name: bytes, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"The header {name.decode('latin-1')} is not UTF-8", do="Encode it as UTF-8") from None
