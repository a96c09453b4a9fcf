"""Signed notes (c2sp.org/signed-note): text with Ed25519 signatures below it, and the keys as one line of text each."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.domain.errors import MalformedProof, NotProven

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
"""A witness's: it signs a checkpoint together with the time (c2sp.org/tlog-cosignature)."""
MAX_NOTE_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 100
_KINDS = frozenset({ED25519, COSIGNATURE})
_KEY_SIZE = 32
_SIGNATURE_SIZE = 64
_PRIVATE = "PRIVATE+KEY+"
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """What a signature is checked with. Its text form (a vkey) may be published."""

    name: str
    public: bytes
    kind: int = ED25519

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name || newline || kind || public key)."""
        return key_id(self.name, self.kind, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_to_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note."""

    name: str
    key_id: bytes
    signature: bytes
    """For a cosignature: the time as eight bytes, then the signature."""

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {_to_base64(self.key_id + self.signature)}\n"

    @property
    def time(self) -> int:
        """The POSIX time of a cosignature, in seconds."""
        return int.from_bytes(self.signature[:8])


@dataclass(frozen=True, slots=True)
class SignerKey:
    """What signs. Its text form is a secret."""

    name: str
    seed: bytes = field(repr=False)
    kind: int = ED25519

    @classmethod
    def new(cls, name: str, kind: int = ED25519) -> "SignerKey":
        """Return a fresh key. Raises MalformedProof for a name that notes cannot carry."""
        check_name(name)
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw(), kind)

    @property
    def verifier(self) -> VerifierKey:
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(self.name, public.public_bytes_raw(), self.kind)

    def secret_text(self) -> str:
        """Return the line for the key file: PRIVATE+KEY+NAME+ID+BASE64, as Go's `sumdb/note` writes it."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{_to_base64(bytes([self.kind]) + self.seed)}"

    def sign(self, text: str, time: int | None = None) -> Signature:
        """Return the signature under `text`. A cosignature takes the POSIX `time` in seconds, a log's signature none."""
        if (self.kind == COSIGNATURE) != (time is not None):
            raise ValueError("a cosignature needs the time, and no other signature has one")
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        if time is None:
            return Signature(self.name, self.verifier.id, private.sign(text.encode()))
        stamped = private.sign(_cosigned(text, time))
        return Signature(self.name, self.verifier.id, time.to_bytes(8) + stamped)


@dataclass(frozen=True, slots=True)
class Note:
    """A text, and signatures that nobody has checked yet."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()

    def signed_also_by(self, *signatures: Signature) -> "Note":
        """Return the note with these signatures below the others; one that is there already is not repeated."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *signatures))))


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text that a known key signed."""

    text: str
    signed_by: tuple[tuple[VerifierKey, Signature], ...]


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return the four bytes that, with the name, say which key a signature is by."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def check_name(name: str) -> None:
    """Raise MalformedProof for a name that a signature line cannot carry."""
    if not name or "+" in name or any(one.isspace() or one < " " for one in name):
        raise MalformedProof("A key has a name that notes cannot carry", do="Use one without spaces and without +")
    _to_bytes(name)


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that a vkey names. Raises MalformedProof."""
    name, told_id, kind, public = _parse_key(text.strip(), "verifier key", "NAME+ID+KEY")
    key = VerifierKey(name, public, kind)
    if key.id != told_id:
        raise MalformedProof("The verifier key is damaged", why="its id is that of another key", do="Copy it again")
    return key


def parse_signer_key(text: str) -> SignerKey:
    """Return the key of a key file. Raises MalformedProof, which shows nothing of the key."""
    form = f"{_PRIVATE}NAME+ID+KEY"
    if not text.startswith(_PRIVATE):
        raise MalformedProof("This is not a signing key", why=f"one is of the form {form}")
    name, told_id, kind, seed = _parse_key(text.strip().removeprefix(_PRIVATE), "signing key", form)
    key = SignerKey(name, seed, kind)
    if key.verifier.id != told_id:
        raise MalformedProof("The signing key is damaged", why="its id is that of another key", do="Restore the file")
    return key


