"""AWS Signature Version 4, for requests whose body is at hand."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote

from yarl import URL

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_END: Final = "aws4_request"


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """What proves who asks."""

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return f"AwsKeys({self.access_key})"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str


def signed(
    method: str, url: URL, body: bytes, keys: AwsKeys, scope: Scope, at: str, headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the headers that prove the request: to be sent besides `headers`, which are signed too.

    `url` stands as it is sent; its path is escaped once more for the signature, as every service but S3 wants it.
    `at` is the time in UTC, such as 20150830T123600Z.
    """
    proof = {"x-amz-date": at}
    if keys.session_token:
        proof["x-amz-security-token"] = keys.session_token
    covered = {name.lower(): " ".join(value.split()) for name, value in (headers or {}).items()}
    covered |= proof | {"host": _host(url)}
    names = ";".join(sorted(covered))
    request = "\n".join(
        (
            method,
            quote(url.raw_path or "/", safe="/-_.~"),
            _query(url.raw_query_string),
            *(f"{name}:{covered[name]}" for name in sorted(covered)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    day = f"{at[:8]}/{scope.region}/{scope.service}/{_END}"
    text = "\n".join((_ALGORITHM, at, day, hashlib.sha256(request.encode()).hexdigest()))
    signature = hmac.new(_key(keys.secret_key, at[:8], scope), text.encode(), hashlib.sha256).hexdigest()
    proof["authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key}/{day}, SignedHeaders={names}, Signature={signature}"
    )
    return proof


def _key(secret: str, day: str, scope: Scope) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, scope.region, scope.service, _END):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _host(url: URL) -> str:
    # As it stands in the Host header: with the port only where it is not the usual one.
    host = url.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    return host if url.is_default_port() else f"{host}:{url.port}"


def _query(raw: str) -> str:
    pairs = parse_qsl(raw, keep_blank_values=True)
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))
