"""An event as bytes, and the hash of those bytes in the tree of RFC 6962."""

import hashlib

from interlock.domain.audit import AuditEvent
from interlock.domain.canonical import canonical_json


def leaf_bytes(event: AuditEvent) -> bytes:
    """Return the canonical JSON of the whole event: what is stored, hashed, exported and proved."""
    return canonical_json(
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


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf), 32 bytes (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()
