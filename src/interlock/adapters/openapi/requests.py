"""Build the HTTP request of one call from the operation's details."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from interlock.adapters.openapi.encoding import NotEncodable, Pairs, cookie, header, pairs, path_segment, text
from interlock.adapters.openapi.parameters import FORM, MULTIPART
from interlock.domain.canonical import Json, JsonObject
from interlock.domain.contracts import Idempotency
from interlock.gateway.ports import Invocation

_TEMPLATE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. `url` may hold a secret when the credential goes into the query, so it is never shown."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | aiohttp.FormData | None


def build_request(base: URL, invocation: Invocation, credential: JsonObject | None) -> Request:
    """Return the request of `invocation` under `base`; `credential` says where its secret goes.

    Raises NotEncodable, naming the argument, for values that cannot be written, and for a request that would leave
    the host of `base`.
    """
    contract = invocation.contract
    details = contract.upstream.details
    arguments = invocation.arguments
    path, query, headers, cookies = _place(details, arguments)
    headers["Accept"] = "application/json, */*;q=0.5"
    # Compressed answers could be small on the wire and huge once read.
    headers["Accept-Encoding"] = "identity"
    if invocation.traceparent:
        headers["traceparent"] = invocation.traceparent
    if contract.idempotency is Idempotency.HEADER:
        headers[contract.idempotency_name] = invocation.idempotency_key
    if invocation.secret is not None and credential is not None:
        query = _sign(credential, invocation.secret, headers, cookies, query)
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    body, media_type = _body(details.get("body") or {}, arguments)
    if media_type:
        headers["Content-Type"] = media_type
    address = f"{str(base).rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else "")
    url = URL(address, encoded=True)
    if url.origin() != base.origin() or url.user is not None:
        raise NotEncodable("the path of the operation leads to another host")
    return Request(str(details["method"]), url, headers, body)


def _place(details: JsonObject, arguments: JsonObject) -> tuple[str, Pairs, CIMultiDict[str], list[str]]:
    segments: dict[str, str] = {}
    query: Pairs = ()
    headers: CIMultiDict[str] = CIMultiDict()
    cookies: list[str] = []
    wires = details.get("parameters", ())
    taken = frozenset(wire["name"] for wire in wires if wire["in"] == "query")
    for wire in wires:
        name, place, value = wire["name"], wire["in"], arguments.get(wire["argument"])
        if place == "path":
            segments[name] = path_segment(name, value, wire)
        elif value is None:
            continue
        elif place == "query":
            query += _own(pairs(name, value, wire), name, taken)
        elif place == "header":
            headers[name] = header(name, value, wire)
        else:
            cookies.append(cookie(name, value, wire))
    return _TEMPLATE.sub(lambda found: segments[found[1]], details["path"]), query, headers, cookies


def _own(written: Pairs, name: str, taken: frozenset[str]) -> Pairs:
    """Return `written`, or refuse: the keys of an object may not speak for another argument, which was decided upon."""
    if any(key != name and key in taken for key, _ in written):
        raise NotEncodable(f"a key of the argument '{name}' is the name of another argument")
    return written


def _sign(credential: JsonObject, secret: str, headers: CIMultiDict[str], cookies: list[str], query: Pairs) -> Pairs:
    place = credential["in"]
    if not secret or not (secret.isascii() and secret.isprintable()):
        raise NotEncodable("the credential holds characters that cannot be sent")
    if place == "basic":
        pair = secret if ":" in secret else f"{secret}:"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif place == "bearer":
        headers["Authorization"] = f"Bearer {secret}"
    elif place == "header":
        headers[credential["name"]] = secret
    elif place == "cookie":
        cookies.append(cookie(credential["name"], secret, {}))
    else:
        return (*(pair for pair in query if pair[0] != credential["name"]), (credential["name"], secret))
    return query


def _body(body: JsonObject, arguments: JsonObject) -> tuple[bytes | aiohttp.FormData | None, str]:
    media_type = str(body.get("media_type", ""))
    if not media_type:
        return None, ""
    if "argument" in body:
        if body["argument"] not in arguments:
            return None, ""
        return _whole(arguments[body["argument"]], media_type)
    fields = [field for field in body.get("fields", ()) if field["argument"] in arguments]
    if not fields and not body.get("required"):
        return None, ""
    if media_type == MULTIPART:
        return _multipart(fields, arguments, body), ""
    if media_type == FORM:
        written = [pair for field in fields for pair in _field(field, arguments, body)]
        return urlencode(written).encode(), FORM
    return orjson.dumps({field["name"]: arguments[field["argument"]] for field in fields}), media_type


def _whole(value: Json, media_type: str) -> tuple[bytes, str]:
    if media_type.endswith("json"):
        return orjson.dumps(value), media_type
    if not isinstance(value, str):
        raise NotEncodable(f"a body of type {media_type} is a text")
    return value.encode(), media_type


def _field(field: JsonObject, arguments: JsonObject, body: JsonObject) -> Pairs:
    taken = frozenset(each["name"] for each in body["fields"])
    return _own(pairs(field["name"], arguments[field["argument"]], field), field["name"], taken)


def _multipart(fields: list[JsonObject], arguments: JsonObject, body: JsonObject) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    for field in fields:
        value = arguments[field["argument"]]
        if field.get("binary"):
            kind = str(field.get("contentType", "application/octet-stream")).partition(",")[0]
            form.add_field(field["name"], _bytes(field["name"], value), filename=field["name"], content_type=kind)
        else:
            for name, written in _field(field, arguments, body):
                form.add_field(name, written)
    return form


def _bytes(name: str, value: Json) -> bytes:
    try:
        return base64.b64decode(text(value), validate=True)
    except binascii.Error:
        raise NotEncodable(f"the argument '{name}' is not base64") from None
