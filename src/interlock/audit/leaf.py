"""An event as bytes, and the hash of those bytes in the tree of RFC 6962."""

import hashlib

import orjson

from interlock.domain.audit import AuditEvent
from interlock.domain.canonical import JsonObject, canonical_json, is_plain


def leaf_bytes(event: AuditEvent) -> bytes:
    """Return the canonical JSON of the whole event: what is stored, hashed, exported and proved."""
    return _canonical(
        {
            "actor": event.actor,
            "at": event.at,
            "body": event.body,
            "id": event.id,
            "kind": event.kind.value,
            "subject": event.subject,
            "tenant": event.tenant,
        }
    )


def _canonical(value: JsonObject) -> bytes:
    # Every call pays for its event, and this takes half the time.
    try:
        if is_plain(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        pass  # Half a surrogate pair, or too deep: the slower way says so.
    return canonical_json(value)


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf), 32 bytes (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()
