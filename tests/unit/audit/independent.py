"""A second verifier of exports, from the texts of RFC 6962 and C2SP alone, to agree or disagree with ours."""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519


def mth(d: list[bytes]) -> bytes:  # RFC 6962, section 2.1
    if len(d) == 1:
        return hashlib.sha256(b"\0" + d[0]).digest()
    k = 1 << (len(d) - 1).bit_length() - 1 if d else 0
    return hashlib.sha256(b"\1" + mth(d[:k]) + mth(d[k:]) if d else b"").digest()


def tiles(d: list[bytes]) -> dict[str, bytes]:  # c2sp.org/tlog-tiles, for less than 256,000 entries
    found: dict[str, bytes] = {}
    for level, wide in enumerate((1, 256, 65536)):
        hashes = [mth(d[at : at + wide]) for at in range(0, len(d) - wide + 1, wide)]
        for at in range(0, len(hashes), 256):
            part = b"".join(hashes[at : at + 256])
            found[f"tile/{level}/{at // 256:03d}" + f".p/{len(part) // 32}" * (len(part) < 8192)] = part
    return found


def signed(note: bytes, vkey: str) -> tuple[str, int]:  # c2sp.org/signed-note: the text, and how many signatures it has
    (name, key_id, key), (text, _, below) = vkey.split("+", 2), note.decode().rpartition("\n\n")
    for line in below.removesuffix("\n").split("\n"):
        raw = base64.b64decode(line.split(" ")[2], validate=True)
        assert line == f"— {line.split(' ')[1]} {base64.b64encode(raw).decode()}"
        if line.split(" ")[1] == name and raw[:4].hex() == key_id:
            ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(raw[4:], f"{text}\n".encode())
            return text, below.count("\n")
    raise ValueError(f"{vkey} did not sign")


def holds(folder: Path, vkeys: list[str], kept: bytes) -> bool:
    """Whether the export is whole, signed by the log's keys (oldest first), and grown from the kept checkpoint."""
    try:
        files = {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
        text, count = signed(files.pop("manifest"), vkeys[-1])
        hashed = [f"{hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in files.items()]
        leaves = [line.partition(b'"event":')[2][:-1] for line in files["entries.jsonl"].split(b"\n")[:-1]]
        assert files.pop("entries.jsonl") == b"".join(b'{"index":%d,"event":%b}\n' % one for one in enumerate(leaves))
        head = ["interlock audit export v1", vkeys[0].split("+")[0], str(len(leaves))]
        assert (text.split("\n")[:3], sorted(text.split("\n")[3:]), count) == (head, sorted(hashed), 1)
        notes = [*map(json.loads, files.pop("checkpoints.jsonl").splitlines()), files.pop("checkpoint").decode()]
        assert files == {**tiles(leaves), "keys": "".join(f"{vkey}\n" for vkey in vkeys).encode()}
        subjects = [json.loads(one)["subject"] if b'"kind":"log.key_rotated"' in one else "" for one in leaves]
        since, before = [0, *(subjects.index(vkey) + 1 for vkey in vkeys[1:])], 0
        for note in [kept, *(one.encode() for one in notes)]:
            origin, size, root, *_ = note.decode().split("\n")
            assert (origin, base64.b64decode(root)) == (head[1], mth(leaves[: int(size)]))
            known, new = sum(first <= before for first in since), sum(first <= int(size) for first in since)
            assert int(size) <= len(leaves)
            assert note is kept or all(signed(note, key) for key in vkeys[known - 1 : new])
            before = 0 if note is kept else int(size)
        return before == len(leaves)
    except (AssertionError, ValueError, LookupError, OSError, InvalidSignature):
        return False
