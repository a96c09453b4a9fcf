"""What others have published, run from checkouts of theirs: `--vectors=FOLDER`, where FOLDER holds

    merkle/   github.com/transparency-dev/merkle (Apache-2.0): vectors of proofs
    C2SP/     github.com/C2SP/C2SP: the worked example of signed notes
    tessera/  github.com/transparency-dev/tessera (Apache-2.0): a log of fifteen entries, written by another program

Nothing of it is part of this repository; without the option these tests are left out.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from interlock.audit.checkpoints import Checkpoint, open_checkpoint
from interlock.audit.leaf import leaf_hash
from interlock.audit.notes import open_note, parse_verifier_key
from interlock.audit.tiles import Bundle, Tile, bundle_entries, hashes_from_tiles, tile_hashes
from interlock.audit.tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    root,
    verify_consistency,
    verify_inclusion,
)
from interlock.domain.errors import BadInput


def test_the_published_vectors_of_transparency_dev(vectors: Path) -> None:
    """98 for inclusion and 98 for consistency, as of July 2026."""
    files = sorted(vectors.glob("merkle/testdata/inclusion/**/*.json")) + sorted(
        vectors.glob("merkle/testdata/consistency/**/*.json")
    )
    wrong = [str(file) for file in files if (refusal(json.loads(file.read_text())) is not None) != wanted(file)]

    assert len(files) >= 196
    assert wrong == []


def wanted(file: Path) -> bool:
    return bool(json.loads(file.read_text())["wantErr"])


def refusal(told: dict[str, object]) -> BadInput | None:
    """Verify one published vector."""

    def raw(text: object) -> bytes:
        return base64.b64decode(str(text or ""))

    proof = tuple(raw(one) for one in told["proof"] or ())  # type: ignore[attr-defined]
    try:
        if "leafIdx" in told:
            number, size = int(str(told["leafIdx"])), int(str(told["treeSize"]))
            verify_inclusion(number, size, raw(told["leafHash"]), proof, raw(told["root"]))
        else:
            old, new = int(str(told["size1"])), int(str(told["size2"]))
            verify_consistency(old, new, proof, raw(told["root1"]), raw(told["root2"]))
    except BadInput as error:
        return error
    return None


def test_the_example_of_the_note_standard(vectors: Path) -> None:
    text = (vectors / "C2SP" / "signed-note.md").read_text()
    vkey, note = re.findall(r"### Example.*?\n    (\S+)\n.*?```\n(.*?)```", text, re.DOTALL)[0]

    opened = open_note(note.encode(), [parse_verifier_key(vkey)])
    assert opened.text == note[: note.index("\n\n") + 1]


def test_a_log_that_another_program_wrote(vectors: Path) -> None:
    folder = vectors / "tessera" / "testdata"
    (vkey,) = re.findall(r'LOG_PUBLIC_KEY="(.*)"', (folder / "build_log.sh").read_text())
    checkpoints: dict[int, Checkpoint] = {}
    for file in (folder / "log").glob("checkpoint.*"):
        checkpoint = open_checkpoint(file.read_bytes(), [parse_verifier_key(vkey)])
        checkpoints[checkpoint.size] = checkpoint

    assert checkpoints.pop(0).root == EMPTY_ROOT
    assert len(checkpoints) == 15
    for size, checkpoint in checkpoints.items():
        hashes_at = hashes_from_tiles(size, lambda tile: (folder / "log" / tile.path).read_bytes())
        assert root(size, hashes_at) == checkpoint.root
        bundle, tile = Bundle(0, size), Tile(0, 0, size)
        leaves = bundle_entries(bundle, (folder / "log" / bundle.path).read_bytes())
        assert tuple(map(leaf_hash, leaves)) == tile_hashes(tile, (folder / "log" / tile.path).read_bytes())
        for index, leaf in enumerate(leaves):
            verify_inclusion(index, size, leaf_hash(leaf), inclusion_proof(index, size, hashes_at), checkpoint.root)
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, hashes_at)
            verify_consistency(old, size, proof, checkpoints[old].root, checkpoint.root)
