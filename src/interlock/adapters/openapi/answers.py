"""What is known of a call from the HTTP answer that came back, or from what came instead."""

import base64
from http import HTTPStatus

import aiohttp

from interlock.domain.canonical import Json, parse_json
from interlock.domain.contracts import Kind, ToolContract
from interlock.domain.errors import BadInput
from interlock.gateway.ports import Delivery, RawAnswer

TRY_LATER = frozenset({429, 503})
"""Refused for now, and certainly not done."""
_NEVER_TAKEN = frozenset({501, 505})
_CHUNK = 1 << 16


class TooBig(Exception):
    """The answer is larger than the contract allows."""


async def read_answer(response: aiohttp.ClientResponse, contract: ToolContract) -> RawAnswer:
    """Return what `response` says of the call, reading at most `max_result_bytes` of it."""
    status = response.status
    try:
        body = await _body(response, contract.max_result_bytes)
        content = _content(response.content_type if "Content-Type" in response.headers else "", body)
    except TooBig:
        return _unusable(contract, status, f"the answer is larger than {contract.max_result_bytes} bytes")
    except BadInput as error:
        return _unusable(contract, status, f"the answer cannot be read: {error.what}")
    if status < HTTPStatus.MULTIPLE_CHOICES:
        if contract.output_schema is not None and not _json(response) and body:
            return _unusable(contract, status, "the answer is not JSON, as the contract says it is")
        return RawAnswer(Delivery.ANSWERED, content=content)
    return _failed(contract, status, content)


def uncertain(detail: str) -> RawAnswer:
    """Return the answer for a call that may have been carried out."""
    return RawAnswer(Delivery.UNCERTAIN, detail=detail)


def _failed(contract: ToolContract, status: int, content: Json) -> RawAnswer:
    if status in TRY_LATER:
        return RawAnswer(Delivery.ANSWERED, content=content, is_error=True, retryable=True)
    if status < HTTPStatus.BAD_REQUEST:
        return _redirected(contract, status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER_TAKEN:
        if contract.kind is Kind.WRITE:
            # A server that breaks down, or a proxy that lost it, does not say how far the write had got.
            return uncertain(f"the tool answered HTTP {status}, which leaves open whether it did anything")
        return RawAnswer(Delivery.ANSWERED, content=content, is_error=True, retryable=True)
    return RawAnswer(Delivery.ANSWERED, content=content, is_error=True)


def _redirected(contract: ToolContract, status: int) -> RawAnswer:
    detail = f"The tool redirects (HTTP {status}), and redirects are not followed."
    resend = status in {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT, HTTPStatus.NOT_MODIFIED}
    if contract.kind is Kind.WRITE and not resend:
        return uncertain(f"the tool redirects (HTTP {status}), as some do once they have carried out a write")
    return RawAnswer(Delivery.ANSWERED, content=detail, is_error=True)


def _unusable(contract: ToolContract, status: int, detail: str) -> RawAnswer:
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR or status in TRY_LATER
    if contract.kind is Kind.WRITE and not refused:
        return uncertain(f"HTTP {status}, and {detail}")
    said = f"The tool answered HTTP {status}, and {detail}."
    return RawAnswer(Delivery.ANSWERED, content=said, is_error=True, retryable=status in TRY_LATER)


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    if response.content_length is not None and response.content_length > most:
        raise TooBig
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(_CHUNK):
        size += len(piece)
        if size > most:
            raise TooBig
        pieces.append(piece)
    return b"".join(pieces)


def _json(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "application/json" or response.content_type.endswith("+json")


def _content(media_type: str, body: bytes) -> Json:
    if not body:
        return None
    if media_type == "application/json" or media_type.endswith("+json"):
        return parse_json(body, max_bytes=len(body))
    if media_type.startswith("text/") or not media_type:
        return body.decode(errors="replace").replace("\x00", "\ufffd")
    return {"media_type": media_type, "base64": base64.b64encode(body).decode()}