def sign(text: str, *keys: SignerKey) -> Note:
    """Return `text` with a signature by each key. Raises MalformedProof for a text that is not of the form of notes."""
    _check_text(text)
    return Note(text, tuple(key.sign(text) for key in keys))


def parse_note(data: bytes) -> Note:
    """Return what the bytes say, checked for form only: nothing in it is true yet. Raises MalformedProof."""
    if len(data) > MAX_NOTE_BYTES:
        raise _not_a_note(f"it is longer than {MAX_NOTE_BYTES} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_a_note("it is not UTF-8") from None
    cut = whole.rfind("\n\n")
    if cut < 0 or not whole.endswith("\n"):
        raise _not_a_note("no empty line parts text from signatures")
    text, below = whole[: cut + 1], whole[cut + 2 :]
    _check_text(text)
    lines = below.split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise _not_a_note(f"it has {len(lines)} signatures")
    return Note(text, tuple(_parse_signature(line) for line in lines))


def parse_signature(line: str) -> Signature:
    """Return the signature of one line, as a witness answers with. Raises MalformedProof."""
    return _parse_signature(line.removesuffix("\n"))


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Return the text if at least one of `keys` signed it, and none of them falsely.

    Signatures by other keys say nothing and are passed over. Raises MalformedProof or NotProven.
    """
    note = parse_note(data)
    known = {(key.name, key.id): key for key in keys}
    good: dict[VerifierKey, Signature] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None or key in good:
            continue
        if not verifies(note.text, signature, key):
            raise NotProven(f"The signature of {key.name} is false", why="the text is not what was signed")
        good[key] = signature
    if not good:
        raise NotProven("No known key signed this", do="Give the verifier key of the log that should have")
    return OpenedNote(note.text, tuple(good.items()))


def verifies(text: str, signature: Signature, key: VerifierKey) -> bool:
    """Return whether `key` made this signature under `text`."""
    signed, made = text.encode(), signature.signature
    if key.kind == COSIGNATURE:
        signed, made = _cosigned(text, signature.time), made[8:]
        if signature.time >> 63:
            return False
    if len(made) != _SIGNATURE_SIZE:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(made, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise _not_a_note("a line below it is not a signature")
    check_name(name)
    raw = from_base64(encoded, "a signature")
    if len(raw) <= len(b"ID__"):
        raise _not_a_note("a signature is too short")
    return Signature(name, raw[:4], raw[4:])


def _parse_key(text: str, what: str, form: str) -> tuple[str, bytes, int, bytes]:
    name, _, rest = text.partition("+")
    told_id, _, encoded = rest.partition("+")
    check_name(name)
    raw = from_base64(encoded, f"the {what}")
    if len(told_id) != len("01234567") or set(told_id) - set("0123456789abcdef"):
        raise MalformedProof(f"This is not a {what}", why=f"one is of the form {form}")
    if len(raw) != 1 + _KEY_SIZE or raw[0] not in _KINDS:
        raise MalformedProof(f"The {what} is of a kind that is not known here", why="Ed25519 is")
    return name, bytes.fromhex(told_id), raw[0], raw[1:]


def _check_text(text: str) -> None:
    _to_bytes(text)
    if not text.endswith("\n"):
        raise _not_a_note("its text does not end with a line")
    if any(one < " " and one != "\n" for one in text):
        raise _not_a_note("it has control characters")


def _to_bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _not_a_note("it is not UTF-8") from None


def _to_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def from_base64(text: str, what: str) -> bytes:
    """Return the bytes of standard base64 in its one canonical spelling. Raises MalformedProof."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise MalformedProof(f"{what.capitalize()} is not base64") from None
    # The unused bits of the last letter would let two spellings stand for one value.
    if _to_base64(raw) != text:
        raise MalformedProof(f"{what.capitalize()} is not base64 in its one spelling")
    return raw


def _not_a_note(why: str) -> MalformedProof:
    return MalformedProof("This is not a signed note", why=why)
