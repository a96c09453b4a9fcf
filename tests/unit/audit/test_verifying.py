"""The offline verifier tells an export that is whole from one that is not, and says which way it is not."""

from __future__ import annotations

import ast
import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.audit import verifying
from interlock.audit.checkpoints import Checkpoint, sign_checkpoint
from interlock.audit.export import Exported, FolderTarget, write_export, zip_chunks
from interlock.audit.leaf import leaf_hash
from interlock.audit.notes import COSIGNATURE, SignerKey
from interlock.audit.verifying import Outcome, verify
from interlock.domain.errors import BadInput
from tests.unit.audit.logs import FIRST, ORIGIN, SECOND, WITNESS, Log, cosigned

KEY = str(FIRST.verifier)
NEW_KEY = str(SECOND.verifier)
SIZES = [0, 1, 100, 256, 300, 700]


@pytest.fixture(scope="module")
def log() -> Log:
    return Log.of(700, rotated=280)


@pytest.fixture(scope="module")
def whole(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log.export(tmp_path_factory.mktemp("whole") / "export", SIZES)


def rewritten(folder: Path, exported: Exported, signer: SignerKey = SECOND) -> Path:
    list(write_export(FolderTarget(folder), exported, signer))
    return folder


@pytest.mark.parametrize("key", [KEY, NEW_KEY])
def test_a_whole_export_is_intact_by_any_key_that_the_log_has_used(whole: Path, key: str) -> None:
    verdict = verify(whole, keys=[key])

    assert (verdict.outcome, verdict.origin, verdict.size) == (Outcome.INTACT, ORIGIN, 700)
    assert (verdict.checkpoints, verdict.keys) == (len(SIZES), (KEY, NEW_KEY))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 700])
def test_logs_of_every_size_verify(size: int, tmp_path: Path) -> None:
    folder = Log.of(size).export(tmp_path / "export", [size])

    assert verify(folder, keys=[KEY]).outcome is Outcome.INTACT


def test_a_log_of_three_levels_of_tiles_verifies(tmp_path: Path) -> None:
    log = Log.of(1)
    log.leaves = [b'{"n":%d}' % number for number in range(66_000)]
    folder = log.export(tmp_path / "export", [65_536, 66_000])

    assert verify(folder, keys=[KEY]).outcome is Outcome.INTACT
    assert (folder / "tile" / "2" / "000.p" / "1").stat().st_size == 32
    damaged = bytearray((folder / "tile" / "1" / "000").read_bytes())
    damaged[40] ^= 1
    (folder / "tile" / "1" / "000").write_bytes(damaged)
    assert verify(folder, keys=[KEY]).outcome is Outcome.TAMPERED


def test_without_a_key_it_only_agrees_with_itself(whole: Path) -> None:
    verdict = verify(whole)

    assert verdict.outcome is Outcome.UNPROVEN
    assert "origin" in verdict.reason


def test_another_key_does_not_vouch_for_it(whole: Path) -> None:
    stranger = SignerKey(ORIGIN, bytes(32))

    assert verify(whole, keys=[str(stranger.verifier)]).outcome is Outcome.TAMPERED


