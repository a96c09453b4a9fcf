"""Ways to change an export, drawn from a seed: by somebody without any key, and by an insider with the log's own."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.audit.notes import SignerKey, parse_note, sign

Files = dict[str, bytes]
"""An export: paths and contents."""


@dataclass(frozen=True)
class Mutation:
    """A changed export, and what was done."""

    what: str
    files: Files


def mutated(whole: Files, older: Files, seed: int, signer: SignerKey | None) -> Mutation:
    """Return the export `whole` after one change. With `signer`, the manifest is signed anew over what came of it.

    `older` is the same log some time ago: what a roll-back brings back.
    """
    draw = random.Random(seed)
    ways = OUTSIDER if signer is None else INSIDER
    while True:
        name, way = draw.choice(ways)
        files = way(draw, whole, older)
        if files is not None and files != whole:
            break
    if signer is not None:
        files["manifest"] = relisted(files, signer)
    return Mutation(f"{name} (seed {seed}{', with the key' if signer else ''})", files)


def relisted(files: Files, signer: SignerKey) -> bytes:
    """The manifest of these files, signed."""
    title, origin, _ = parse_note(files["manifest"]).text.split("\n")[:3]
    listed = [
        f"{hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in files.items() if path != "manifest"
    ]
    size = files["checkpoint"].split(b"\n")[1].decode(errors="replace")
    return bytes(sign("\n".join([title, origin, size, *listed, ""]), signer))


def _any(draw: random.Random, files: Mapping[str, bytes]) -> str:
    return draw.choice(sorted(files))


def _flip(draw: random.Random, whole: Files, _: Files) -> Files | None:
    return _at(
        draw, whole, _any(draw, whole), lambda data, at: data[:at] + bytes([data[at] ^ _bit(draw)]) + data[at + 1 :]
    )


def _delete(draw: random.Random, whole: Files, _: Files) -> Files | None:
    width = draw.choice([1, 1, 2, 32, 300])
    return _at(draw, whole, _any(draw, whole), lambda data, at: data[:at] + data[at + width :])


def _insert(draw: random.Random, whole: Files, _: Files) -> Files | None:
    added = draw.choice([draw.randbytes(1), b"\n", b" ", b"0", draw.randbytes(32)])
    return _at(draw, whole, _any(draw, whole), lambda data, at: data[:at] + added + data[at:])


def _swap(draw: random.Random, whole: Files, _: Files) -> Files | None:
    path = _any(draw, whole)
    data = bytearray(whole[path])
    if len(data) < 2:
        return None
    one, other = draw.randrange(len(data)), draw.randrange(len(data))
    data[one], data[other] = data[other], data[one]
    return {**whole, path: bytes(data)}


def _truncate(draw: random.Random, whole: Files, _: Files) -> Files | None:
    path = _any(draw, whole)
    return {**whole, path: whole[path][: draw.randrange(len(whole[path]))]} if whole[path] else None


def _remove(draw: random.Random, whole: Files, _: Files) -> Files:
    gone = _any(draw, whole)
    return {path: data for path, data in whole.items() if path != gone}


def _add(draw: random.Random, whole: Files, _: Files) -> Files:
    path = draw.choice(["extra", "tile/0/001", "tile/3/000", "entries.jsonl.bak", "tile/0/000.p/9", "proofs/x"])
    return {path: draw.randbytes(draw.choice([0, 32])), **whole}


def _exchange(draw: random.Random, whole: Files, _: Files) -> Files:
    one, other = _any(draw, whole), _any(draw, whole)
    return {**whole, one: whole[other], other: whole[one]}


def _rename(draw: random.Random, whole: Files, _: Files) -> Files:
    old = _any(draw, whole)
    new = draw.choice([old + "x", old.replace("0", "1"), f"tile/{old}"])
    return {new if path == old else path: data for path, data in whole.items()}


def _roll_back(draw: random.Random, whole: Files, older: Files) -> Files:
    """All of the older export, or all of it but a file or two, or a file or two of it."""
    both = sorted(set(whole) & set(older))
    taken = draw.sample(both, draw.randint(1, len(both)))
    some = {path: older[path] if path in taken else data for path, data in whole.items()}
    return draw.choice([dict(older), some])


def _lines(draw: random.Random, files: Files, change: Callable[[list[bytes]], None], path: str) -> Files | None:
    lines = files[path].splitlines(keepends=True)
    if len(lines) < 2:
        return None
    change(lines)
    return {**files, path: b"".join(lines)}


def _reorder(draw: random.Random, whole: Files, _: Files) -> Files | None:
    def change(lines: list[bytes]) -> None:
        one, other = draw.sample(range(len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]

    return _lines(draw, whole, change, _lined(draw))


def _drop_line(draw: random.Random, whole: Files, _: Files) -> Files | None:
    return _lines(draw, whole, lambda lines: _drop(draw, lines), _lined(draw))


def _drop(draw: random.Random, lines: list[bytes]) -> None:
    del lines[draw.randrange(len(lines))]


def _repeat_line(draw: random.Random, whole: Files, _: Files) -> Files | None:
    def change(lines: list[bytes]) -> None:
        lines.insert(draw.randrange(len(lines)), draw.choice(lines))

    return _lines(draw, whole, change, _lined(draw))


def _drop_tail(draw: random.Random, whole: Files, _: Files) -> Files | None:
    def change(lines: list[bytes]) -> None:
        del lines[draw.randrange(len(lines)) :]

    return _lines(draw, whole, change, _lined(draw))


def _countersign(draw: random.Random, whole: Files, _: Files) -> Files:
    stranger = SignerKey("example.com/log", draw.randbytes(32))
    path = draw.choice(["manifest", "checkpoint"])
    note = parse_note(whole[path])
    return {**whole, path: bytes(note.signed_also_by(stranger.sign(note.text)))}


def _resign(draw: random.Random, whole: Files, _: Files) -> Files:
    stranger = SignerKey("example.com/log", draw.randbytes(32))
    path = draw.choice(["manifest", "checkpoint"])
    return {**whole, path: bytes(sign(parse_note(whole[path]).text, stranger))}


def _edit_entry(draw: random.Random, whole: Files, _: Files) -> Files | None:
    """An insider's: the body of an entry, in its place."""

    def change(lines: list[bytes]) -> None:
        at = draw.randrange(len(lines))
        lines[at] = lines[at].replace(b"allow", b"deny", 1) if draw.random() < 0.5 else _bump(draw, lines[at])

    return _lines(draw, whole, change, "entries.jsonl")


