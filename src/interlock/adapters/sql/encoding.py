"""Domain values as JSON bytes, and back."""

from collections.abc import Mapping

import orjson

from interlock.domain.budgets import Limit, Measure, Scope, Window
from interlock.domain.canonical import Json
from interlock.domain.errors import MalformedJson
from interlock.domain.identity import Principal, Role
from interlock.domain.identity import Scope as TokenScope


def encode(value: Json) -> bytes:
    """Return `value` as JSON. Raises MalformedJson for what JSON cannot say."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        raise MalformedJson("A value cannot be recorded, because it is not JSON") from None


def decode(body: bytes) -> Json:
    """Return the value of JSON that `encode` wrote."""
    return orjson.loads(body)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError


def encode_principal(principal: Principal) -> bytes:
    """Return the principal with its roles and what its token leaves it."""
    scope = principal.scope
    return encode(
        {
            "id": principal.id,
            "tenant": principal.tenant,
            "roles": principal.roles,
            "agent": principal.agent,
            "scope": scope and {"run": scope.run, "tools": scope.tools, "expires_at": scope.expires_at},
        }
    )


def decode_principal(body: bytes) -> Principal:
    """Return the principal that `encode_principal` wrote."""
    fields = decode(body)
    scope = fields["scope"]
    return Principal(
        id=fields["id"],
        tenant=fields["tenant"],
        roles=frozenset(Role(role) for role in fields["roles"]),
        agent=fields["agent"],
        scope=None if scope is None else TokenScope(scope["run"], optional_set(scope["tools"]), scope["expires_at"]),
    )


def optional_set(values: list[Json] | None) -> frozenset[Json] | None:
    """Return the values as a set; None stays None."""
    return None if values is None else frozenset(values)


def encode_limit(limit: Limit) -> bytes:
    """Return the limit that a hold was taken under."""
    return encode(
        [limit.id, limit.measure, limit.scope, limit.maximum, limit.window, limit.currency, limit.tool],
    )


def decode_limit(body: bytes) -> Limit:
    """Return the limit that `encode_limit` wrote."""
    id_, measure, scope, maximum, window, currency, tool = decode(body)
    return Limit(id_, Measure(measure), Scope(scope), maximum, Window(window), currency, tool)