def test_a_zip_is_the_same_export_to_the_byte_every_time(log: Log, tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    archive.write_bytes(b"".join(zip_chunks(log.exported(SIZES), SECOND)))

    assert verify(archive, keys=[KEY]).outcome is Outcome.INTACT
    assert archive.read_bytes() == b"".join(zip_chunks(log.exported(SIZES), SECOND))


def test_a_zip_in_which_a_file_stands_twice_is_tampered_with(log: Log, tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    archive.write_bytes(b"".join(zip_chunks(log.exported(SIZES), SECOND)))
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("keys", f"{KEY}\n{NEW_KEY}\n")

    assert verify(archive, keys=[KEY]).outcome is Outcome.TAMPERED


def test_an_older_export_is_rolled_back_only_against_a_kept_checkpoint(log: Log, tmp_path: Path) -> None:
    """What is whole and was true once cannot look wrong by itself: that is what a kept checkpoint is for."""
    older = log.export(tmp_path / "older", [100, 300])

    assert verify(older, keys=[KEY]).outcome is Outcome.INTACT
    verdict = verify(older, keys=[KEY], kept=[log.checkpoint(700, 300)])
    assert verdict.outcome is Outcome.ROLLED_BACK
    assert "300" in verdict.reason
    assert "700" in verdict.reason


def test_a_rewritten_history_is_found_against_a_kept_checkpoint(log: Log, whole: Path, tmp_path: Path) -> None:
    """Who has the database and the key can sign another past; what was kept elsewhere convicts them."""
    forged = Log([leaf.replace(b"crm.refund", b"crm.delete") for leaf in log.leaves], log.rotated)
    folder = forged.export(tmp_path / "forged", SIZES)

    assert verify(folder, keys=[KEY]).outcome is Outcome.INTACT
    for kept in (log.checkpoint(256), log.checkpoint(700, 300), log.checkpoint(1) + b"\n" + log.checkpoint(100)):
        assert verify(folder, keys=[KEY], kept=[kept]).outcome is Outcome.TAMPERED
        assert verify(whole, keys=[KEY], kept=[kept]).outcome is Outcome.INTACT


def test_missing_entries_are_truncation(log: Log, tmp_path: Path) -> None:
    exported = log.exported(SIZES)
    short = rewritten(tmp_path / "short", replace(exported, entries=list(exported.entries)[:690]))

    assert verify(short, keys=[KEY]).outcome is Outcome.TRUNCATED


def test_a_cut_or_missing_file_is_truncation(whole: Path, tmp_path: Path) -> None:
    for name in ("entries.jsonl", "checkpoints.jsonl", "checkpoint", "tile/0/000", "tile/1/000.p/2"):
        cut = shutil.copytree(whole, tmp_path / name.replace("/", "_"))
        data = (cut / name).read_bytes()
        (cut / name).write_bytes(data[:-7])
        assert verify(cut, keys=[KEY]).outcome is Outcome.TRUNCATED
        (cut / name).unlink()
        assert verify(cut, keys=[KEY]).outcome is Outcome.TRUNCATED


def test_what_is_no_export_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"no archive")

    for path in (tmp_path / "empty", tmp_path / "file", tmp_path / "missing"):
        assert verify(path, keys=[KEY]).outcome is Outcome.UNREADABLE


def insider(log: Log, folder: Path, change: object) -> Path:
    """An export by somebody who holds the log's key and signs the manifest anew, but has no way to an older checkpoint."""
    exported = log.exported(SIZES)
    return rewritten(folder, change(exported))  # type: ignore[operator]


def test_an_edited_body_is_found_though_the_row_still_has_its_old_hash(log: Log, tmp_path: Path) -> None:
    def edit(exported: Exported) -> Exported:
        entries = list(exported.entries)
        entries[412] = replace(entries[412], leaf=entries[412].leaf.replace(b"2884", b"2885"))
        return replace(exported, entries=entries)

    verdict = verify(insider(log, tmp_path / "edited", edit), keys=[KEY])
    assert verdict.outcome is Outcome.TAMPERED
    assert "entry 412 " in verdict.reason


def test_an_edited_body_with_a_new_hash_is_found_by_the_signed_root(log: Log, tmp_path: Path) -> None:
    def edit(exported: Exported) -> Exported:
        entries = list(exported.entries)
        leaf = entries[412].leaf.replace(b"2884", b"2885")
        entries[412] = replace(entries[412], leaf=leaf, leaf_hash=leaf_hash(leaf))
        return replace(exported, entries=entries)

    assert verify(insider(log, tmp_path / "edited", edit), keys=[KEY]).outcome is Outcome.TAMPERED


def test_an_index_that_is_skipped_or_repeated_is_found(log: Log, tmp_path: Path) -> None:
    def skip(exported: Exported) -> Exported:
        entries = list(exported.entries)
        entries[412] = replace(entries[412], index=413)
        return replace(exported, entries=entries)

    verdict = verify(insider(log, tmp_path / "skipped", skip), keys=[KEY])
    assert verdict.outcome is Outcome.TAMPERED
    assert "entry 412 " in verdict.reason


def test_an_earlier_checkpoint_that_does_not_agree_is_found(log: Log, tmp_path: Path) -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 100, bytes(32)), FIRST)

    def fork(exported: Exported) -> Exported:
        return replace(exported, earlier=[other, *exported.earlier][:1])

    verdict = verify(insider(log, tmp_path / "forked", fork), keys=[KEY])
    assert verdict.outcome is Outcome.TAMPERED
    assert "first 100 entries" in verdict.reason


