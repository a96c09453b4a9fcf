"""One byte string per JSON value (RFC 8785), and a parser that refuses what two readers could read differently."""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import rfc8785

from interlock.domain.errors import MalformedJson, TooLarge

# A JSON value. mypy cannot narrow a recursive alias usefully, so values that only travel are `Json = Any` by name.
Json = Any
JsonObject = Mapping[str, Any]

MAX_BYTES = 1 << 20
"""The largest JSON text taken from outside, in bytes."""
MAX_DEPTH = 64
_SAFE_INTEGER = 2**53 - 1


def parse_json(text: bytes | str, *, max_bytes: int = MAX_BYTES) -> Json:
    """Return the value that `text` stands for.

    Raises MalformedJson for invalid UTF-8, duplicate keys, NaN and infinities, integers that a double cannot hold,
    lone surrogates and null characters; TooLarge above `max_bytes` bytes or MAX_DEPTH levels.
    """
    if len(text) > max_bytes:
        raise TooLarge(f"The JSON text is {len(text)} long", why=f"the limit is {max_bytes} bytes", do="Send less")
    try:
        # json.loads would take bytes in UTF-16 and UTF-32 too, which other readers do not.
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        value = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise MalformedJson("The JSON text is not UTF-8", do="Encode it as UTF-8") from None
    except ValueError as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise MalformedJson("The text is not valid JSON", why=where) from None
    check_json(value)
    return value


def check_json(value: Json) -> None:
    """Raise what `parse_json` would raise for `value` if it came as text; for values that arrive in-process."""
    if type(value) is str:
        _check_text(value)
        return
    stack: list[tuple[Json, int]] = [(value, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, str):
            _check_text(item)
        elif item is None or isinstance(item, bool):
            continue
        elif isinstance(item, int):
            if abs(item) > _SAFE_INTEGER:
                raise MalformedJson("A number is too large to be exact", why="it is beyond 2^53", do="Send it as text")
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise MalformedJson("NaN and infinities are not JSON")
        elif depth > MAX_DEPTH:
            raise _too_deep()
        elif isinstance(item, dict | Mapping):
            for key, inner in item.items():
                if not isinstance(key, str):
                    raise MalformedJson("An object key is not text")
                _check_text(key)
                stack.append((inner, depth + 1))
        elif isinstance(item, list | tuple | Sequence) and not isinstance(item, bytes | bytearray):
            stack.extend((inner, depth + 1) for inner in item)
        else:
            raise MalformedJson(f"A {type(item).__name__} is not a JSON value")


def canonical_json(value: Json) -> bytes:
    """Return the RFC 8785 form of `value`: equal values give equal bytes. Raises MalformedJson for what has none."""
    try:
        if is_plain(value):
            # Where Python and ECMAScript write numbers alike and no key sorts by UTF-16, the encoder in C gives the same.
            return _ENCODER.encode(value).encode()
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeEncodeError):
        raise MalformedJson("The value has no canonical JSON form") from None


# What refers to itself never gets this far: the look at it before does not end either.
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True)
_PLAIN_LEAVES = frozenset({str, bool, type(None)})


def is_plain(value: Json) -> bool:
    """Return whether a usual encoder, with its keys sorted and no spaces, writes the canonical form of `value`."""
    kind = type(value)
    if kind in _PLAIN_LEAVES:
        return True
    if kind is dict:
        return all(map(_is_plain_key, value)) and all(map(is_plain, value.values()))
    if kind is list or kind is tuple:
        return all(map(is_plain, value))
    if kind is int:
        return -_SAFE_INTEGER <= int(value) <= _SAFE_INTEGER
    # Between these, both write the shortest digits without an exponent; only a whole number gets a ".0" from Python.
    return kind is float and 1e-4 <= abs(value) < 1e16 and not float(value).is_integer()


def _is_plain_key(key: object) -> bool:
    return type(key) is str and key.isascii()


def digest(value: Json) -> str:
    """Return the SHA-256 of the canonical form, in lower-case hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def commitment(salt: bytes, payload: bytes) -> str:
    """Return HMAC-SHA256 of `payload` under `salt`, in hex: binding like a hash, and silent once the salt is erased."""
    return hmac.new(salt, payload, hashlib.sha256).hexdigest()


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _check_text(text: str) -> None:
    if text.isascii():
        if "\x00" in text:
            raise MalformedJson("A text holds a null character", do="Remove it")
        return
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise MalformedJson("A text holds a null character or half a surrogate pair", do="Send valid Unicode")


def _too_deep() -> TooLarge:
    return TooLarge("The JSON value is nested too deeply", why=f"the limit is {MAX_DEPTH} levels")
