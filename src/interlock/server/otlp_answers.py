"""What OTLP answers to an export request, in the encoding of the request. Two messages, so written by hand."""

import orjson

from interlock.domain.errors import InterlockError

PROTOBUF = b"application/x-protobuf"
JSON = b"application/json"

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 429: 8, 503: 14}
"""The codes of gRPC for statuses of HTTP."""
_INTERNAL = 13
_VARINT, _BYTES = 0, 2


def accepted(kind: bytes, rejected: int, message: str) -> bytes:
    """Return an ExportTraceServiceResponse; a message without rejected spans is a warning."""
    if kind == PROTOBUF:
        partial = _number(1, rejected) + _text(2, message)
        return _field(1, _BYTES) + _varint(len(partial)) + partial if partial else b""
    if not rejected and not message:
        return b"{}"
    partial_success = {"rejectedSpans": str(rejected), "errorMessage": message}
    return orjson.dumps({"partialSuccess": partial_success})


def refused(kind: bytes, error: InterlockError) -> bytes:
    """Return a google.rpc.Status."""
    code = _CODES.get(error.status, _INTERNAL)
    message = f"{error} ({error.code})"
    if kind == PROTOBUF:
        return _number(1, code) + _text(2, message)
    return orjson.dumps({"code": code, "message": message})


def _number(field: int, value: int) -> bytes:
    return _field(field, _VARINT) + _varint(value) if value else b""


def _text(field: int, value: str) -> bytes:
    data = value.encode()
    return _field(field, _BYTES) + _varint(len(data)) + data if data else b""


def _field(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