@pytest.mark.parametrize("signers", [[FIRST], [SECOND], [SignerKey(ORIGIN, bytes(32)), SECOND]])
def test_a_new_key_needs_the_signature_of_the_old_one_below_its_introduction(
    log: Log, tmp_path: Path, signers: list[SignerKey]
) -> None:
    exported = log.exported([100, 300, 700])
    between = sign_checkpoint(Checkpoint(ORIGIN, 300, log.root(300)), *signers)
    notes = [log.checkpoint(100), between, exported.checkpoint]
    folder = rewritten(tmp_path / "rotated", replace(exported, earlier=notes))

    assert verify(folder, keys=[KEY]).outcome is Outcome.TAMPERED
    assert verify(folder, keys=[NEW_KEY]).outcome is Outcome.TAMPERED


def test_a_key_that_no_entry_introduced_is_not_trusted(tmp_path: Path) -> None:
    """A thief's own key beside the log's: nothing in the log speaks for it."""
    log, thief = Log.of(50), SignerKey(ORIGIN, bytes(32))
    exported = replace(log.exported([50]), keys=[KEY, str(thief.verifier)])
    note = sign_checkpoint(Checkpoint(ORIGIN, 50, log.root(50)), thief)
    folder = rewritten(tmp_path / "thief", replace(exported, checkpoint=note), thief)
    both = rewritten(
        tmp_path / "both",
        replace(exported, checkpoint=sign_checkpoint(Checkpoint(ORIGIN, 50, log.root(50)), FIRST, thief)),
        thief,
    )

    assert verify(folder, keys=[KEY]).outcome is Outcome.TAMPERED
    assert verify(both, keys=[KEY]).outcome is Outcome.TAMPERED


def test_an_event_about_rotation_in_someone_elses_words_introduces_nothing(tmp_path: Path) -> None:
    log = Log.of(20)
    log.leaves[7] = json.dumps({"body": {"note": '"kind":"log.key_rotated"'}, "kind": "call.decided"}).encode()

    assert verify(log.export(tmp_path / "export", [20]), keys=[KEY]).outcome is Outcome.INTACT


def test_witnesses_are_told_and_a_given_one_has_to_have_signed(log: Log, tmp_path: Path) -> None:
    exported = log.exported(SIZES)
    notes = list(exported.earlier)
    notes[3] = cosigned(notes[3])
    seen = rewritten(tmp_path / "seen", replace(exported, earlier=notes))
    stranger = SignerKey("example.com/elsewhere", bytes(32), COSIGNATURE).verifier

    verdict = verify(seen, keys=[KEY, str(WITNESS.verifier)])
    assert (verdict.outcome, verdict.cosigned) == (Outcome.INTACT, {str(WITNESS.verifier): 256})
    assert verify(seen, keys=[KEY, str(stranger)]).outcome is Outcome.UNPROVEN
    assert verify(seen, keys=[str(WITNESS.verifier)]).outcome is Outcome.UNPROVEN
    notes[3] = notes[4][: notes[4].index(b"\n\n")] + notes[3][notes[3].index(b"\n\n") :]
    false = rewritten(tmp_path / "false", replace(exported, earlier=notes))
    assert verify(false, keys=[KEY, str(WITNESS.verifier)]).outcome is Outcome.TAMPERED


def test_a_checkpoint_of_another_log_is_no_evidence(whole: Path) -> None:
    elsewhere = sign_checkpoint(Checkpoint("example.com/elsewhere", 5, bytes(32)), FIRST)

    assert verify(whole, keys=[KEY], kept=[elsewhere]).outcome is Outcome.TAMPERED