def _edit_entry_and_tile(draw: random.Random, whole: Files, _: Files) -> Files | None:
    """An insider's: an entry together with its leaf hash."""
    lines = whole["entries.jsonl"].splitlines(keepends=True)
    at = draw.randrange(len(lines))
    lines[at] = _bump(draw, lines[at])
    leaf = lines[at][len(b'{"index":%d,"event":' % at) : -2]
    path = next(path for path in whole if path.startswith(f"tile/0/{at // 256:03d}"))
    tile, place = whole[path], at % 256 * 32
    hashed = hashlib.sha256(b"\x00" + leaf).digest()
    return {**whole, "entries.jsonl": b"".join(lines), path: tile[:place] + hashed + tile[place + 32 :]}


def _edit_entries(draw: random.Random, whole: Files, older: Files) -> Files | None:
    way = draw.choice([_reorder_entries, _drop_entry, _insert_entry, _cut_entries])
    return _lines(draw, whole, lambda lines: way(draw, lines), "entries.jsonl")


def _reorder_entries(draw: random.Random, lines: list[bytes]) -> None:
    one, other = draw.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    if draw.random() < 0.5:
        _renumber(lines)


def _drop_entry(draw: random.Random, lines: list[bytes]) -> None:
    _drop(draw, lines)
    if draw.random() < 0.5:
        _renumber(lines)


def _insert_entry(draw: random.Random, lines: list[bytes]) -> None:
    lines.insert(draw.randint(0, len(lines)), draw.choice(lines))
    if draw.random() < 0.5:
        _renumber(lines)


def _cut_entries(draw: random.Random, lines: list[bytes]) -> None:
    del lines[draw.randrange(len(lines)) :]


def _edit_tile(draw: random.Random, whole: Files, _: Files) -> Files | None:
    tiles = {path: data for path, data in whole.items() if path.startswith("tile/")}
    return _at(
        draw, whole, _any(draw, tiles), lambda data, at: data[:at] + bytes([data[at] ^ _bit(draw)]) + data[at + 1 :]
    )


def _edit_root(draw: random.Random, whole: Files, _: Files) -> Files | None:
    """An insider's with the manifest, who cannot sign checkpoints: another root or size under the old signature."""
    origin, size, root, rest = whole["checkpoint"].split(b"\n", 3)
    if draw.random() < 0.5:
        size = b"%d" % draw.randrange(int(size) + 3)
    else:
        root = base64.b64encode(draw.randbytes(32))
    return {**whole, "checkpoint": b"\n".join([origin, size, root, rest])}


def _older_checkpoint(draw: random.Random, whole: Files, older: Files) -> Files:
    """An insider's: the newest checkpoint withheld, or the older one in its place."""
    return {**whole, "checkpoint": older["checkpoint"]}


def _bump(draw: random.Random, line: bytes) -> bytes:
    digits = [at for at in range(len(line) // 2, len(line)) if line[at : at + 1].isdigit()]
    at = draw.choice(digits)
    return line[:at] + b"%d" % ((line[at] - 48 + 1) % 10) + line[at + 1 :]


def _renumber(lines: list[bytes]) -> None:
    lines[:] = [b'{"index":%d,' % at + line.partition(b",")[2] for at, line in enumerate(lines)]


def _at(draw: random.Random, files: Files, path: str, change: Callable[[bytes, int], bytes]) -> Files | None:
    data = files[path]
    return {**files, path: change(data, draw.randrange(len(data)))} if data else None


def _bit(draw: random.Random) -> int:
    return draw.choice([1, 2, 4, 8, 16, 32, 64, 128, 255])


def _lined(draw: random.Random) -> str:
    return draw.choice(["entries.jsonl", "entries.jsonl", "checkpoints.jsonl", "keys", "manifest", "checkpoint"])


OUTSIDER = [
    ("flip a bit", _flip),
    ("delete bytes", _delete),
    ("insert bytes", _insert),
    ("swap bytes", _swap),
    ("cut a file", _truncate),
    ("remove a file", _remove),
    ("add a file", _add),
    ("exchange two files", _exchange),
    ("rename a file", _rename),
    ("swap lines", _reorder),
    ("drop a line", _drop_line),
    ("repeat a line", _repeat_line),
    ("drop the last lines", _drop_tail),
    ("roll back", _roll_back),
    ("sign also with another key", _countersign),
    ("sign with another key", _resign),
]
INSIDER = [
    ("edit an entry", _edit_entry),
    ("edit an entry and its leaf hash", _edit_entry_and_tile),
    ("move, drop, repeat or cut entries", _edit_entries),
    ("edit a tile", _edit_tile),
    ("edit the checkpoint", _edit_root),
    ("show an older checkpoint", _older_checkpoint),
]