@pytest.mark.parametrize("kept", [b"", b"nothing\n", b"\xff", b"junk\n\n" + Log.of(3).checkpoint(3)])
def test_a_kept_file_that_holds_no_checkpoint_is_wrong_usage(whole: Path, kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        verify(whole, keys=[KEY], kept=[kept])


@pytest.mark.parametrize("key", ["", "name", "é", KEY[:-1], KEY.replace("log", "lag")])
def test_a_damaged_key_is_wrong_usage(whole: Path, key: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        verify(whole, keys=[key])


def test_a_link_or_a_pipe_in_the_place_of_a_file_ends_in_a_verdict(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "export")
    (folder / "keys").unlink()
    (folder / "keys").symlink_to(tmp_path)
    assert verify(folder, keys=[KEY]).outcome is Outcome.UNREADABLE
    (folder / "extra").symlink_to(tmp_path / "nowhere")
    assert verify(folder, keys=[KEY]).outcome is not Outcome.INTACT


def test_an_export_is_not_written_over_another(whole: Path) -> None:
    with pytest.raises(BadInput):
        FolderTarget(whole)


def test_the_verifier_shares_no_code_with_what_it_verifies() -> None:
    tree = ast.parse(Path(verifying.__file__).read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in named}

    assert tops - {"cryptography"} <= sys.stdlib_module_names


def test_it_runs_as_a_program_and_its_exit_code_is_the_verdict(whole: Path, log: Log, tmp_path: Path) -> None:
    kept, damaged = tmp_path / "kept", shutil.copytree(whole, tmp_path / "damaged")
    kept.write_bytes(log.checkpoint(100))
    (damaged / "keys").write_bytes(b"")

    def run(*arguments: object) -> tuple[int, str]:
        # A copy of the file, in a folder that has nothing of ours.
        copied = shutil.copy(verifying.__file__, tmp_path / "verifying.py")
        done = subprocess.run([sys.executable, "-I", copied, *map(str, arguments)], capture_output=True, text=True)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    assert run(whole, "--key", KEY, "--kept", kept) == (
        0,
        f"INTACT {ORIGIN}, 700 entries, 6 checkpoints: every entry is what the log signed\n",
    )
    assert run(whole)[0] == 4
    assert run(damaged, "--key", KEY)[0] == 10
    assert run(tmp_path / "nothing")[0] == 13
    assert run(whole, "--key", "nonsense")[0] == 2
    assert run(whole, "--kept", tmp_path / "nothing")[0] == 2


def test_the_list_of_files_can_never_be_taken_for_a_checkpoint(whole: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        verifying._read_checkpoint((whole / "manifest").read_bytes())


def test_an_export_goes_to_a_stream_that_cannot_be_sought_in(log: Log) -> None:
    chunks = list(zip_chunks(log.exported(SIZES), SECOND))

    assert len(zipfile.ZipFile(io.BytesIO(b"".join(chunks))).namelist()) == len(set(verifying._FILES)) + 1 + 4


def test_a_damaged_zip_ends_in_a_verdict_and_is_intact_only_if_its_files_are(log: Log, tmp_path: Path) -> None:
    """The archive is wrapping: what counts is what it holds."""
    whole = b"".join(zip_chunks(Log.of(30).exported([10, 30]), FIRST))
    wanted = contents(whole)
    archive, draw, outcomes = tmp_path / "export.zip", random.Random(7), set()
    for _ in range(200):
        data, at = bytearray(whole), draw.randrange(len(whole))
        data[at] ^= draw.randrange(1, 256)
        archive.write_bytes(data)
        outcome = verify(archive, keys=[KEY]).outcome
        outcomes.add(outcome)
        assert outcome is not Outcome.INTACT or contents(bytes(data)) == wanted

    assert {Outcome.INTACT, Outcome.UNREADABLE} <= outcomes


def contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {one.filename: file.read(one) for one in file.infolist()}
